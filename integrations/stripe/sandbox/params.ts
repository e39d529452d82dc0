/** Reading parameters as Stripe does: what an endpoint does not take is refused by name, never ignored. */
import { z } from 'zod';
import type { HttpRequest } from '../../sandbox/http.ts';
import type { Operation, VendorRequest, VendorResult } from '../../sandbox/vendor.ts';
import { invalidRequest } from './errors.ts';
import { decodeForm } from './form.ts';

/** An operation with the schema of its parameters, which are checked before anything is remembered or done. */
export type StripeOperation = Operation<unknown> & { params: z.ZodType };

/** Ties the type of the parameters to their schema. */
export function operation<Schema extends z.ZodType>(definition: {
  op: string;
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  params: Schema;
  run(request: VendorRequest<z.output<Schema>>): VendorResult;
}): StripeOperation {
  return { ...definition, mutates: definition.method !== 'GET' } as StripeOperation;
}

/** Form body of a POST, query of everything else. Throws Stripe's refusal. */
export function readParams(schema: z.ZodType, request: HttpRequest): unknown {
  const raw = decodeForm(request.method === 'POST' ? request.rawBody.toString('utf8') : request.query);
  const parsed = schema.safeParse(raw, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw refusalOf(parsed.error);
}

export const text = z.string().min(1).max(5_000);
export const integer = z
  .string()
  .regex(/^-?\d+$/)
  .transform(Number);
export const boolean = z.enum(['true', 'false']).transform((value) => value === 'true');
export const expand = z.array(z.string()).default([]);
export const metadata = z.record(z.string().max(40), z.string().max(500)).default({});

/** The parameters of every list. */
export const pagination = {
  limit: integer.pipe(z.number().min(1).max(100)).default(10),
  starting_after: text.optional(),
  ending_before: text.optional(),
  expand,
};

/** `created=123` or `created[gte]=123`. */
export const created = z
  .union([
    integer,
    z.strictObject({
      gt: integer.optional(),
      gte: integer.optional(),
      lt: integer.optional(),
      lte: integer.optional(),
    }),
  ])
  .optional();

function refusalOf(error: z.ZodError) {
  const [issue] = error.issues;
  const path = (issue?.path ?? []).map(String);
  if (issue?.code === 'unrecognized_keys') {
    const param = bracketed([...path, issue.keys[0] ?? '']);
    return invalidRequest(`Received unknown parameter: ${param}`, { code: 'parameter_unknown', param });
  }
  const param = bracketed(path);
  if (issue?.code === 'invalid_type' && issue.input === undefined) {
    return invalidRequest(`Missing required param: ${param}.`, { code: 'parameter_missing', param });
  }
  if (issue?.code === 'invalid_format') {
    return invalidRequest(`Invalid integer: ${param}`, { code: 'parameter_invalid_integer', param });
  }
  return invalidRequest(`Invalid ${param}: ${issue?.message ?? 'not understood'}`, { param });
}

function bracketed([first = '', ...rest]: string[]): string {
  return first + rest.map((part) => `[${part}]`).join('');
}

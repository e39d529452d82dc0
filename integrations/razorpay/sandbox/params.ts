/** Reading parameters as Razorpay does: JSON bodies, and queries for lists. What it does not take is refused by name. */
import { z } from 'zod';
import { jsonBody } from '../../sandbox/control-routes.ts';
import type { HttpRequest } from '../../sandbox/http.ts';
import type { Operation, VendorRequest, VendorResult } from '../../sandbox/vendor.ts';
import { badRequest } from './errors.ts';

/** An operation with the schema of its parameters, which are checked before anything is done. */
export type RazorpayOperation = Operation<unknown> & { params: z.ZodType };

/** Ties the type of the parameters to their schema. */
export function operation<Schema extends z.ZodType>(definition: {
  op: string;
  method: 'GET' | 'POST';
  path: string;
  params: Schema;
  run(request: VendorRequest<z.output<Schema>>): VendorResult;
}): RazorpayOperation {
  return { ...definition, mutates: definition.method !== 'GET' } as RazorpayOperation;
}

/** Throws Razorpay's refusal. */
export function readParams(schema: z.ZodType, request: HttpRequest): unknown {
  const raw =
    request.method === 'POST' ? bodyOf(request) : Object.fromEntries(new URLSearchParams(request.query));
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    throw badRequest(`${issue.keys[0]} is/are not required and should not be sent`);
  }
  const field = String(issue?.path[0] ?? '');
  throw badRequest(`The ${field} field is invalid: ${issue?.message}`, { field });
}

function bodyOf(request: HttpRequest): unknown {
  try {
    return jsonBody(request);
  } catch {
    throw badRequest('The body is not JSON');
  }
}

const NOTES_MAX = 15;

export const notes = z
  .record(z.string(), z.string().max(256))
  .refine((given) => Object.keys(given).length <= NOTES_MAX, `at most ${NOTES_MAX} notes`)
  .default({})
  .transform((given) => (Object.keys(given).length === 0 ? ([] as []) : given));

const whole = z.coerce.number().int().min(0);

/** The parameters of every list. */
export const pagination = {
  from: whole.optional(),
  to: whole.optional(),
  count: whole.min(1).max(100).default(10),
  skip: whole.default(0),
};

/** Newest first. */
export function collectionOf<Item extends { created_at: number }>(
  items: Item[],
  { from = 0, to = Number.POSITIVE_INFINITY, count, skip }: z.output<z.ZodObject<typeof pagination>>,
) {
  const matching = items.filter(({ created_at }) => created_at >= from && created_at <= to).toReversed();
  const page = matching.slice(skip, skip + count);
  return { entity: 'collection', count: page.length, items: page };
}

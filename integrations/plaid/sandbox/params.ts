/** Reading parameters as Plaid does: always a JSON body of a POST, which may carry the credentials too. */
import { z } from 'zod';
import { jsonBody } from '../../sandbox/control-routes.ts';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import type { HttpRequest } from '../../sandbox/http.ts';
import type { Operation, VendorRequest } from '../../sandbox/vendor.ts';
import { refusal } from './errors.ts';

/** An operation with the schema of its parameters, which are checked before anything is done. */
export type PlaidOperation = Operation<unknown> & { params: z.ZodType };

/** Ties the type of the parameters to their schema. The id of the request is put into every answer. */
export function operation<Shape extends z.core.$ZodLooseShape>(definition: {
  op: string;
  path: string;
  /** Reads are POSTs too. */
  mutates?: boolean;
  params: Shape;
  run(params: z.output<z.ZodObject<Shape>>): { body: object; note?: EffectNote };
}): PlaidOperation {
  const { op, path, mutates = false, params, run } = definition;
  return {
    op,
    method: 'POST',
    path,
    mutates,
    params: z.strictObject({ client_id: z.string().optional(), secret: z.string().optional(), ...params }),
    run: ({ params: given, requestId }: VendorRequest<unknown>) => {
      const { body, note } = run(given as z.output<z.ZodObject<Shape>>);
      return { body: { ...body, request_id: requestId }, ...(note && { note }) };
    },
  };
}

/** Throws Plaid's refusal. */
export function readParams(schema: z.ZodType, request: HttpRequest): unknown {
  const given = bodyOf(request);
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') || 'body';
  if (issue?.code === 'unrecognized_keys') {
    throw refusal(
      'UNKNOWN_FIELDS',
      `the following fields are not recognized by this endpoint: ${issue.keys.join(', ')}`,
    );
  }
  if (isMissing(given, issue?.path ?? [])) {
    throw refusal('MISSING_FIELDS', `the following required fields are missing: ${field}`);
  }
  throw refusal('INVALID_FIELD', `${field} is invalid: ${issue?.message}`);
}

export function bodyOf(request: HttpRequest): unknown {
  try {
    return jsonBody(request);
  } catch {
    throw refusal('INVALID_BODY');
  }
}

function isMissing(given: unknown, path: readonly PropertyKey[]): boolean {
  let value = given;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  return value === undefined;
}

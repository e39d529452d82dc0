/**
 * Razorpay's failures in our words. The question each answers: can the request have had its effect? A connection that was
 * never made cannot; whatever else ended without a readable answer may, and is an unknown outcome for a mutation. What
 * other vendors answer with 404 comes as a 400 that says so only in its text.
 * https://razorpay.com/docs/errors/
 */
import { z } from 'zod';
import { type ErrorCode, VendorError } from '../../domain/errors.ts';
import { interruptedCode, wasNeverSent } from '../lost-requests.ts';

/** Maps whatever the SDK threw; `mutates` says whether the request could have changed something at Razorpay. */
export function toVendorError(failure: unknown, { mutates }: { mutates: boolean }): VendorError {
  if (failure instanceof VendorError) return failure;
  const parsed = failedRequest.safeParse(failure);
  // Not Razorpay's answer but a fault on our side or of the SDK, before or after the request: nobody knows.
  if (!parsed.success) {
    const message = failure instanceof Error ? failure.message : 'Razorpay: no readable answer';
    return new VendorError({ code: interruptedCode(mutates), message, cause: failure });
  }
  const { statusCode, error } = parsed.data;
  const description = error.vendor?.description;
  return new VendorError({
    code: codeOf(parsed.data, mutates),
    message: `Razorpay: ${description ?? error.networkCode ?? `status ${statusCode}`}`,
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
  });
}

/** Razorpay said no to these very values, and would again: which field it was about, and its reason as a code. */
export function refusalOf(
  failure: unknown,
): { field: string | null; reason: string; message: string } | null {
  const parsed = failedRequest.safeParse(failure);
  if (!parsed.success || parsed.data.statusCode !== 400) return null;
  if (isUnknownId(parsed.data) || isKeyReused(parsed.data)) return null;
  const { vendor } = parsed.data.error;
  if (vendor?.code !== 'BAD_REQUEST_ERROR') return null;
  return {
    field: vendor.field ?? null,
    reason: vendor.reason && vendor.reason !== 'NA' ? vendor.reason : 'refused_by_vendor',
    message: `Razorpay: ${vendor.description ?? 'refused'}`,
  };
}

const text = z.string().optional().catch(undefined);

/** What connection.ts makes of a failure. */
const failedRequest = z.object({
  statusCode: z.number(),
  error: z.object({
    vendor: z
      .object({ code: text, description: text, field: text, reason: text })
      .optional()
      .catch(undefined),
    networkCode: text,
    retryAfterMs: z.number().optional().catch(undefined),
  }),
});

type Failed = z.output<typeof failedRequest>;

function codeOf(failure: Failed, mutates: boolean): ErrorCode {
  const { statusCode, error } = failure;
  if (wasNeverSent(error.networkCode)) return 'vendor_unavailable';
  if (statusCode === 404 || isUnknownId(failure)) return 'not_found';
  if (statusCode === 429) return 'rate_limited';
  if (isKeyReused(failure)) return 'idempotency_key_reused';
  if (statusCode === 400 && error.vendor === undefined) return interruptedCode(mutates);
  if (statusCode === 400 || statusCode === 401 || statusCode === 403) return 'vendor_rejected_request';
  // 5xx, a 409 while the first request of a key still runs, redirects nobody follows, and connections that broke.
  return interruptedCode(mutates);
}

/** Not a refusal of what was asked for: another request under the key was answered already. */
function isKeyReused({ statusCode, error }: Failed): boolean {
  return statusCode === 400 && /\bsame idempotency key\b/i.test(error.vendor?.description ?? '');
}

function isUnknownId({ statusCode, error }: Failed): boolean {
  return statusCode === 400 && /\bid provided does not exist\b/i.test(error.vendor?.description ?? '');
}

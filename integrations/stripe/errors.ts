/**
 * Stripe's failures in our words. The question each answers: can the request have had its effect? A connection
 * that was never made cannot; a timeout, a reset, a 5xx, an unreadable answer or a key still in flight may, and
 * is an unknown outcome for a mutation; a read may simply be repeated.
 */
import Stripe from 'stripe';
import { type ErrorCode, VendorError } from '../../domain/errors.ts';
import { interruptedCode, wasNeverSent } from '../lost-requests.ts';

/** Maps whatever the SDK threw; `mutates` says whether the request could have changed something at Stripe. */
export function toVendorError(error: unknown, { mutates }: { mutates: boolean }): VendorError {
  if (error instanceof VendorError) return error;
  if (!(error instanceof Stripe.errors.StripeError)) {
    // Not Stripe's answer but a fault on our side, before or after the request: nobody knows.
    const message = error instanceof Error ? error.message : String(error);
    return new VendorError({ code: interruptedCode(mutates), message, cause: error });
  }
  const retryAfterMs = retryAfterMsOf(error);
  return new VendorError({
    code: codeOf(error, mutates),
    message: `Stripe: ${error.message}`,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(error.requestId === undefined ? {} : { vendorRequestId: error.requestId }),
    // The SDK's error carries the whole answer, personal data included: only what happened to the connection stays.
    cause: error instanceof Stripe.errors.StripeConnectionError ? error.detail : undefined,
  });
}

/** The same failure under the code that tells our caller more. */
export function withCode({ message, vendorRequestId }: VendorError, code: ErrorCode): VendorError {
  return new VendorError({ code, message, ...(vendorRequestId === undefined ? {} : { vendorRequestId }) });
}

function codeOf(error: Stripe.errors.StripeError, mutates: boolean): ErrorCode {
  const interrupted = interruptedCode(mutates);
  if (error instanceof Stripe.errors.StripeConnectionError) {
    const { detail } = error;
    const code = detail instanceof Error && 'code' in detail ? detail.code : undefined;
    return wasNeverSent(code) ? 'vendor_unavailable' : interrupted;
  }
  if (error instanceof Stripe.errors.StripeIdempotencyError) return 'idempotency_key_reused';

  switch (error.statusCode) {
    case 402:
      return 'card_declined';
    case 404:
      return 'not_found';
    case 409:
      return interrupted;
    case 429:
      return 'rate_limited';
    case 400:
      return error instanceof Stripe.errors.StripeRateLimitError ? 'rate_limited' : 'vendor_rejected_request';
    case 401:
    case 403:
      return 'vendor_rejected_request';
    default:
      // 5xx, and answers that could not be read, which carry no status.
      return interrupted;
  }
}

/** Stripe names whole seconds. */
function retryAfterMsOf(error: Stripe.errors.StripeError): number | undefined {
  const seconds = Number(error.headers?.['retry-after'] ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

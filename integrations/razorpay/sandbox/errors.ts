/** Razorpay's errors. An id it does not know is a 400 too. https://razorpay.com/docs/errors/ */
import { type VendorAnswer, VendorRefusal } from '../../sandbox/vendor.ts';

export function errorAnswer(
  status: number,
  description: string,
  { code = 'BAD_REQUEST_ERROR', field, reason = 'input_validation_failed' }: ErrorDetails = {},
): VendorAnswer {
  const error = {
    code,
    description,
    source: code === 'SERVER_ERROR' ? 'internal' : 'business',
    step: 'payment_initiation',
    reason,
    metadata: {},
    ...(field !== undefined && { field }),
  };
  return { status, body: { error } };
}

type ErrorDetails = { code?: string; field?: string | undefined; reason?: string };

export function badRequest(description: string, details: ErrorDetails = {}): VendorRefusal {
  return new VendorRefusal(errorAnswer(400, description, details));
}

export function unknownId(): VendorRefusal {
  return badRequest('The id provided does not exist');
}

const serverError =
  'We are facing some trouble completing your request at the moment. Please try again shortly.';

export const razorpayFailures = {
  serverError: () => errorAnswer(500, serverError, { code: 'SERVER_ERROR', reason: 'server_error' }),
  unavailable: () =>
    errorAnswer(503, serverError, { code: 'GATEWAY_ERROR', reason: 'gateway_technical_error' }),
  otherRequestUnderKey: () =>
    errorAnswer(400, 'Different request with the same idempotency key has already been processed.', {
      reason: 'NA',
    }),
  keyInFlight: () =>
    errorAnswer(409, 'A request with the same idempotency key is being processed.', { reason: 'NA' }),
};

export function rateLimited(retryAfterSeconds: number): VendorAnswer {
  return {
    ...errorAnswer(429, 'Request failed. Please try after sometime.', { reason: 'rate_limit_exceeded' }),
    headers: { 'retry-after': String(retryAfterSeconds) },
  };
}

/** Resend's errors. https://resend.com/docs/api-reference/errors */
import type { z } from 'zod';
import type { VendorAnswer } from '../../sandbox/vendor.ts';

export function errorAnswer(statusCode: number, name: string, message: string): VendorAnswer {
  return { status: statusCode, body: { statusCode, name, message } };
}

/** What Resend answers to a body it does not understand. */
export function invalidBody({ issues: [issue] }: z.ZodError): VendorAnswer {
  const field = String(issue?.path[0] ?? '');
  if (issue?.code === 'unrecognized_keys') {
    return errorAnswer(422, 'validation_error', `Unknown field \`${issue.keys[0]}\`.`);
  }
  if (issue?.input === undefined && issue?.code !== 'invalid_format') {
    return errorAnswer(422, 'missing_required_field', `Missing \`${field}\` field.`);
  }
  if (field === 'from') {
    return errorAnswer(422, 'invalid_from_address', 'Invalid `from` field. Use `Name <email@example.com>`.');
  }
  return errorAnswer(422, 'validation_error', `Invalid \`${field}\` field.`);
}

export const resendFailures = {
  serverError: () => errorAnswer(500, 'internal_server_error', 'An unexpected error occurred.'),
  unavailable: () => errorAnswer(503, 'application_error', 'An unexpected error occurred.'),
  otherRequestUnderKey: () =>
    errorAnswer(
      409,
      'invalid_idempotent_request',
      'This idempotency key has been used on a request with a different payload.',
    ),
  keyInFlight: () =>
    errorAnswer(
      409,
      'concurrent_idempotent_requests',
      'Another request with this idempotency key is in progress.',
    ),
};

export function rateLimited(retryAfterSeconds: number): VendorAnswer {
  return {
    ...errorAnswer(429, 'rate_limit_exceeded', 'Too many requests. Slow down.'),
    headers: { 'retry-after': String(retryAfterSeconds) },
  };
}

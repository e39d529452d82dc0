import { expect, it } from 'vitest';
import { toVendorError } from './errors.ts';

it.each([
  ['application_error', null, 'outcome_unknown'],
  ['internal_server_error', 500, 'outcome_unknown'],
  ['application_error', 503, 'outcome_unknown'],
  ['concurrent_idempotent_requests', 409, 'outcome_unknown'],
  ['invalid_idempotent_request', 409, 'idempotency_key_reused'],
  ['rate_limit_exceeded', 429, 'rate_limited'],
  ['daily_quota_exceeded', 429, 'rate_limited'],
  ['missing_api_key', 401, 'vendor_rejected_request'],
  ['invalid_api_key', 403, 'vendor_rejected_request'],
  ['validation_error', 422, 'vendor_rejected_request'],
  ['invalid_from_address', 422, 'vendor_rejected_request'],
] as const)('%s with status %s is %s', (name, statusCode, code) => {
  expect(toVendorError({ name, statusCode, message: 'said Resend' }, null).code).toBe(code);
});

it('carries how long to wait', () => {
  const error = { name: 'rate_limit_exceeded', statusCode: 429, message: 'slow down' } as const;
  expect(toVendorError(error, { 'retry-after': '3' }).retryAfterMs).toBe(3_000);
});

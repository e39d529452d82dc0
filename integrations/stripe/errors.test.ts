import Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import { VendorError } from '../../domain/errors.ts';
import { toVendorError } from './errors.ts';

function connectionError(code: string): unknown {
  return new Stripe.errors.StripeConnectionError({
    message: 'connection',
    detail: Object.assign(new Error(code), { code }),
  } as never);
}

function apiError(statusCode: number, type = 'api_error', more: object = {}): unknown {
  return Stripe.errors.generateV1Error({ statusCode, type, message: 'said Stripe', ...more } as never);
}

const cases: [name: string, error: unknown, mutation: string, read: string][] = [
  ['a refused connection', connectionError('ECONNREFUSED'), 'vendor_unavailable', 'vendor_unavailable'],
  ['an unknown host', connectionError('ENOTFOUND'), 'vendor_unavailable', 'vendor_unavailable'],
  ['a timeout', connectionError('ETIMEDOUT'), 'outcome_unknown', 'vendor_unavailable'],
  ['a reset', connectionError('ECONNRESET'), 'outcome_unknown', 'vendor_unavailable'],
  ['a 500', apiError(500), 'outcome_unknown', 'vendor_unavailable'],
  ['a 503', apiError(503), 'outcome_unknown', 'vendor_unavailable'],
  [
    'an unreadable answer',
    new Stripe.errors.StripeAPIError({ message: 'Invalid JSON' } as never),
    'outcome_unknown',
    'vendor_unavailable',
  ],
  ['a key in flight', apiError(409, 'idempotency_error'), 'outcome_unknown', 'vendor_unavailable'],
  [
    'a key used for something else',
    apiError(400, 'idempotency_error'),
    'idempotency_key_reused',
    'idempotency_key_reused',
  ],
  ['a 429', apiError(429, 'invalid_request_error'), 'rate_limited', 'rate_limited'],
  [
    'a rate limit told as 400',
    apiError(400, 'invalid_request_error', { code: 'rate_limit' }),
    'rate_limited',
    'rate_limited',
  ],
  ['a 400', apiError(400, 'invalid_request_error'), 'vendor_rejected_request', 'vendor_rejected_request'],
  ['a 401', apiError(401), 'vendor_rejected_request', 'vendor_rejected_request'],
  ['a 403', apiError(403), 'vendor_rejected_request', 'vendor_rejected_request'],
  ['a 404', apiError(404, 'invalid_request_error'), 'not_found', 'not_found'],
  ['a decline', apiError(402, 'card_error'), 'card_declined', 'card_declined'],
  [
    "a fault of the SDK's own",
    new TypeError('undefined is not a function'),
    'outcome_unknown',
    'vendor_unavailable',
  ],
];

describe('a failure of Stripe', () => {
  it.each(cases)('%s says whether it may have had its effect', (_, error, mutation, read) => {
    expect(toVendorError(error, { mutates: true }).code).toBe(mutation);
    expect(toVendorError(error, { mutates: false }).code).toBe(read);
  });

  it('carries how long to wait and which request it was', () => {
    const error = apiError(429, 'invalid_request_error', {
      headers: { 'retry-after': '7' },
      requestId: 'req_1',
    });
    expect(toVendorError(error, { mutates: true })).toMatchObject({
      retryAfterMs: 7_000,
      vendorRequestId: 'req_1',
    });
  });

  it('stays what it is when it has been mapped already', () => {
    const error = new VendorError({ code: 'not_found', message: 'gone' });
    expect(toVendorError(error, { mutates: true })).toBe(error);
  });
});

import { describe, expect, it } from 'vitest';
import { VendorError } from '../../domain/errors.ts';
import { refusalOf, toVendorError } from './errors.ts';

const answered = (statusCode: number, vendor?: object, more: object = {}) => ({
  statusCode,
  error: { ...(vendor !== undefined && { vendor }), ...more },
});
const said = (description: string, more: object = {}) => ({
  code: 'BAD_REQUEST_ERROR',
  description,
  ...more,
});
const network = (networkCode: string) => answered(0, undefined, { networkCode });

const cases: [name: string, failure: unknown, mutation: string, read: string][] = [
  ['a refused connection', network('ECONNREFUSED'), 'vendor_unavailable', 'vendor_unavailable'],
  ['an unknown host', network('ENOTFOUND'), 'vendor_unavailable', 'vendor_unavailable'],
  ['a timeout', network('ECONNABORTED'), 'outcome_unknown', 'vendor_unavailable'],
  ['a reset', network('ECONNRESET'), 'outcome_unknown', 'vendor_unavailable'],
  ['a 500', answered(500, said('trouble')), 'outcome_unknown', 'vendor_unavailable'],
  ['a 502 of a proxy, as a page', answered(502), 'outcome_unknown', 'vendor_unavailable'],
  ['a 400 of a proxy, as a page', answered(400), 'outcome_unknown', 'vendor_unavailable'],
  ['a redirect', answered(302), 'outcome_unknown', 'vendor_unavailable'],
  ['a 429', answered(429, said('slow down')), 'rate_limited', 'rate_limited'],
  [
    'a 400',
    answered(400, said('The amount is invalid')),
    'vendor_rejected_request',
    'vendor_rejected_request',
  ],
  [
    'a 401',
    answered(401, said('Authentication failed')),
    'vendor_rejected_request',
    'vendor_rejected_request',
  ],
  [
    'a 409, while the first request of its key still runs',
    answered(409, said('A request with the same idempotency key is being processed.')),
    'outcome_unknown',
    'vendor_unavailable',
  ],
  [
    'another request under its key',
    answered(400, said('Different request with the same idempotency key has already been processed.')),
    'idempotency_key_reused',
    'idempotency_key_reused',
  ],
  ['an id it does not know', answered(400, said('The id provided does not exist')), 'not_found', 'not_found'],
  ['a 404', answered(404, said('not found')), 'not_found', 'not_found'],
  [
    "the SDK's own TypeError, where a connection failed",
    new TypeError("Cannot read properties of undefined (reading 'status')"),
    'outcome_unknown',
    'vendor_unavailable',
  ],
  [
    'the plain object of an unpatched SDK',
    { statusCode: 500, error: undefined },
    'outcome_unknown',
    'vendor_unavailable',
  ],
  ['nothing at all', undefined, 'outcome_unknown', 'vendor_unavailable'],
];

describe('a failure of Razorpay', () => {
  it.each(cases)('%s says whether it may have had its effect', (_, failure, mutation, read) => {
    expect(toVendorError(failure, { mutates: true }).code).toBe(mutation);
    expect(toVendorError(failure, { mutates: false }).code).toBe(read);
  });

  it('keeps how long to wait, and the vendor’s words', () => {
    const failure = answered(429, said('Too many'), { retryAfterMs: 7_000 });
    expect(toVendorError(failure, { mutates: true })).toMatchObject({
      retryAfterMs: 7_000,
      message: 'Razorpay: Too many',
    });
  });

  it('that is one of ours already stays as it is', () => {
    const ours = new VendorError({ code: 'rate_limited', message: 'x' });
    expect(toVendorError(ours, { mutates: true })).toBe(ours);
  });
});

describe('a refusal', () => {
  it('names the field and the reason', () => {
    const failure = answered(
      400,
      said('The amount is too low', { field: 'amount', reason: 'input_validation_failed' }),
    );
    expect(refusalOf(failure)).toEqual({
      field: 'amount',
      reason: 'input_validation_failed',
      message: 'Razorpay: The amount is too low',
    });
  });

  it.each([
    ['an outage', answered(500, said('trouble'))],
    ['wrong credentials', answered(401, said('Authentication failed'))],
    ['an unknown id', answered(400, said('The id provided does not exist'))],
    [
      'another request under its key',
      answered(400, said('Different request with the same idempotency key …')),
    ],
    ['a page of a proxy', answered(400)],
    ['a gateway that failed', answered(400, { code: 'GATEWAY_ERROR', description: 'down' })],
    ['a lost connection', network('ECONNRESET')],
  ])('is not %s', (_, failure) => {
    expect(refusalOf(failure)).toBeNull();
  });
});

/** Error codes say what the caller should do; they cross Temporal and HTTP, so they never change silently. */
import { describe, expect, it } from 'vitest';
import { assertNever, DomainError, errorCodes, VendorError } from './errors.ts';

describe('error codes', () => {
  it('only failures that another try can help are retryable', () => {
    const retryable = Object.entries(errorCodes).filter(([, code]) => code.retryable);
    expect(retryable.map(([name]) => name)).toEqual([
      'rate_limited',
      'vendor_unavailable',
      'outcome_unknown',
      'tax_not_calculated',
    ]);
  });

  it('keeps the full list stable', () => {
    expect(Object.keys(errorCodes).sort()).toEqual([
      'authentication_required',
      'card_declined',
      'idempotency_key_reused',
      'not_found',
      'outcome_unknown',
      'payment_method_invalid',
      'payment_method_missing',
      'rate_limited',
      'state_conflict',
      'tax_location_invalid',
      'tax_not_calculated',
      'vendor_rejected_request',
      'vendor_unavailable',
    ]);
  });
});

describe('DomainError', () => {
  it('carries a code, a stable reason and a sentence', () => {
    const error = new DomainError({
      code: 'state_conflict',
      reason: 'already_cancelled',
      message: 'It has ended.',
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'DomainError',
      code: 'state_conflict',
      reason: 'already_cancelled',
      message: 'It has ended.',
    });
  });
});

describe('VendorError', () => {
  it("carries the vendor's delay, request id and cause", () => {
    const cause = new Error('429');
    const error = new VendorError({
      code: 'rate_limited',
      message: 'Slow down.',
      retryAfterMs: 2_000,
      vendorRequestId: 'req_1',
      cause,
    });
    expect(error).toMatchObject({
      name: 'VendorError',
      code: 'rate_limited',
      message: 'Slow down.',
      retryAfterMs: 2_000,
      vendorRequestId: 'req_1',
      cause,
    });
  });

  it('needs only a code and a sentence', () => {
    const error = new VendorError({ code: 'vendor_unavailable', message: 'Down.' });
    expect(error.retryAfterMs).toBeUndefined();
    expect(error.vendorRequestId).toBeUndefined();
    expect(error.cause).toBeUndefined();
  });
});

describe('assertNever', () => {
  it('names the value that no branch expected', () => {
    expect(() => assertNever({ kind: 'surprise' } as never)).toThrow('Unexpected value: {"kind":"surprise"}');
  });
});

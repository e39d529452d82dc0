import { describe, expect, it } from 'vitest';
import {
  businessStatus,
  type CheckoutStatus,
  checkoutKey,
  commerceStatus,
  furthest,
  isBusinessId,
  isCheckoutId,
  isCheckoutUnderWay,
  type KnownCheckoutStatus,
  minorOf,
  nextLookAt,
} from './coinbase-checkout.ts';

describe('a status', () => {
  it.each([
    ['ACTIVE', 'active'],
    ['PROCESSING', 'processing'],
    ['COMPLETED', 'completed'],
    ['REFUNDED', 'completed'],
    ['PARTIALLY_REFUNDED', 'completed'],
    ['DEACTIVATED', 'deactivated'],
    ['EXPIRED', 'expired'],
    ['FAILED', 'failed'],
    ['active', null],
    ['', null],
  ])('%s of Coinbase Business is %s', (word, status) => {
    expect(businessStatus(word)).toBe(status);
  });

  it.each([
    ['NEW', 'active'],
    ['SIGNED', 'processing'],
    ['PENDING', 'processing'],
    ['COMPLETED', 'completed'],
    ['RESOLVED', 'completed'],
    ['UNRESOLVED', 'completed'],
    ['CANCELED', 'deactivated'],
    ['EXPIRED', 'expired'],
    ['FAILED', 'failed'],
    ['REFUND PENDING', null],
  ])('%s of Coinbase Commerce is %s', (word, status) => {
    expect(commerceStatus(word)).toBe(status);
  });

  it('only moves forward: an end stays, and only money that comes after all moves it on', () => {
    const ways: [KnownCheckoutStatus, CheckoutStatus, KnownCheckoutStatus][] = [
      ['creating', 'active', 'active'],
      ['active', 'processing', 'processing'],
      ['processing', 'active', 'processing'],
      ['processing', 'failed', 'failed'],
      ['expired', 'active', 'expired'],
      ['expired', 'processing', 'expired'],
      ['expired', 'failed', 'expired'],
      ['deactivated', 'expired', 'deactivated'],
      ['expired', 'completed', 'completed'],
      ['refused', 'completed', 'completed'],
      ['completed', 'expired', 'completed'],
      ['completed', 'failed', 'completed'],
    ];
    for (const [known, seen, expected] of ways) {
      expect(furthest(known, seen), `${known}, then ${seen}`).toBe(expected);
    }
  });
});

describe('an amount', () => {
  it.each([
    ['100.50', 'USD', 10050],
    ['100.5', 'USD', 10050],
    ['100', 'USD', 10000],
    ['0.07', 'USD', 7],
    ['29.009999', 'USD', 2900],
    ['0.009', 'USD', 0],
    ['1.1', 'JPY', 1],
    ['1.234', 'KWD', 1234],
    // As a float 4.35 times a hundred is 434.99999999999994.
    ['4.35', 'USD', 435],
  ])('%s %s is %d minor units, exactly', (amount, currency, amountMinor) => {
    expect(minorOf(amount, currency)).toEqual({ amountMinor, currency });
  });

  it.each(['', '-1', '1e3', '1,5', '.5', '5.', ' 5', '0x10', '9999999999999999'])('%j is none', (amount) => {
    expect(() => minorOf(amount, 'USD')).toThrow(RangeError);
  });
});

describe('the idempotency key', () => {
  const id = 'cbc_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b';

  it('is a UUID of version 4, made of our id alone', () => {
    expect(checkoutKey(id)).toBe('0198f1c0-7b2a-4c6e-9d3b-5a4f2e1d0c9b');
    expect(checkoutKey(id)).toBe(checkoutKey(id));
  });

  it.each(['rzo_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b', 'cbc_1', '', 7, null])('is not made of %j', (other) => {
    expect(isCheckoutId(other)).toBe(false);
    expect(() => checkoutKey(String(other))).toThrow(RangeError);
  });
});

it('tells payments of Coinbase Business from those of Commerce by their ids', () => {
  expect(isBusinessId('68f7a946db0529ea9b6d3a12')).toBe(true);
  expect(isBusinessId('2aee9dd1-67b8-43ef-8dfe-977959850f27:0xabc')).toBe(false);
});

describe('the next look', () => {
  const expiresAt = '2026-03-02T10:00:00.000Z';
  const look = (status: KnownCheckoutStatus, now: string) => nextLookAt({ status, expiresAt }, now);

  it.each([
    ['active', '2026-03-01T10:00:00.000Z', '2026-03-02T10:01:00.000Z'],
    ['active', '2026-03-02T10:01:00.000Z', '2026-03-02T11:01:00.000Z'],
    ['processing', '2026-03-01T10:00:00.000Z', '2026-03-01T11:00:00.000Z'],
    ['expired', '2026-03-02T10:01:00.000Z', '2026-03-05T10:00:00.000Z'],
    ['failed', '2026-03-01T10:00:00.000Z', '2026-03-05T10:00:00.000Z'],
    ['processing', '2026-03-05T09:30:00.000Z', '2026-03-05T10:00:00.000Z'],
    ['active', '2026-03-05T10:00:00.000Z', null],
    ['expired', '2026-03-05T10:00:00.000Z', null],
    ['completed', '2026-03-01T10:00:00.000Z', null],
    ['refused', '2026-03-01T10:00:00.000Z', null],
    ['creating', '2026-03-01T10:00:00.000Z', null],
  ] as const)('at one that is %s at %s is at %s', (status, now, at) => {
    expect(look(status, now)).toBe(at);
  });
});

it('a payment is under way while it is processing, for three days at most', () => {
  const processingAt = '2026-03-01T10:00:00.000Z';
  const at = (status: KnownCheckoutStatus, now: string) => isCheckoutUnderWay({ status, processingAt }, now);
  expect(at('processing', '2026-03-01T10:00:00.000Z')).toBe(true);
  expect(at('processing', '2026-03-04T09:59:59.999Z')).toBe(true);
  expect(at('processing', '2026-03-04T10:00:00.000Z')).toBe(false);
  expect(at('active', '2026-03-01T10:00:00.000Z')).toBe(false);
  expect(isCheckoutUnderWay({ status: 'processing', processingAt: null }, processingAt)).toBe(false);
});

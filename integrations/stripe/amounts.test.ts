import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { currencies, exponentOf, money } from '../../domain/money.ts';
import { fromStripeAmount, toStripeAmount } from './amounts.ts';

describe("Stripe's amounts", () => {
  it.each([
    ['USD 5.00', money(500, 'USD'), { amount: 500, currency: 'usd' }],
    ['JPY 500', money(500, 'JPY'), { amount: 500, currency: 'jpy' }],
    ['ISK 5, which Stripe counts with two decimals', money(5, 'ISK'), { amount: 500, currency: 'isk' }],
    ['KWD 5.120', money(5120, 'KWD'), { amount: 5120, currency: 'kwd' }],
    ['KWD 5.130', money(5130, 'KWD'), { amount: 5130, currency: 'kwd' }],
    ['MGA 5.00, which Stripe counts without decimals', money(500, 'MGA'), { amount: 5, currency: 'mga' }],
    ['HUF 12.34, whole only in payouts', money(1234, 'HUF'), { amount: 1234, currency: 'huf' }],
  ])('carries %s exactly, there and back', (_, ours, stripes) => {
    expect(toStripeAmount(ours)).toEqual(stripes);
    expect(fromStripeAmount(stripes)).toEqual(ours);
  });

  it.each([
    ['KWD 5.124 does not end in 0', money(5124, 'KWD')],
    ['MGA 5.01 has decimals Stripe lacks', money(501, 'MGA')],
    ['UGX has not been verified', money(500, 'UGX')],
    ['Stripe does not document LYD', money(500, 'LYD')],
  ])('refuses instead of rounding: %s', (_, value) => {
    expect(() => toStripeAmount(value)).toThrow(expect.objectContaining({ code: 'vendor_rejected_request' }));
  });

  it('refuses krónur with decimals coming from Stripe', () => {
    expect(() => fromStripeAmount({ amount: 550, currency: 'isk' })).toThrow(
      expect.objectContaining({ code: 'vendor_rejected_request' }),
    );
  });

  it('gives every amount back unchanged, or refuses it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...currencies),
        fc.integer({ min: 1, max: 1_000_000 }),
        (currency, amount) => {
          const value = money(amount, currency);
          try {
            expect(fromStripeAmount(toStripeAmount(value))).toEqual(value);
          } catch (error) {
            expect(error).toMatchObject({ code: 'vendor_rejected_request' });
          }
        },
      ),
    );
  });

  it('carries every whole amount of the currencies Stripe documents', () => {
    const undocumented = new Set(['UGX', 'UYI', 'IQD', 'LYD']);
    for (const currency of currencies.filter((code) => !undocumented.has(code))) {
      const tenWhole = money(10 * 10 ** exponentOf(currency), currency);
      expect(fromStripeAmount(toStripeAmount(tenWhole))).toEqual(tenWhole);
    }
  });
});

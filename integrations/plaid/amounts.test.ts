import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { currencies, decimalOf, exponentOf } from '../../domain/money.ts';
import { readAmount } from './amounts.ts';

describe('an amount of Plaid', () => {
  it.each([
    ['-499', 'USD', 49_900],
    ['-499.0', 'USD', 49_900],
    ['-499.00000', 'USD', 49_900],
    ['499', 'USD', -49_900],
    ['72.1', 'USD', -7_210],
    ['-0.29', 'USD', 29],
    ['-1.15', 'USD', 115],
    ['-70368744177664.01', 'USD', 7_036_874_417_766_401],
    ['-500', 'JPY', 500],
    ['-5.124', 'KWD', 5_124],
    ['-1.5e3', 'USD', 150_000],
    ['-15E-1', 'USD', 150],
    ['-15e+1', 'JPY', 150],
    ['0', 'USD', 0],
    ['-0', 'USD', 0],
    ['-0.00', 'USD', 0],
    ['0e5', 'USD', 0],
  ])('%s %s is %i: money in is positive', (amount, currency, amountMinor) => {
    expect(readAmount(amount, currency)).toEqual({ amountMinor, roundedFrom: null });
  });

  it.each([
    ['-1.005', 'USD', 100, '1.005'],
    ['-1.015', 'USD', 102, '1.015'],
    ['-1.025', 'USD', 102, '1.025'],
    ['-1.0250000000000001', 'USD', 103, '1.0250000000000001'],
    ['1.015', 'USD', -102, '-1.015'],
    ['-0.005', 'USD', 0, '0.005'],
    ['0.005', 'USD', 0, '-0.005'],
    ['-0.5', 'JPY', 0, '0.5'],
    ['-1.5', 'JPY', 2, '1.5'],
    ['-499.00000000000006', 'USD', 49_900, '499.00000000000006'],
    ['-1e-3', 'USD', 0, '0.001'],
  ])(
    '%s %s with digits to spare is rounded half to even, and says what it was',
    (amount, currency, amountMinor, roundedFrom) => {
      expect(readAmount(amount, currency)).toEqual({ amountMinor, roundedFrom });
    },
  );

  it.each([
    ['1', 'BTC', 'currency_unknown'],
    ['1', '', 'currency_unknown'],
    ['1', 'usd', 'currency_unknown'],
    ['90071992547409.92', 'USD', 'amount_too_large'],
    ['1e400', 'USD', 'amount_too_large'],
    ['1e999999999', 'USD', 'amount_too_large'],
    ['1e-999999999', 'USD', 'amount_too_large'],
    [`1${'0'.repeat(1_000)}`, 'USD', 'amount_too_large'],
  ])('%s %s cannot be kept and says why', (amount, currency, unreadable) => {
    expect(readAmount(amount, currency)).toEqual({ unreadable });
  });

  it.each(['', '-', '1,5', '.5', '5.', '+1', '0x10', 'NaN', '1 ', '--1', 'Infinity'])(
    '%j is no number',
    (amount) => {
      expect(() => readAmount(amount, 'USD')).toThrow(RangeError);
    },
  );

  it('is what was meant, for every amount of every currency', () => {
    const cases = fc.record({
      currency: fc.constantFrom(...currencies),
      amountMinor: fc.integer({ min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
    });
    fc.assert(
      fc.property(cases, (money) => {
        const told = decimalOf({ ...money, amountMinor: money.amountMinor === 0 ? 0 : -money.amountMinor });
        const { amountMinor } = readAmount(told, money.currency) as { amountMinor: number };
        expect(amountMinor).toBe(money.amountMinor);
      }),
    );
  });

  it('is never further from what was told than half of the smallest unit', () => {
    const cases = fc.record({
      currency: fc.constantFrom('USD', 'JPY', 'KWD'),
      whole: fc.integer({ min: 0, max: 1_000_000 }),
      fraction: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 12 }),
    });
    fc.assert(
      fc.property(cases, ({ currency, whole, fraction }) => {
        const digits = fraction.join('');
        const read = readAmount(`-${whole}.${digits}`, currency) as { amountMinor: number };
        const scale = 10n ** BigInt(digits.length);
        const exact = BigInt(`${whole}${digits}`) * 10n ** BigInt(exponentOf(currency));
        const off = BigInt(read.amountMinor) * scale - exact;
        expect((off < 0n ? -off : off) * 2n <= scale).toBe(true);
      }),
    );
  });
});

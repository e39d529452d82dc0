/** Money stays exact: integers only, one currency at a time, the right number of decimals for people. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { add, currencies, exponentOf, formatMoney, isCurrency, money, subtract } from './money.ts';

const runs = { numRuns: 1_000 };
const currency = fc.constantFrom(...currencies);
const halfRange = Math.floor(Number.MAX_SAFE_INTEGER / 2);
const amount = fc.integer({ min: -halfRange, max: halfRange });

describe('the currency table', () => {
  it.each([
    ['JPY', 0],
    ['ISK', 0],
    ['KRW', 0],
    ['UGX', 0],
    ['XOF', 0],
    ['USD', 2],
    ['EUR', 2],
    ['INR', 2],
    ['HUF', 2],
    ['TWD', 2],
    ['MGA', 2],
    ['KWD', 3],
    ['BHD', 3],
    ['JOD', 3],
    ['OMR', 3],
    ['TND', 3],
  ])('%s has %i decimals', (code, exponent) => {
    expect(exponentOf(code)).toBe(exponent);
  });

  it('lists every currency once, in order, as three capital letters', () => {
    expect(currencies).toEqual([...new Set(currencies)].sort());
    expect(currencies.filter((code) => !/^[A-Z]{3}$/.test(code))).toEqual([]);
    expect(currencies.length).toBeGreaterThan(140);
  });

  it('knows exactly the currencies of the list', () => {
    expect(currencies.every(isCurrency)).toBe(true);
    for (const code of ['usd', 'XXX', '', 'US', 'constructor']) {
      expect(isCurrency(code)).toBe(false);
      expect(() => exponentOf(code)).toThrow(`Unknown currency ${code}`);
    }
  });
});

describe('money', () => {
  it.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER + 1])(
    'refuses %d minor units',
    (bad) => {
      expect(() => money(bad, 'USD')).toThrow('Not an integer number of minor units');
    },
  );

  it('refuses a currency it does not know', () => {
    expect(() => money(1, 'usd')).toThrow('Unknown currency usd');
  });

  it('refuses a sum that would no longer be exact', () => {
    expect(() => add(money(Number.MAX_SAFE_INTEGER, 'USD'), money(1, 'USD'))).toThrow(RangeError);
    expect(() => subtract(money(Number.MIN_SAFE_INTEGER, 'USD'), money(1, 'USD'))).toThrow(RangeError);
  });

  it('never combines two currencies', () => {
    expect(() => add(money(1, 'USD'), money(1, 'EUR'))).toThrow('Cannot combine USD with EUR');
    expect(() => subtract(money(1, 'USD'), money(1, 'EUR'))).toThrow('Cannot combine USD with EUR');
  });

  it('adds and subtracts exactly, whatever the amounts', () => {
    fc.assert(
      fc.property(amount, amount, currency, (a, b, code) => {
        const sum = add(money(a, code), money(b, code));
        expect(BigInt(sum.amountMinor)).toBe(BigInt(a) + BigInt(b));
        expect(sum.currency).toBe(code);
        expect(BigInt(subtract(money(a, code), money(b, code)).amountMinor)).toBe(BigInt(a) - BigInt(b));
        expect(subtract(sum, money(b, code)).amountMinor).toBe(a);
      }),
      runs,
    );
  });
});

describe('formatMoney', () => {
  it.each([
    [2900, 'USD', 'USD 29.00'],
    [500, 'USD', 'USD 5.00'],
    [5, 'USD', 'USD 0.05'],
    [0, 'USD', 'USD 0.00'],
    [-1931, 'EUR', '-EUR 19.31'],
    [500, 'JPY', 'JPY 500'],
    [0, 'JPY', 'JPY 0'],
    [5, 'ISK', 'ISK 5'],
    [5124, 'KWD', 'KWD 5.124'],
    [-5124, 'KWD', '-KWD 5.124'],
    [7, 'KWD', 'KWD 0.007'],
    [Number.MAX_SAFE_INTEGER, 'USD', 'USD 90071992547409.91'],
  ])('%i minor units of %s read %s', (amountMinor, code, words) => {
    expect(formatMoney({ amountMinor, currency: code })).toBe(words);
  });

  it('loses nothing: the amount can be read back from the words', () => {
    fc.assert(
      fc.property(amount, currency, (amountMinor, code) => {
        const words = formatMoney({ amountMinor, currency: code });
        const [, sign, readCode, whole, fraction = ''] =
          /^(-?)([A-Z]{3}) (\d+)(?:\.(\d+))?$/.exec(words) ?? [];
        expect(readCode).toBe(code);
        expect(fraction).toHaveLength(exponentOf(code));
        expect(BigInt(`${sign}${whole}${fraction}`)).toBe(BigInt(amountMinor));
      }),
      runs,
    );
  });
});

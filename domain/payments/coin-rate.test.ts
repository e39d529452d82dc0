/** Rates as markets write them, kept to the last digit. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareRates, fractionOfRate, isCoinRate, medianRate, readCoinRate } from './coin-rate.ts';

describe('a number that a market wrote', () => {
  it.each([
    ['67012.345', '67012.345'],
    ['67012.3450', '67012.345'],
    ['67012.00000', '67012'],
    ['067012', '67012'],
    ['0.99985', '0.99985'],
    ['6.7e4', '67000'],
    ['6.70123E+4', '67012.3'],
    ['1e-7', '0.0000001'],
    ['12.5e-1', '1.25'],
    ['1.23456789012345678901', '1.23456789012345678901'],
    [' 1 ', '1'],
    ['5.', '5'],
  ])('%s is %s', (literal, rate) => {
    expect(readCoinRate(literal)).toBe(rate);
  });

  it.each([
    'NaN',
    'Infinity',
    '',
    '-1',
    '0',
    '0.000',
    '0e5',
    '1,5',
    '0x10',
    'null',
    '1e99',
    '1e-99',
    '.',
    '.5',
    '1e1000',
  ])('%s is no rate', (literal) => {
    expect(readCoinRate(literal)).toBeNull();
  });

  it('keeps every digit of any decimal', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 25n), fc.integer({ min: 0, max: 20 }), (digits, places) => {
        const rate = readCoinRate(`${digits}e-${places}`) ?? '';
        const { numerator, denominator } = fractionOfRate(rate);
        expect(numerator * 10n ** BigInt(places)).toBe(digits * denominator);
      }),
    );
  });
});

it('a rate is a plain decimal above 0', () => {
  expect(['1', '0.5', '00.5'].map(isCoinRate)).toEqual([true, true, true]);
  expect(['0', '0.0', '-1', '1e3', '1.', 'NaN', ''].map(isCoinRate)).not.toContain(true);
  expect(() => fractionOfRate('NaN')).toThrow(RangeError);
});

it('rates are compared as numbers, not as text', () => {
  expect(compareRates('9', '10')).toBe(-1);
  expect(compareRates('10.50', '10.5')).toBe(0);
  expect(compareRates('10.51', '10.5')).toBe(1);
});

describe('the median', () => {
  it.each([
    [['5'], '5'],
    [['9', '10', '100'], '10'],
    [['67000.1', '67000.2'], '67000.15'],
    [['1', '2'], '1.5'],
    [['1', '3'], '2'],
    [['0.1', '0.12345'], '0.111725'],
    [['4', '1', '3', '2'], '2.5'],
    [['10.50', '10.5'], '10.5'],
  ])('of %j is %s', (rates, median) => {
    expect(medianRate(rates)).toBe(median);
  });

  it('of none is refused', () => {
    expect(() => medianRate([])).toThrow(RangeError);
  });

  it('of two has the same distance to both, exactly', () => {
    const rates = fc
      .tuple(fc.bigInt(1n, 10n ** 20n), fc.integer({ min: 0, max: 18 }))
      .map(([digits, places]) => readCoinRate(`${digits}e-${places}`) ?? '');
    fc.assert(
      fc.property(rates, rates, (a, b) => {
        const [left, right, middle] = [a, b, medianRate([a, b])].map(fractionOfRate);
        if (!left || !right || !middle) throw new Error('three rates');
        const [l, r] = [left.numerator * right.denominator, right.numerator * left.denominator];
        expect(2n * middle.numerator * left.denominator * right.denominator).toBe(
          (l + r) * middle.denominator,
        );
      }),
    );
  });
});

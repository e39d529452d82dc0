import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { money } from '../money.ts';
import { exchanged, foreignInWords, isWithin, nextPart } from './foreign-payment.ts';

const day = '2026-03-05';
const at = (rate: string, base = 'GBP') => ({
  base,
  quote: 'USD',
  day,
  legs: [{ base, quote: 'USD', rate, source: 'ecb' }],
});

describe('money in another currency', () => {
  it.each([
    ['W16: 2.01 % below is in full', 38_500, '1.27', 49_900, 48_895, 49_900],
    ['as much above is in full too', 38_500, '1.33', 49_900, 51_205, 49_900],
    ['exactly what is due', 10_000, '1', 10_000, 10_000, 10_000],
    ['5 % below is in full', 9500, '1', 10_000, 9500, 10_000],
    ['a unit more than 5 % below is a part', 9499, '1', 10_000, 9499, 9499],
    ['5 % above is in full', 10_500, '1', 10_000, 10_500, 10_000],
    ['a unit more than 5 % above is over', 10_501, '1', 10_000, 10_501, 10_501],
    ['5 % of what no unit divides is not rounded up', 9, '1', 10, 9, 9],
    ['nothing is due: all of it counts', 100, '1', 0, 100, 100],
  ])('%s', (_name, receivedMinor, rate, dueMinor, convertedMinor, settledMinor) => {
    expect(exchanged(money(receivedMinor, 'GBP'), { rate: at(rate), duesMinor: [dueMinor] })).toMatchObject({
      received: money(receivedMinor, 'GBP'),
      converted: money(convertedMinor, 'USD'),
      settled: money(settledMinor, 'USD'),
    });
  });

  it.each([
    ['one of them', 2850, 2900],
    ['two of them', 5700, 5800],
    ['the nearest where it is near to two', 10_400, 10_300],
    ['none', 4000, 4000],
    ['more than all', 20_000, 20_000],
  ])(
    'for several invoices is compared with the oldest ones together: %s',
    (_name, receivedMinor, settledMinor) => {
      const duesMinor = [2900, 5800, 10_300, 10_900];
      expect(exchanged(money(receivedMinor, 'GBP'), { rate: at('1'), duesMinor }).settled).toEqual(
        money(settledMinor, 'USD'),
      );
    },
  );

  it.each([
    ['less than a unit', 1, '0.1'],
    ['more than can be counted', 999_999_999_999, '2'],
    ['more than an integer holds', 999_999_999_999, '999999999999'],
  ])('that comes to %s is refused', (_name, receivedMinor, rate) => {
    const foreign = () => exchanged(money(receivedMinor, 'GBP'), { rate: at(rate), duesMinor: [100] });
    expect(foreign).toThrow(expect.objectContaining({ reason: 'exchange_rate_unusable' }));
  });

  it('is told with what it comes to and why', () => {
    const foreign = exchanged(money(38_500, 'GBP'), { rate: at('1.27'), duesMinor: [49_900] });
    expect(foreignInWords(foreign)).toBe('GBP 385.00 (USD 488.95 at 1.27, ecb 2026-03-05)');
  });
});

describe('parts', () => {
  it('of a total are that total together, however it is cut, and none is below zero', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.nat({ max: 1_000_000_000 }), cuts, (totalMinor, shares) => {
        const wholeMinor = shares.reduce((sum, share) => sum + share, 0);
        let beforeMinor = 0;
        let given = 0;
        for (const shareMinor of shares) {
          const part = nextPart(totalMinor, { wholeMinor, beforeMinor, shareMinor });
          expect(part).toBeGreaterThanOrEqual(0);
          given += part;
          beforeMinor += shareMinor;
        }
        expect(given).toBe(totalMinor);
      }),
    );
  });
});

describe('what is off by so much', () => {
  it.each([
    [9500, 10_000, 500, true],
    [9499, 10_000, 500, false],
    [10_500, 10_000, 500, true],
    [10_501, 10_000, 500, false],
    [1, 1, 0, true],
    [19, 20, 500, true],
    [18, 19, 500, false],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 0, false],
  ])('%i of %i within %i: %s', (amount, due, bps, expected) => {
    expect(isWithin(amount, due, bps)).toBe(expected);
  });
});

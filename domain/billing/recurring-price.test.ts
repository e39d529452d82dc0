import { describe, expect, it } from 'vitest';
import type { BillingInterval } from '../calendar.ts';
import { compareMonthly, isBillable, isSameInterval, priceOf } from './recurring-price.ts';

const month: BillingInterval = { unit: 'month', count: 1 };

describe('prices of different intervals', () => {
  it.each([
    [price(12_000, { unit: 'year', count: 1 }), price(1000, month), 0],
    [price(3000, { unit: 'month', count: 3 }), price(1000, month), 0],
    // 500 a week are 2,166.67 a month: four weeks would say 2,000.
    [price(500, { unit: 'week', count: 1 }), price(2166, month), 1],
    [price(500, { unit: 'week', count: 1 }), price(2167, month), -1],
    [price(100, { unit: 'day', count: 1 }), price(3041, month), 1],
    [price(100, { unit: 'day', count: 1 }), price(3042, month), -1],
    [price(1000, month, 3), price(2999, month), 1],
    [price(0, month), price(0, { unit: 'year', count: 1 }), 0],
  ])('compare by what a month costs, without rounding (%#)', (a, b, order) => {
    expect(compareMonthly(a, b)).toBe(order);
    expect(compareMonthly(b, a)).toBe(order === 0 ? 0 : -order);
  });

  it('multiply by the seats, and refuse what is no exact integer', () => {
    expect(priceOf({ unitMinor: 2900, quantity: 3 })).toBe(8700);
    expect(() => priceOf({ unitMinor: 999_999_999_999, quantity: 100_000 })).toThrow(RangeError);
  });

  it('can be billed while there is room for tax on top', () => {
    expect(isBillable({ unitMinor: 999_999_999_999, quantity: 2000 })).toBe(true);
    expect(isBillable({ unitMinor: 999_999_999_999, quantity: 3000 })).toBe(false);
  });

  it('are of the same interval only when unit and count agree', () => {
    expect(isSameInterval(month, { unit: 'month', count: 1 })).toBe(true);
    expect(isSameInterval(month, { unit: 'month', count: 12 })).toBe(false);
    expect(isSameInterval(month, { unit: 'year', count: 1 })).toBe(false);
  });
});

function price(unitMinor: number, interval: BillingInterval, quantity = 1) {
  return { unitMinor, interval, quantity };
}

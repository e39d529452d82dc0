import { describe, expect, it } from 'vitest';
import { type Fraction, fraction, inFull } from './fraction.ts';
import { keyFigures, lifetimeValue, type MonthOfRevenue } from './key-figures.ts';

const money = (units: number) => fraction(BigInt(units * 100));

describe('the lifetime value', () => {
  it.each([
    ['50 × 0.8 / 0.05', money(50), fraction(5n, 100n), 80, '80000'],
    ['nobody has left', money(50), fraction(0n), 80, null],
    ['nobody was there to leave', money(50), null, 80, null],
    ['nobody pays', null, fraction(5n, 100n), 80, null],
    ['all of it is profit', money(50), fraction(1n, 3n), 100, '15000'],
  ])('is ARPA × margin / churn: %s', (_, arpa, churnRate, marginPercent, ltv) => {
    expect(full(lifetimeValue({ arpa, churnRate, marginPercent }))).toBe(ltv);
  });
});

describe('key figures of a month', () => {
  const month: MonthOfRevenue = {
    startMrr: money(1000),
    endMrr: money(950),
    startCustomers: 20,
    endCustomers: 19,
    churnedMrr: money(50),
    contractedMrr: money(25),
    churnedCustomers: 1,
    marginPercent: 80,
  };

  it('are worked out from its ends and what was lost in it', () => {
    const { mrr, arr, arpa, customerChurnRate, revenueChurnRate, ltv } = keyFigures(month);
    expect([mrr, arr, arpa, customerChurnRate, revenueChurnRate, ltv].map(full)).toEqual([
      '95000',
      '1140000',
      '5000',
      '1/20',
      '3/40',
      '80000',
    ]);
  });

  it('are null where nothing can be divided', () => {
    const nothing = { startMrr: money(0), startCustomers: 0, endCustomers: 0, endMrr: money(0) };
    expect(keyFigures({ ...month, ...nothing })).toMatchObject({
      arpa: null,
      customerChurnRate: null,
      revenueChurnRate: null,
      ltv: null,
    });
  });
});

function full(value: Fraction | null): string | null {
  return value === null ? null : inFull(value);
}

import { describe, expect, it } from 'vitest';
import { dueDays, toDailyFigures } from './daily-report.ts';
import { fraction, zero } from './fraction.ts';
import { noMovement } from './mrr.ts';
import { revenueByCurrency } from './revenue.ts';

const utc = { sendAt: '08:00', timeZone: 'UTC' };
const long = '2026-01-01T00:00:00Z';

describe('the day to report', () => {
  it.each([
    ['a minute too early', '2026-11-26T07:59:00Z', '2026-11-25T08:00:00Z', []],
    ['on time', '2026-11-26T08:00:00Z', '2026-11-25T08:00:00Z', ['2026-11-25']],
    ['late', '2026-11-26T23:59:00Z', '2026-11-25T08:00:00Z', ['2026-11-25']],
    [
      'missed twice',
      '2026-11-28T09:00:00Z',
      '2026-11-25T08:00:00Z',
      ['2026-11-25', '2026-11-26', '2026-11-27'],
    ],
    ['wanted since a moment ago', '2026-11-26T08:30:00Z', '2026-11-26T08:10:00Z', []],
  ])('is due in the morning after: %s', (_, now, since, days) => {
    expect(dueDays(utc, { now, since })).toEqual(days);
  });

  it('is not made up after a week', () => {
    expect(dueDays(utc, { now: '2026-11-26T09:00:00Z', since: long })).toEqual([
      '2026-11-19',
      '2026-11-20',
      '2026-11-21',
      '2026-11-22',
      '2026-11-23',
      '2026-11-24',
      '2026-11-25',
    ]);
  });

  it('is the tenant’s where its clocks are asked, also when they change', () => {
    const berlin = { sendAt: '08:00', timeZone: 'Europe/Berlin' };
    const since = '2026-03-28T12:00:00Z';
    expect(dueDays(berlin, { since, now: '2026-03-29T05:59:00Z' })).toEqual([]);
    expect(dueDays(berlin, { since, now: '2026-03-29T06:00:00Z' })).toEqual(['2026-03-28']);
  });
});

it('figures are told by rail and currency, and as none where there are none', () => {
  const revenue = revenueByCurrency([
    { currency: 'USD', rail: 'stripe', kind: 'payment', day: 1, amountMinor: 5800 },
    { currency: 'USD', rail: 'stripe', kind: 'refund', day: 1, amountMinor: -900 },
    { currency: 'USD', rail: 'manual', kind: 'payment', day: 1, amountMinor: 2900 },
    { currency: 'JPY', rail: 'credit', kind: 'payment', day: 1, amountMinor: 500 },
  ]);
  const interval = { start: zero, sums: noMovement, counts: {}, startCustomers: 0, endCustomers: 1 };
  const mrr = new Map([['USD', [{ ...interval, end: fraction(6500n, 3n) } as never]]]);
  expect(toDailyFigures({ revenue, mrr, begun: 3, ended: 1 })).toEqual({
    revenue: 'JPY 500 (credit), USD 58.00 (stripe), USD 29.00 (manual)',
    refunds: 'USD 9.00 (stripe)',
    newSubscriptions: '3',
    cancellations: '1',
    mrr: 'USD 21.67',
  });
  expect(toDailyFigures({ revenue: [], mrr: new Map(), begun: 0, ended: 0 })).toEqual({
    revenue: 'none',
    refunds: 'none',
    newSubscriptions: '0',
    cancellations: '0',
    mrr: 'none',
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { creditFor, divideHalfAway, prorate } from './proration.ts';

const april = period('2025-04-01', '2025-05-01');

describe('proration to the second (V-P1)', () => {
  // The column order of the vectors: period, change, old → new, credit, debit.
  it.each([
    ['a half of the month', april, '2025-04-16T00:00:00Z', 1000, 2000, 500, 1000],
    ['b', period('2025-01-01', '2025-02-01'), '2025-01-11T08:30:15Z', 2900, 9900, 1931, 6593],
    [
      'c February of 28 days',
      period('2025-02-01', '2025-03-01'),
      '2025-02-15T00:00:00Z',
      2900,
      9900,
      1450,
      4950,
    ],
    [
      'd February of 29 days',
      period('2024-02-01', '2024-03-01'),
      '2024-02-15T00:00:00Z',
      2900,
      9900,
      1500,
      5121,
    ],
    ['g one second left', april, '2025-04-30T23:59:59Z', 1000, 2000, 0, 0],
    ['h at the start', april, '2025-04-01T00:00:00Z', 1000, 2000, 1000, 2000],
    ['i half a unit goes away from zero', april, '2025-04-16T00:00:00Z', 1001, 2001, 501, 1001],
    ['l a currency without decimals', april, '2025-04-21T00:00:00Z', 1000, 3000, 333, 1000],
    ['before the start', april, '2025-03-01T00:00:00Z', 1000, 2000, 1000, 2000],
    ['at the end', april, '2025-05-01T00:00:00Z', 1000, 2000, 0, 0],
  ])('%s', (_name, within, at, old, next, credit, debit) => {
    expect([prorate(old, within, at), prorate(next, within, at)]).toEqual([credit, debit]);
  });

  it("equals Stripe's own answer for a change of 2017", () => {
    const within = { startsAt: seconds(1_487_030_400), endsAt: seconds(1_489_449_600) };
    expect(prorate(1000, within, seconds(1_488_568_488))).toBe(364);
  });

  it.each([
    ['New York', period('2025-03-01T05:00:00Z', '2025-04-01T04:00:00Z'), '2025-03-16T04:00:00Z', 1550, 3101],
    ['UTC', period('2025-03-01', '2025-04-01'), '2025-03-16T00:00:00Z', 1548, 3097],
  ])('counts the hour that %s loses or keeps in March (V-P2)', (_zone, within, at, credit, debit) => {
    expect([prorate(3000, within, at), prorate(6000, within, at)]).toEqual([credit, debit]);
  });

  it('refuses a period that does not end after its start', () => {
    expect(() => prorate(1, period('2025-04-01', '2025-04-01'), '2025-04-01T00:00:00Z')).toThrow(RangeError);
  });
});

describe('the credit for a line', () => {
  it('is based on what was billed after a discount, not on the list price (V-P1 n)', () => {
    expect(creditFor(line({ amountMinor: 800 }), '2025-04-16T00:00:00Z')).toBe(400);
  });

  it('makes a change there and back at one instant net to nothing (V-P1 o)', () => {
    const at = '2025-04-16T00:00:00Z';
    const there = [-creditFor(line({ amountMinor: 1000 }), at), prorate(2000, april, at)];
    const changed = { ...line({ amountMinor: 1000 }), period: { ...april, startsAt: at } };
    const back = [-creditFor(changed, at), prorate(1000, april, at)];
    expect([...there, ...back]).toEqual([-500, 1000, -1000, 500]);
  });

  it('of a change there and back at one instant nets to nothing, whatever the prices', () => {
    const instant = fc.date({
      min: new Date(april.startsAt),
      max: new Date(april.endsAt),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(fc.nat(10_000_000), fc.nat(10_000_000), instant, (old, next, moment) => {
        const at = moment.toISOString();
        fc.pre(at < april.endsAt);
        const charged = prorate(next, april, at);
        const rest = {
          lineId: 'line_2',
          amountMinor: charged,
          paidMinor: charged,
          period: { ...april, startsAt: at },
        };
        const there = charged - creditFor(line({ amountMinor: old }), at);
        const back = prorate(old, april, at) - creditFor(rest, at);
        expect(there + back).toBe(0);
      }),
    );
  });

  it('is never more than was paid and not given back', () => {
    expect(creditFor(line({ amountMinor: 1000, paidMinor: 120 }), '2025-04-02T00:00:00Z')).toBe(120);
    expect(creditFor(line({ amountMinor: 1000, paidMinor: 0 }), '2025-04-02T00:00:00Z')).toBe(0);
  });

  it('of any two changes in a row never gives back more than was paid', () => {
    const instant = fc.date({
      min: new Date(april.startsAt),
      max: new Date(april.endsAt),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(1_000_000), instant, instant, (paid, amount, one, other) => {
        const [first, second] = [one, other]
          .sort((a, b) => a.getTime() - b.getTime())
          .map((at) => at.toISOString());
        const taken = creditFor(line({ amountMinor: amount, paidMinor: paid }), first ?? '');
        const rest = creditFor(line({ amountMinor: amount, paidMinor: paid - taken }), second ?? '');
        expect(taken + rest).toBeLessThanOrEqual(paid);
        expect(Math.min(taken, rest)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('rounding', () => {
  it.each([
    [1n, 2n, 1n],
    [-1n, 2n, -1n],
    [1n, 3n, 0n],
    [2n, 3n, 1n],
    [-5n, 2n, -3n],
    [0n, 7n, 0n],
  ])('%d / %d is %d, half away from zero', (dividend, divisor, expected) => {
    expect(divideHalfAway(dividend, divisor)).toBe(expected);
  });
});

function period(startsAt: string, endsAt: string) {
  return { startsAt: new Date(startsAt).toISOString(), endsAt: new Date(endsAt).toISOString() };
}

function seconds(epoch: number): string {
  return new Date(epoch * 1000).toISOString();
}

function line({ amountMinor, paidMinor = amountMinor }: { amountMinor: number; paidMinor?: number }) {
  return { lineId: 'line_1', amountMinor, paidMinor, period: april };
}

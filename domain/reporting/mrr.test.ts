/** MRR and its movements: the vectors V-M, and the identity under any history. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecurringPrice } from '../billing/recurring-price.ts';
import type { SubscriptionStatus } from '../billing/subscription.ts';
import {
  type Fraction,
  fraction,
  inFull,
  minus,
  plus,
  rounded,
  signOf,
  sum,
  toNumber,
  zero,
} from './fraction.ts';
import {
  customerChange,
  endOf,
  type MovementKind,
  type MovementSums,
  movementKind,
  movementKinds,
  mrrOf,
  noMovement,
  shown,
  sumsOf,
} from './mrr.ts';

/** What a subscription at 2900 a month counts, by its status. */
const ofMonthly2900: Record<SubscriptionStatus, number> = {
  trialing: 0,
  incomplete: 0,
  active: 2900,
  past_due: 2900,
  paused: 0,
  suspended: 0,
  cancelled: 0,
  expired: 0,
};
const statuses = Object.keys(ofMonthly2900) as SubscriptionStatus[];

describe('the MRR of a subscription', () => {
  it.each([
    ['a year', 12_000, { unit: 'year', count: 1 }, 1, '1000', 1000],
    ['a week', 500, { unit: 'week', count: 1 }, 1, '6500/3', 2167],
    ['a quarter', 3000, { unit: 'month', count: 3 }, 1, '1000', 1000],
    ['a month', 2900, { unit: 'month', count: 1 }, 1, '2900', 2900],
    ['a month of three seats', 2900, { unit: 'month', count: 1 }, 3, '8700', 8700],
    ['a day', 100, { unit: 'day', count: 1 }, 1, '9125/3', 3042],
    ['30 days', 3000, { unit: 'day', count: 30 }, 1, '9125/3', 3042],
    ['two weeks', 1000, { unit: 'week', count: 2 }, 1, '6500/3', 2167],
    ['two years', 24_000, { unit: 'year', count: 2 }, 1, '1000', 1000],
    ['nothing', 0, { unit: 'week', count: 1 }, 1, '0', 0],
  ] as const)(
    '%s is normalised exactly, and rounded only to be shown',
    (_, unitMinor, interval, quantity, exact, amount) => {
      const mrr = mrrOf({ status: 'active', price: { unitMinor, quantity, interval } });
      expect([inFull(mrr), rounded(mrr)]).toEqual([exact, amount]);
    },
  );

  it.each(statuses)('counts by its status: %s', (status) => {
    expect(rounded(mrrOf({ status, price: monthly(2900) }))).toBe(ofMonthly2900[status]);
  });
});

describe('the kind of a movement', () => {
  const [none, some, more] = [zero, fraction(2900n), fraction(9900n)];
  it.each([
    ['the first payment ever', none, some, { othersPay: false, hasPaid: false }, 'new'],
    ['a second subscription', none, some, { othersPay: true, hasPaid: true }, 'expansion'],
    ['more seats', some, more, { othersPay: false, hasPaid: true }, 'expansion'],
    ['fewer seats', more, some, { othersPay: false, hasPaid: true }, 'contraction'],
    ['one of two subscriptions ends', some, none, { othersPay: true, hasPaid: true }, 'contraction'],
    ['the last subscription ends', some, none, { othersPay: false, hasPaid: true }, 'churn'],
    ['a customer comes back', none, some, { othersPay: false, hasPaid: true }, 'reactivation'],
    ['a renewal', some, some, { othersPay: false, hasPaid: true }, null],
  ] as const)('is the customer’s: %s', (_, before, after, customer, kind) => {
    expect(movementKind({ before, after, ...customer })).toBe(kind);
  });
});

describe('what is shown', () => {
  it('adds up where each figure rounded for itself would not', () => {
    const third = fraction(1n, 3n);
    const interval = { ...noMovement, new: third, expansion: third, reactivation: third };
    expect(shown(zero, interval)).toEqual({
      start: 0,
      new: 1,
      expansion: 0,
      reactivation: 0,
      contraction: 0,
      churn: 0,
      end: 1,
    });
    expect(shown(fraction(6500n, 3n), { ...noMovement, churn: fraction(-6500n, 3n) })).toMatchObject({
      start: 2167,
      churn: 2167,
      end: 0,
    });
  });

  it('adds up to the unit for any exact values, and shows each as a neighbour of its exact value', () => {
    fc.assert(
      fc.property(anyFraction, fc.array(anyFraction, { minLength: 5, maxLength: 5 }), (start, values) => {
        const sums = signed(start, values);
        const { start: first, end, contraction, churn, ...added } = shown(start, sums);
        expect(end).toBe(first + added.new + added.expansion + added.reactivation - contraction - churn);
        expect([first, end]).toEqual([rounded(start), rounded(endOf(start, sums))]);
        const amounts = { ...added, contraction: -contraction, churn: -churn };
        for (const kind of movementKinds) {
          const distance = minus(fraction(BigInt(amounts[kind])), sums[kind]);
          expect(Math.abs(toNumber(distance))).toBeLessThan(1);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the identity', () => {
  it('holds exactly and as shown, by currency, under any history of subscriptions', () => {
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (changes, cuts) => {
        const history = play(changes);
        for (const currency of ['USD', 'EUR', 'JPY']) {
          const own = history.movements.filter((each) => each.currency === currency);
          const present = history.mrrOf(currency);
          expect(inFull(sum(own.map(({ change }) => change)))).toBe(inFull(present.mrr));
          expect(own.reduce((count, { kind }) => count + customerChange(kind), 0)).toBe(present.customers);

          let start = zero;
          let startShown = 0;
          const size = Math.ceil(own.length / cuts);
          for (let from = 0; from < own.length; from += size) {
            const sums = sumsOf(own.slice(from, from + size));
            const interval = shown(start, sums);
            expect(interval.start).toBe(startShown);
            expect(interval.end).toBe(
              interval.start +
                interval.new +
                interval.expansion +
                interval.reactivation -
                interval.contraction -
                interval.churn,
            );
            [start, startShown] = [endOf(start, sums), interval.end];
          }
          expect(startShown).toBe(rounded(present.mrr));
        }
      }),
      { numRuns: 500 },
    );
  });
});

function monthly(unitMinor: number): RecurringPrice {
  return { unitMinor, quantity: 1, interval: { unit: 'month', count: 1 } };
}

const anyFraction = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.bigInt({ min: 1n, max: 4392n }))
  .map(([numerator, denominator]) => fraction(numerator, denominator));

/** What is lost is negative, and never more than there was. */
function signed(start: Fraction, [a, b, c, d, e]: Fraction[]): MovementSums {
  const gains = { new: a ?? zero, expansion: b ?? zero, reactivation: c ?? zero };
  const most = plus(start, sum(Object.values(gains)));
  const contraction = smaller(d ?? zero, most);
  const churn = smaller(e ?? zero, minus(most, contraction));
  return { ...gains, contraction: minus(zero, contraction), churn: minus(zero, churn) };
}

function smaller(a: Fraction, b: Fraction): Fraction {
  return signOf(minus(a, b)) < 0 ? a : b;
}

type Change = { customer: number; subscription: number; status: SubscriptionStatus; price: RecurringPrice };

const anyChange: fc.Arbitrary<Change> = fc.record({
  customer: fc.integer({ min: 0, max: 5 }),
  subscription: fc.integer({ min: 0, max: 1 }),
  status: fc.constantFrom(...statuses),
  price: fc.record({
    unitMinor: fc.integer({ min: 0, max: 100_000 }),
    quantity: fc.integer({ min: 1, max: 50 }),
    interval: fc.record({
      unit: fc.constantFrom('day', 'week', 'month', 'year'),
      count: fc.integer({ min: 1, max: 12 }),
    }),
  }),
});

/** Two customers for each currency, with two subscriptions each. */
function play(changes: readonly Change[]) {
  const mrrs = new Map<string, { customer: number; currency: string; mrr: Fraction }>();
  const paid = new Set<number>();
  const movements: { currency: string; kind: MovementKind; change: Fraction }[] = [];
  for (const { customer, subscription, status, price } of changes) {
    const currency = ['USD', 'EUR', 'JPY'][customer % 3] ?? 'USD';
    const key = `${customer}/${subscription}`;
    const before = mrrs.get(key)?.mrr ?? zero;
    const after = mrrOf({ status, price });
    const othersPay = [...mrrs].some(
      ([other, each]) => other !== key && each.customer === customer && signOf(each.mrr) > 0,
    );
    const kind = movementKind({ before, after, othersPay, hasPaid: paid.has(customer) });
    mrrs.set(key, { customer, currency, mrr: after });
    if (kind === null) continue;
    paid.add(customer);
    movements.push({ currency, kind, change: minus(after, before) });
  }
  return {
    movements,
    mrrOf: (currency: string) => {
      const own = [...mrrs.values()].filter((each) => each.currency === currency && signOf(each.mrr) > 0);
      return {
        mrr: sum(own.map(({ mrr }) => mrr)),
        customers: new Set(own.map(({ customer }) => customer)).size,
      };
    },
  };
}

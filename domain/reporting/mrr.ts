/**
 * Monthly recurring revenue: what a subscription brings in a month while it is paid for, and the five ways in which it
 * moves (knowledge: billing §1.9, vectors V-M). Values are exact fractions; only what is shown is rounded.
 */
import { type RecurringPrice, yearlyOf } from '../billing/recurring-price.ts';
import type { SubscriptionStatus } from '../billing/subscription.ts';
import { assertNever } from '../errors.ts';
import {
  type Fraction,
  floorOf,
  fraction,
  minus,
  negative,
  plus,
  rounded,
  signOf,
  sum,
  zero,
} from './fraction.ts';

const monthsPerYear = 12n;

/** A trial, a first payment that is awaited, and everything that has ended bring nothing; what is past due counts. */
export function mrrOf({ status, price }: { status: SubscriptionStatus; price: RecurringPrice }): Fraction {
  if (!bringsRevenue(status)) return zero;
  const { numerator, denominator } = yearlyOf(price);
  return fraction(numerator, denominator * monthsPerYear);
}

/** The statuses whose price counts. */
export const payingStatuses: readonly SubscriptionStatus[] = ['active', 'past_due'];

function bringsRevenue(status: SubscriptionStatus): boolean {
  return payingStatuses.includes(status);
}

/**
 * - `new`: a customer pays for the first time.
 * - `expansion`, `contraction`: a paying customer pays more, or less, by whichever of its subscriptions.
 * - `churn`: the last of what a customer pays is gone.
 * - `reactivation`: a customer that had churned pays again.
 */
export type MovementKind = 'new' | 'expansion' | 'reactivation' | 'contraction' | 'churn';

export const movementKinds: readonly MovementKind[] = [
  'new',
  'expansion',
  'reactivation',
  'contraction',
  'churn',
];

/** The kind of a change of one subscription's MRR. `null` where nothing moves. */
export function movementKind({
  before,
  after,
  othersPay,
  hasPaid,
}: {
  before: Fraction;
  after: Fraction;
  /** Another subscription of the customer brings revenue. */
  othersPay: boolean;
  /** The customer has brought revenue before. */
  hasPaid: boolean;
}): MovementKind | null {
  const direction = signOf(minus(after, before));
  if (direction === 0) return null;
  if (direction < 0) return signOf(after) === 0 && !othersPay ? 'churn' : 'contraction';
  if (signOf(before) > 0 || othersPay) return 'expansion';
  return hasPaid ? 'reactivation' : 'new';
}

/** What a movement does to the number of paying customers. */
export function customerChange(kind: MovementKind): -1 | 0 | 1 {
  switch (kind) {
    case 'new':
    case 'reactivation':
      return 1;
    case 'churn':
      return -1;
    case 'expansion':
    case 'contraction':
      return 0;
    default:
      return assertNever(kind);
  }
}

/** Sums of an interval by kind; contraction and churn are negative. */
export type MovementSums = Record<MovementKind, Fraction>;

export const noMovement: MovementSums = {
  new: zero,
  expansion: zero,
  reactivation: zero,
  contraction: zero,
  churn: zero,
};

export function sumsOf(movements: Iterable<{ kind: MovementKind; change: Fraction }>): MovementSums {
  const sums = { ...noMovement };
  for (const { kind, change } of movements) sums[kind] = plus(sums[kind], change);
  return sums;
}

export function endOf(start: Fraction, sums: MovementSums): Fraction {
  return plus(start, sum(Object.values(sums)));
}

/** An interval as it is shown: whole minor units, contraction and churn without their sign. */
export type ShownInterval = Record<MovementKind, number> & { start: number; end: number };

/**
 * The one rule of rounding, by which `end = start + new + expansion + reactivation - contraction - churn` holds to the
 * unit: balances are rounded half up, so that an interval begins as the one before has ended; each movement is its exact
 * value rounded down or up, up for those with the largest rests, as many as the balances ask for.
 */
export function shown(start: Fraction, sums: MovementSums): ShownInterval {
  const [startMinor, endMinor] = [rounded(start), rounded(endOf(start, sums))];
  const floors = movementKinds.map((kind) => ({ kind, ...floorOf(sums[kind]) }));
  const missing = endMinor - startMinor - floors.reduce((total, { whole }) => total + whole, 0);
  const raised = floors
    .toSorted((a, b) => signOf(minus(b.rest, a.rest)))
    .slice(0, missing)
    .map(({ kind }) => kind);
  const amountOf = (kind: MovementKind) => {
    const { whole } = floors.find((each) => each.kind === kind) ?? { whole: 0 };
    return whole + (raised.includes(kind) ? 1 : 0);
  };
  return {
    start: startMinor,
    new: amountOf('new'),
    expansion: amountOf('expansion'),
    reactivation: amountOf('reactivation'),
    contraction: unsigned(-amountOf('contraction')),
    churn: unsigned(-amountOf('churn')),
    end: endMinor,
  };
}

/** As it is shown, without the sign that its kind says already. */
export function withoutSign(kind: MovementKind, value: Fraction): Fraction {
  return kind === 'contraction' || kind === 'churn' ? negative(value) : value;
}

/** JavaScript knows a -0, which nobody wants to read. */
function unsigned(value: number): number {
  return value === 0 ? 0 : value;
}

/** What a subscription costs per interval, and how prices of different intervals compare. */
import type { BillingInterval } from '../calendar.ts';
import { taxKinds } from './tax-rate.ts';

/** `unitMinor` is the plan's price for one seat and interval. */
export type RecurringPrice = {
  unitMinor: number;
  quantity: number;
  interval: BillingInterval;
};

/** The most seats a subscription may have. */
export const QUANTITY_MAX = 100_000;

/** Price of one interval in minor units. Throws a `RangeError` where that is no exact integer any more. */
export function priceOf({ unitMinor, quantity }: Pick<RecurringPrice, 'unitMinor' | 'quantity'>): number {
  const price = unitMinor * quantity;
  if (!Number.isSafeInteger(price)) throw new RangeError(`Too large a price: ${unitMinor} × ${quantity}`);
  return price;
}

/** Whether it can be billed: its price is an exact integer, also with tax of every kind on top, each at most the price. */
export function isBillable({ unitMinor, quantity }: Pick<RecurringPrice, 'unitMinor' | 'quantity'>): boolean {
  return Number.isSafeInteger(unitMinor * quantity * (1 + taxKinds.length));
}

/**
 * Compares two prices by what a month of them costs: negative when `a` is cheaper, 0 when equal. A year has 12 months,
 * 52 weeks and 365 days (knowledge: billing §1.9); no rounding takes part.
 */
export function compareMonthly(a: RecurringPrice, b: RecurringPrice): -1 | 0 | 1 {
  const [left, right] = [yearlyOf(a), yearlyOf(b)];
  const difference = left.numerator * right.denominator - right.numerator * left.denominator;
  if (difference === 0n) return 0;
  return difference < 0n ? -1 : 1;
}

/** What a year costs, as an exact fraction of minor units. */
export function yearlyOf({ unitMinor, quantity, interval }: RecurringPrice): {
  numerator: bigint;
  denominator: bigint;
} {
  const numerator = BigInt(unitMinor) * BigInt(quantity) * intervalsPerYear[interval.unit];
  return { numerator, denominator: BigInt(interval.count) };
}

const intervalsPerYear = { day: 365n, week: 52n, month: 12n, year: 1n } as const;

export function isSameInterval(a: BillingInterval, b: BillingInterval): boolean {
  return a.unit === b.unit && a.count === b.count;
}

/**
 * Proration: what the unused part of a period is worth. Lines are rounded one by one, half away from zero, and a credit
 * is based on what was really billed for the service, never on a list price (knowledge: billing §1.2, vectors V-P1, V-P2).
 */
import type { Period } from '../calendar.ts';
import type { LineTaxation } from './tax-amounts.ts';

/** Something billed for a service period: the line to credit when the service ends early. */
export type BilledLine = {
  lineId: string;
  /** Net of discounts, in minor units. */
  amountMinor: number;
  period: Period;
  /** What was paid for it and not given back, with tax where the amount contains it: more is never credited. */
  paidMinor: number;
  /** Absent where the line bore no tax. */
  taxedAs?: LineTaxation;
  /** Absent where it is known what was paid for it. */
  unsettled?: UnsettledMoney;
};

/** What is being given back, or wanted back by the customer's bank: nobody knows yet what will have been paid. */
export type UnsettledMoney = 'refund_pending' | 'payment_disputed';

/**
 * The part of `amountMinor` that falls on `[at, endsAt)`: all of it up to the start, nothing from the end on. Exact to
 * the instant; on whole seconds it equals Stripe's formula.
 */
export function prorate(amountMinor: number, { startsAt, endsAt }: Period, at: string): number {
  const [start, end, now] = [startsAt, endsAt, at].map((instant) => BigInt(Date.parse(instant))) as [
    bigint,
    bigint,
    bigint,
  ];
  if (end <= start) throw new RangeError(`A period ends after it starts: ${startsAt} to ${endsAt}`);
  if (now <= start) return amountMinor;
  if (now >= end) return 0;
  return Number(divideHalfAway(BigInt(amountMinor) * (end - now), end - start));
}

/** What is given back, as a positive amount, for a line whose service ends at `at`. */
export function creditFor({ amountMinor, period, paidMinor }: BilledLine, at: string): number {
  return Math.max(0, Math.min(prorate(amountMinor, period, at), paidMinor));
}

/** `dividend / divisor` for a positive divisor, rounded half away from zero. */
export function divideHalfAway(dividend: bigint, divisor: bigint): bigint {
  const magnitude = dividend < 0n ? -dividend : dividend;
  const rounded = (2n * magnitude + divisor) / (2n * divisor);
  return dividend < 0n ? -rounded : rounded;
}

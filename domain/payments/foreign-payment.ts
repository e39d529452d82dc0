/**
 * Money that came in another currency than the invoice's. Rates move and banks convert at their own: what comes to nearly
 * the amount due pays it in full, and the difference is a cost of currency exchange (or a gain) of ours, never a few cents
 * that a customer is chased for (knowledge: bank reconciliation §2.5 rule 6, vectors W15 to W17).
 */
import { DomainError } from '../errors.ts';
import { formatMoney, type Money, money } from '../money.ts';
import { fraction, rounded } from '../reporting/fraction.ts';
import { type AppliedRate, convert, rateText, sourceText } from './exchange-rate.ts';

/** How far the conversion may be off what is due: 5 %, inclusive, in hundredths of a percent. */
export const FX_TOLERANCE_BPS = 500;

/** What foreign money comes to, all but the first in the invoice's currency. */
export type ForeignMoney = {
  /** As it was paid, before any bank's fee. */
  received: Money;
  rate: AppliedRate;
  /** At the rate. */
  converted: Money;
  /** What it counts for: the amount due where it nearly is that, else the converted amount. */
  settled: Money;
};

/**
 * What foreign money counts for. `duesMinor`: amounts it may have been meant to pay; of those it nearly is, the nearest.
 * Throws `state_conflict` where it comes to less than one unit, or to more than can be counted.
 */
export function exchanged(
  received: Money,
  { rate, duesMinor }: { rate: AppliedRate; duesMinor: readonly number[] },
): ForeignMoney {
  const converted = convertWithin(received, rate);
  const distance = (dueMinor: number) => Math.abs(converted.amountMinor - dueMinor);
  const [nearest = converted.amountMinor] = duesMinor
    .filter((dueMinor) => dueMinor > 0 && isWithin(converted.amountMinor, dueMinor, FX_TOLERANCE_BPS))
    .toSorted((a, b) => distance(a) - distance(b));
  return { received, rate, converted, settled: money(nearest, converted.currency) };
}

/** The most that one payment may come to: sums of thousands of them are still exact. */
const CONVERTED_MAX = 999_999_999_999;

/**
 * What money comes to at a rate; null where that is less than one unit, or more than can be counted: one absurd amount does
 * not stop those beside it.
 */
export function convertedMoney(received: Money, rate: AppliedRate): Money | null {
  try {
    const converted = convert(received, rate);
    return converted.amountMinor >= 1 && converted.amountMinor <= CONVERTED_MAX ? converted : null;
  } catch {
    return null;
  }
}

/** Hundredths of a percent in a whole. */
const WHOLE_BPS = 10_000n;

/** Whether an amount is off by at most so many hundredths of a percent of what is due, inclusive. */
export function isWithin(amountMinor: number, dueMinor: number, bps: number): boolean {
  const off = BigInt(amountMinor) - BigInt(dueMinor);
  return (off < 0n ? -off : off) * WHOLE_BPS <= BigInt(bps) * BigInt(dueMinor);
}

function convertWithin(received: Money, rate: AppliedRate): Money {
  const converted = convertedMoney(received, rate);
  if (converted === null) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'exchange_rate_unusable',
      message: `At a rate of ${rateText(rate)}, ${formatMoney(received)} comes to no amount in ${rate.quote} that can be booked; check the rate: it says how many ${rate.quote} one ${rate.base} is.`,
    });
  }
  return converted;
}

/** `EUR 450.00 (USD 488.95 at 1.0866, ecb 2026-03-05)`. */
export function foreignInWords({
  received,
  rate,
  converted,
}: Pick<ForeignMoney, 'received' | 'rate' | 'converted'>): string {
  return `${formatMoney(received)} (${formatMoney(converted)} at ${rateText(rate)}, ${sourceText(rate)} ${rate.day})`;
}

/**
 * The part of a total that falls on the next `shareMinor` of a whole of which `beforeMinor` was taken already. Parts are
 * differences of running sums, so that all of them together are the total to the last unit, however it was cut.
 */
export function nextPart(
  totalMinor: number,
  { wholeMinor, beforeMinor, shareMinor }: { wholeMinor: number; beforeMinor: number; shareMinor: number },
): number {
  const upTo = (minor: number) => rounded(fraction(BigInt(totalMinor) * BigInt(minor), BigInt(wholeMinor)));
  return upTo(beforeMinor + shareMinor) - upTo(beforeMinor);
}

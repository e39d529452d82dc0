/** Referrals: who brings a customer gets a share of that customer's first payment as credit (seed 002 §5.1: 20 %). */
import { divideHalfAway } from './proration.ts';

/** A fifth. */
const share = { numerator: 1n, denominator: 5n } as const;

/** In minor units, of what was paid without tax; rounded half away from zero. */
export function referralReward(paidMinor: number): number {
  return Number(divideHalfAway(BigInt(paidMinor) * share.numerator, share.denominator));
}

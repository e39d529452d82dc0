/**
 * Coupons: what a code takes off the price of periods. A percentage or a fixed amount, once, for a number of periods, or
 * for ever (knowledge: billing §1.9, vector V-P1 n). What an invoice really bills is what a later credit is based on, so a
 * discount is part of the line it reduces and not a line of its own.
 */
import { DomainError } from '../errors.ts';
import { divideHalfAway } from './proration.ts';

/** A whole percentage from 1 to 100, or an amount of the coupon's currency, in minor units. */
export type Reduction = { percent: number } | { amountMinor: number };

/** A coupon as a subscription has it. */
export type Discount = {
  couponId: string;
  code: string;
  off: Reduction;
  /** Period invoices that are still reduced; null: all of them, for ever. */
  periodsLeft: number | null;
};

/** What is taken off an amount: rounded half away from zero, and never more than there is. */
export function reductionOf(off: Reduction, amountMinor: number): number {
  if ('amountMinor' in off) return Math.min(off.amountMinor, amountMinor);
  return Number(divideHalfAway(BigInt(amountMinor) * BigInt(off.percent), WHOLE));
}

/** Percent of a whole. */
const WHOLE = 10n ** 2n;

/** What the invoice of a period takes off its price. */
export function periodReduction(discount: Discount | null, priceMinor: number): number {
  return discount === null ? 0 : reductionOf(discount.off, priceMinor);
}

/**
 * What every period to come is reduced by, so that it counts as recurring revenue and in the charge of a plan change; a
 * coupon that runs out reduces the invoices of periods only.
 */
export function lastingReduction(discount: Discount | null, priceMinor: number): number {
  return discount?.periodsLeft === null ? reductionOf(discount.off, priceMinor) : 0;
}

/** After one more period was billed; null when that was the last one. */
export function afterPeriod(discount: Discount): Discount | null {
  const { periodsLeft } = discount;
  if (periodsLeft === null) return discount;
  return periodsLeft > 1 ? { ...discount, periodsLeft: periodsLeft - 1 } : null;
}

/**
 * What a subscription has of a coupon again when the first period that counted it is taken back: nobody has had that. `whole`
 * is the coupon as it was redeemed, `current` what is there now. A coupon that has taken its place meanwhile stays, and one
 * that was taken off stays off; only a coupon for one period is gone without that.
 */
export function givenBack(whole: Discount, current: Discount | null): Discount | null {
  if (current === null) return whole.periodsLeft === 1 ? whole : null;
  const { couponId, periodsLeft } = current;
  if (couponId !== whole.couponId || periodsLeft === null) return current;
  return { ...current, periodsLeft: periodsLeft + 1 };
}

/** `20 % off the next 3 periods` */
export function discountInWords(
  { off, periodsLeft }: Discount,
  amountInWords: (minor: number) => string,
): string {
  const size = 'percent' in off ? `${off.percent} %` : amountInWords(off.amountMinor);
  if (periodsLeft === null) return `${size} off every period`;
  return `${size} off the next ${periodsLeft === 1 ? 'period' : `${periodsLeft} periods`}`;
}

export type CouponState = {
  code: string;
  /** Of a fixed amount; null for a percentage. */
  currency: string | null;
  expiresAt: Date | null;
  maxRedemptions: number | null;
  redemptions: number;
  archivedAt: Date | null;
  /** The only person who may redeem it, by the keyed hash of the e-mail address; null: anybody. */
  personKey: string | null;
};

/** Why a coupon cannot be redeemed now, or null. */
export function couponRefusal(
  coupon: CouponState,
  { personKey, currency, at }: { personKey: string; currency: string; at: Date },
): DomainError | null {
  const { code, expiresAt, maxRedemptions } = coupon;
  if (coupon.archivedAt !== null)
    return refusal('coupon_archived', `The coupon ${code} is no longer offered.`);
  if (expiresAt !== null && expiresAt <= at)
    return refusal('coupon_expired', `The coupon ${code} expired on ${expiresAt.toISOString()}.`);
  if (coupon.personKey !== null && coupon.personKey !== personKey)
    return refusal('coupon_of_another_customer', `The coupon ${code} was given to another customer.`);
  if (coupon.currency !== null && coupon.currency !== currency) {
    const message = `The coupon ${code} takes off ${coupon.currency}, the subscription is billed in ${currency}.`;
    return refusal('currency_mismatch', message);
  }
  if (maxRedemptions !== null && coupon.redemptions >= maxRedemptions)
    return refusal(
      'coupon_used_up',
      `The coupon ${code} was redeemed as often as it may be (${maxRedemptions}).`,
    );
  return null;
}

function refusal(reason: string, message: string): DomainError {
  return new DomainError({ code: 'state_conflict', reason, message });
}

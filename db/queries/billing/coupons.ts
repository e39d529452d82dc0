/**
 * Coupons: made, read, archived, and put on a subscription.
 *
 * Why it is safe to run twice: a coupon's row is locked while it is redeemed, so it is never redeemed more often than it may
 * be; the redemption, its count and the subscription's discount are one transaction under the customer's lock, and a coupon
 * that a subscription had before is refused.
 */
import { and, desc, eq, isNull, lt, sql } from 'drizzle-orm';
import {
  couponRefusal,
  type Discount,
  discountInWords,
  givenBack,
  type Reduction,
} from '../../../domain/billing/coupon.ts';
import { isTerminal } from '../../../domain/billing/subscription.ts';
import { DomainError } from '../../../domain/errors.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { invoiceLines, subscriptions } from '../../schema/billing.ts';
import { couponRedemptions, coupons } from '../../schema/coupons.ts';
import type { InvoiceRow } from './invoices.ts';
import { normalisedCode } from './random-code.ts';
import {
  type CustomerRow,
  changeSubscription,
  notFound,
  type SubscriptionContext,
  type SubscriptionRow,
} from './subscriptions.ts';

export type CouponRow = typeof coupons.$inferSelect;
export type NewCoupon = Omit<typeof coupons.$inferInsert, 'id' | 'redemptions' | 'archivedAt' | 'createdAt'>;

/** `null` when the tenant has a coupon of this code, archived or not. */
export async function createCoupon(tx: Tx, coupon: NewCoupon): Promise<CouponRow | null> {
  const [row] = await tx
    .insert(coupons)
    .values({ id: newId('cpn'), ...coupon, code: normalisedCode(coupon.code) })
    .onConflictDoNothing({ target: [coupons.tenantId, coupons.code] })
    .returning();
  return row ?? null;
}

export async function findCoupon(tx: Tx, couponId: string): Promise<CouponRow | null> {
  const [row] = await tx.select().from(coupons).where(eq(coupons.id, couponId));
  return row ?? null;
}

/** Newest first; without archived ones unless they are asked for. */
export function listCoupons(
  tx: Tx,
  {
    archived,
    code,
    cursor,
    limit,
  }: { archived: boolean; code: string | undefined; cursor: string | undefined; limit: number },
): Promise<CouponRow[]> {
  return tx
    .select()
    .from(coupons)
    .where(
      and(
        archived ? undefined : isNull(coupons.archivedAt),
        code === undefined ? undefined : eq(coupons.code, normalisedCode(code)),
        cursor === undefined ? undefined : lt(coupons.id, cursor),
      ),
    )
    .orderBy(desc(coupons.id))
    .limit(limit);
}

/** Nobody can redeem it any more; who has it keeps it. `null` when there is no such coupon. */
export async function archiveCoupon(tx: Tx, { id, at }: { id: string; at: Date }): Promise<CouponRow | null> {
  await tx
    .update(coupons)
    .set({ archivedAt: at })
    .where(and(eq(coupons.id, id), isNull(coupons.archivedAt)));
  return findCoupon(tx, id);
}

/**
 * Counts one redemption. The caller keeps it with `keepRedemption` in the same transaction, under the customer's lock.
 * Throws `not_found`, or `state_conflict` with the reasons of `couponRefusal`.
 */
export async function claimCoupon(
  tx: Tx,
  { code, customer, currency, at }: { code: string; customer: CustomerRow; currency: string; at: Date },
): Promise<Discount> {
  const coupon = await lockByCode(tx, code);
  const refusal = couponRefusal(coupon, { personKey: customer.personKey, currency, at });
  if (refusal !== null) throw refusal;
  await tx
    .update(coupons)
    .set({ redemptions: sql`${coupons.redemptions} + 1` })
    .where(eq(coupons.id, coupon.id));
  return discountOf(coupon);
}

/** Throws `state_conflict` where the subscription had the coupon before: that redemption counts, this one does not. */
export async function keepRedemption(
  tx: Tx,
  { tenantId, customerId, id: subscriptionId }: SubscriptionRow,
  { couponId, code }: Discount,
  redeemedAt: Date,
): Promise<void> {
  const kept = await tx
    .insert(couponRedemptions)
    .values({ id: newId('red'), tenantId, couponId, customerId, subscriptionId, redeemedAt })
    .onConflictDoNothing()
    .returning({ id: couponRedemptions.id });
  if (kept.length > 0) return;
  throw conflict('coupon_redeemed', `The coupon ${code} was redeemed for this subscription before.`);
}

/**
 * Redeems a coupon for a subscription that runs; it takes the place of one that is there. Throws as `claimCoupon` and
 * `keepRedemption` do, and for a subscription that has ended.
 */
export async function applyCoupon(
  tx: Tx,
  context: SubscriptionContext,
  { code, at }: { code: string; at: Date },
): Promise<SubscriptionContext> {
  const { subscription, customer, plan } = context;
  const { status } = subscription;
  if (isTerminal(status)) {
    throw conflict(
      `subscription_${status}`,
      `The subscription is ${status}; a coupon can be redeemed with a new one.`,
    );
  }
  const discount = await claimCoupon(tx, { code, customer, currency: plan.currency, at });
  await keepRedemption(tx, subscription, discount, at);
  return changeSubscription(tx, context, {
    set: { discount },
    at,
    entry: {
      kind: 'coupon_applied',
      message: `The coupon ${discount.code} takes ${couponInWords(discount, plan.currency)}.`,
    },
  });
}

/** What was billed with it stays as it is. Throws `state_conflict` where there is none. */
export async function removeCoupon(
  tx: Tx,
  context: SubscriptionContext,
  at: Date,
): Promise<SubscriptionContext> {
  const { discount } = context.subscription;
  if (discount === null) throw conflict('no_coupon', 'The subscription has no coupon.');
  return changeSubscription(tx, context, {
    set: { discount: null },
    at,
    entry: { kind: 'coupon_removed', message: `The coupon ${discount.code} was taken off.` },
  });
}

/**
 * Gives the period back that an invoice has counted. For the invoice of a first period that does not begin; to be called once,
 * in the transaction that voids it, under the customer's lock.
 */
export async function giveBackPeriod(
  tx: Tx,
  { id, subscriptionId }: Pick<InvoiceRow, 'id' | 'subscriptionId'>,
): Promise<void> {
  const [found] = await tx
    .select({ coupon: coupons, discount: subscriptions.discount })
    .from(invoiceLines)
    .innerJoin(coupons, eq(coupons.code, invoiceLines.discountCode))
    .innerJoin(subscriptions, eq(subscriptions.id, subscriptionId))
    .where(and(eq(invoiceLines.invoiceId, id), eq(invoiceLines.kind, 'plan')));
  if (found === undefined) return;
  await tx
    .update(subscriptions)
    .set({ discount: givenBack(discountOf(found.coupon), found.discount) })
    .where(eq(subscriptions.id, subscriptionId));
}

async function lockByCode(tx: Tx, code: string): Promise<CouponRow> {
  const [coupon] = await tx
    .select()
    .from(coupons)
    .where(eq(coupons.code, normalisedCode(code)))
    .for('update');
  if (coupon === undefined) throw notFound('coupon', code);
  return coupon;
}

function discountOf(coupon: CouponRow): Discount {
  return { couponId: coupon.id, code: coupon.code, off: offOf(coupon), periodsLeft: coupon.periods };
}

function offOf({ percent, reductionMinor }: CouponRow): Reduction {
  if (percent !== null) return { percent };
  if (reductionMinor === null) throw new Error('A coupon takes off a percentage or an amount');
  return { amountMinor: reductionMinor };
}

/** `20 % off every period` */
export function couponInWords(discount: Discount, currency: string): string {
  return discountInWords(discount, (minor) => formatMoney(money(minor, currency)));
}

function conflict(reason: string, message: string): DomainError {
  return new DomainError({ code: 'state_conflict', reason, message });
}

/**
 * The offer in the last mail to who has left: a coupon for that person, for one period. Runs in the transaction that
 * decides the mail; one per subscription is the database's own rule.
 */
import { winBackDays, winBackPercent } from '../../../domain/billing/win-back.ts';
import { addDays, inWords } from '../../../domain/instant.ts';
import type { Tx } from '../../client.ts';
import { createCoupon } from './coupons.ts';
import { randomCode } from './random-code.ts';
import { calendarOf, type SubscriptionContext } from './subscriptions.ts';

/** Returns the offer as the mail says it. */
export async function offerWinBack(
  tx: Tx,
  { tenant, customer, subscription }: SubscriptionContext,
  at: Date,
): Promise<{ code: string; percent: string; validUntil: string }> {
  const percent = winBackPercent(subscription.id);
  const expiresAt = addDays(at.toISOString(), winBackDays, calendarOf(tenant).dayMs);
  const coupon = await createCoupon(tx, {
    tenantId: subscription.tenantId,
    code: `BACK-${randomCode()}`,
    percent,
    periods: 1,
    maxRedemptions: 1,
    expiresAt: new Date(expiresAt),
    personKey: customer.personKey,
    wonBackFrom: subscription.id,
  });
  if (coupon === null) throw new Error('A random code was taken already');
  return { code: coupon.code, percent: `${percent} %`, validUntil: inWords(expiresAt) };
}

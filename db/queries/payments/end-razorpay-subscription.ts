/**
 * Ends a Razorpay subscription whose authorisation is worth nothing any more. Runs in the transaction of whatever made it so,
 * which leaves the word to Razorpay with the process that keeps saying it until Razorpay has ended it; see
 * activities/payments/razorpay-collection.ts.
 */
import { and, eq, isNull } from 'drizzle-orm';
import {
  type CollectedTerms,
  type RazorpayEndReason,
  whyEnd,
} from '../../../domain/payments/razorpay-subscription.ts';
import { razorpayCollectionEvent } from '../../../workflows/payments/razorpay-collection.contract.ts';
import type { Tx } from '../../client.ts';
import type { plans, subscriptions } from '../../schema/billing.ts';
import { razorpaySubscriptions } from '../../schema/razorpay.ts';
import { appendOutbox } from '../operations/outbox.ts';

/** The one currency that Razorpay subscriptions collect here. */
export const RAZORPAY_CURRENCY = 'INR';

type Row = typeof subscriptions.$inferSelect;

/** Asks the database nothing unless a change concerns what Razorpay was told. */
export function endWhereChanged(
  tx: Tx,
  {
    plan,
    before,
    after,
    at,
  }: { plan: Pick<typeof plans.$inferSelect, 'currency'>; before: Row; after: Row; at: Date },
): Promise<void> | undefined {
  if (plan.currency !== RAZORPAY_CURRENCY) return undefined;
  const reason = whyEnd(collectedTermsOf(before), collectedTermsOf(after));
  return reason === null ? undefined : endRazorpaySubscription(tx, { subscriptionId: before.id, reason, at });
}

/** One that is ending already keeps its reason. */
export async function endRazorpaySubscription(
  tx: Tx,
  { subscriptionId, reason, at }: { subscriptionId: string; reason: RazorpayEndReason; at: Date },
): Promise<void> {
  const { endRequestedAt, endedAt } = razorpaySubscriptions;
  const ending = await tx
    .update(razorpaySubscriptions)
    .set({ endRequestedAt: at, endReason: reason })
    .where(
      and(eq(razorpaySubscriptions.subscriptionId, subscriptionId), isNull(endRequestedAt), isNull(endedAt)),
    )
    .returning();
  for (const { tenantId, externalId } of ending) {
    // One that Razorpay has not made yet is not asked for any more, or ended as soon as its id is known.
    if (externalId !== null) await appendOutbox(tx, tenantId, [razorpayCollectionEvent(externalId, null)]);
  }
}

/** A downgrade counts from the day it is asked for: it is what the next period costs. */
function collectedTermsOf(row: Row): CollectedTerms {
  const { status, cancelAtPeriodEnd, trialEndsAt, anchor, pendingChange } = row;
  const { planId, quantity } = pendingChange?.kind === 'downgrade' ? pendingChange : row;
  return {
    status,
    cancelAtPeriodEnd,
    planId,
    quantity,
    trialEndsAt: trialEndsAt?.toISOString() ?? null,
    anchor: anchor?.toISOString() ?? null,
  };
}

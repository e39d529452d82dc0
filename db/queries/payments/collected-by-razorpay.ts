/**
 * Whether Razorpay collects an invoice by itself. While it does, nothing else is charged for it: not by the renewal, and not
 * by a step of the ladder while Razorpay tries again (knowledge: billing D15). As long as Razorpay cannot be asked how things
 * stand, no card is charged either.
 */

import { collectsPeriod, isCollecting } from '../../../domain/payments/razorpay-subscription.ts';
import { razorpayCollectionEvent } from '../../../workflows/payments/razorpay-collection.contract.ts';
import type { Tx } from '../../client.ts';
import type { InvoiceRow } from '../billing/invoices.ts';
import { forgetPlan } from '../billing/planned-charges.ts';
import type { SubscriptionContext } from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { endRazorpaySubscription, RAZORPAY_CURRENCY } from './end-razorpay-subscription.ts';
import { livingRazorpaySubscriptions, type RazorpaySubscriptionRow } from './razorpay-subscriptions.ts';

export type RazorpaysPart =
  | { kind: 'none' }
  /** It may be authorised at this moment, or go on again: look at these first. */
  | { kind: 'look'; externalIds: string[] }
  | { kind: 'collects'; by: RazorpaySubscriptionRow };

export async function razorpaysPart(
  tx: Tx,
  { plan, subscription }: SubscriptionContext,
  { kind, periodStartsAt }: InvoiceRow,
): Promise<RazorpaysPart> {
  // The difference of a change is no cycle of Razorpay's.
  if (plan.currency !== RAZORPAY_CURRENCY || kind !== 'period') return { kind: 'none' };
  const living = (await livingRazorpaySubscriptions(tx, subscription.id)).filter(({ startsAt }) =>
    collectsPeriod({ startsAt: startsAt?.toISOString() ?? null }, periodStartsAt.toISOString()),
  );
  const by = living.find(({ status }) => isCollecting(status));
  if (by !== undefined) return { kind: 'collects', by };
  const externalIds = living.flatMap(({ externalId }) => (externalId === null ? [] : [externalId]));
  return externalIds.length === 0 ? { kind: 'none' } : { kind: 'look', externalIds };
}

/**
 * Leaves the invoice to Razorpay, and has it looked at: its charge may have been quicker than our invoice. One that is over
 * another amount shows that the price has changed; what Razorpay charges of it still counts, and then the customer must
 * authorise anew. Returns the subscription as it is then.
 */
export async function leaveToRazorpay(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, by, at }: { invoice: InvoiceRow; by: RazorpaySubscriptionRow; at: Date },
): Promise<SubscriptionContext> {
  const { tenantId, subscriptionId, externalId } = by;
  if (invoice.totalMinor !== by.amountMinor)
    await endRazorpaySubscription(tx, { subscriptionId, reason: 'amount_changed', at });
  if (externalId !== null) await appendOutbox(tx, tenantId, [razorpayCollectionEvent(externalId, null)]);
  return forgetPlan(tx, context, { invoice, at });
}

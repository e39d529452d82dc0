/** What people are told when Razorpay does not charge any more. */
import type { RazorpayEndReason } from '../../../domain/payments/razorpay-subscription.ts';
import type { Tx } from '../../client.ts';
import type { SubscriptionContext } from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import type { RazorpaySubscriptionRow } from './razorpay-subscriptions.ts';

/** Why it has ended, as a clause after "because" or a colon. */
export function endInWords({ status, endReason }: RazorpaySubscriptionRow): string {
  if (status === 'halted') return 'your bank refused the last charges';
  if (status === 'paused') return 'it was paused at Razorpay';
  return endReason === null ? 'it was ended at Razorpay' : words[endReason];
}

const words: Record<RazorpayEndReason, string> = {
  requested: 'it was ended on request',
  subscription_ended: 'the subscription has ended',
  subscription_cancelled: 'the subscription is cancelled for the end of its period',
  subscription_paused: 'the subscription is paused',
  terms_changed: 'what you pay for has changed',
  start_moved: 'the first charge has moved to another day',
  amount_changed: 'the price of a period has changed',
  replaced: 'another authorisation has taken its place',
  ended_at_razorpay: 'it was ended at Razorpay',
};

/** One mail for each authorisation that the customer must give anew; none where they want no more charges. */
export async function tellOfTheEnd(
  tx: Tx,
  { subscription, plan }: SubscriptionContext,
  { row, at }: { row: RazorpaySubscriptionRow; at: Date },
): Promise<void> {
  if (row.endReason !== null && wanted.has(row.endReason)) return;
  await enqueueNotification(tx, {
    tenantId: row.tenantId,
    at,
    request: {
      template: 'automatic_payment_ended',
      variables: { planName: plan.name, because: endInWords(row) },
      customerId: subscription.customerId,
      subscriptionId: subscription.id,
      dedupeKey: `razorpay_subscription:${row.id}:ended`,
    },
  });
}

const wanted: ReadonlySet<RazorpayEndReason> = new Set([
  'requested',
  'subscription_ended',
  'subscription_cancelled',
  'replaced',
]);

/**
 * The end of a subscription whose last change waits for an invoice that will not come any more: it gets one of its own,
 * paid with what we hold for the customer. The rest stays open; nobody is chased for it. Runs in the transaction that ends
 * the subscription, which clears what waited, so it is billed once.
 */
import type { Tx } from '../../client.ts';
import { payFromCredit } from '../payments/pay-from-credit.ts';
import { issueUnbilledChange } from './issue-invoice.ts';
import type { SubscriptionContext } from './subscriptions.ts';

/** Returns the subscription as it is then. */
export async function billUnbilledChange(
  tx: Tx,
  context: SubscriptionContext,
  at: Date,
): Promise<SubscriptionContext> {
  const invoice = await issueUnbilledChange(tx, context, at);
  return invoice === null ? context : payFromCredit(tx, context, { invoice, at });
}

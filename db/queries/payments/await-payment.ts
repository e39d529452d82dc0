/** How long a subscription waits for the payment that it begins with, or that an upgrade takes effect by. */
import { firstPaymentAwaitedUntil } from '../../../domain/billing/subscription.ts';
import type { Tx } from '../../client.ts';
import type { InvoiceRow } from '../billing/invoices.ts';
import { changeSubscription, type SubscriptionContext, snapshotOf } from '../billing/subscriptions.ts';

/**
 * The payment takes longer than usual: a first payment and an upgrade are awaited until then. An upgrade still gives way at
 * the end of the period it is for.
 */
export async function awaitPayment(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, until, at }: { invoice: Pick<InvoiceRow, 'id'>; until: string; at: Date },
): Promise<SubscriptionContext> {
  const { status, pendingChange, periodEndsAt } = context.subscription;
  const awaitsFirst = status === 'incomplete' || status === 'suspended';
  if (awaitsFirst && until > firstPaymentAwaitedUntil(snapshotOf(context))) {
    return changeSubscription(tx, context, { set: { firstPaymentUntil: new Date(until) }, at });
  }
  if (pendingChange?.kind !== 'upgrade' || pendingChange.invoiceId !== invoice.id) return context;
  const latest =
    periodEndsAt === null || until < periodEndsAt.toISOString() ? until : periodEndsAt.toISOString();
  if (latest <= pendingChange.at) return context;
  return changeSubscription(tx, context, { set: { pendingChange: { ...pendingChange, at: latest } }, at });
}

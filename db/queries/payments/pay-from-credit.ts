/**
 * Pays an invoice with what we hold for the customer before a card is asked: overpayments, and credits of plan changes.
 *
 * Why it is safe to run twice: it is a payment like any other, unique per invoice, in the transaction that issues the
 * invoice and under the customer's lock.
 */
import { money } from '../../../domain/money.ts';
import { creditUsed } from '../../../domain/payments/smallest-charge.ts';
import type { Tx } from '../../client.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import { lockSubscription, type SubscriptionContext } from '../billing/subscriptions.ts';
import { settlePayment } from './settle-payment.ts';

/** Returns the subscription as it is then; the invoice may be paid, partly or altogether. */
export async function payFromCredit(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, at }: { invoice: InvoiceRow; at: Date },
): Promise<SubscriptionContext> {
  const { creditMinor } = context.customer;
  const due = dueOf(invoice);
  const usedMinor = creditUsed({ creditMinor, dueMinor: due.amountMinor, currency: due.currency });
  if (invoice.status !== 'open' || usedMinor === 0) return context;
  const { tenantId, id: invoiceId } = invoice;
  const amount = money(usedMinor, invoice.currency);
  await settlePayment(tx, { tenantId, invoiceId, rail: 'credit', externalId: invoiceId, amount, at });
  return lockSubscription(tx, context.subscription.id);
}

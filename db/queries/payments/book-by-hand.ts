/**
 * Books money that a person has recorded, alone or with the word of another one: the payment, the audit log, and a receipt for
 * the customer. What completes an invoice is told with everything that follows from a paid invoice; what does not has a mail of
 * its own.
 *
 * Why it is safe to run twice: the reference of the money is unique, so the second run finds the payment and changes nothing;
 * all of it is one transaction under the customer's lock.
 */
import { isTerminal } from '../../../domain/billing/subscription.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { manualMethodInWords } from '../../../domain/payments/manual-payment.ts';
import type { Tx } from '../../client.ts';
import { dueOf, readInvoice } from '../billing/invoices.ts';
import { lockSubscription } from '../billing/subscriptions.ts';
import { tellSubscriber } from '../messaging/tell-subscriber.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { type RecordedPayment, recordCustomerPayment, recordInvoicePayment } from './record-payment.ts';
import type { RecordedByHand, Settled } from './settle-payment.ts';

/** What the money is for: an invoice, or whatever the customer owes longest. */
export type PaymentTarget = { customerId: string; invoiceId: string | null };

export type HandRecord = RecordedPayment & { hand: RecordedByHand };

/** Throws what recording a payment throws. `actor`: by whose word it is booked. */
export async function bookByHand(
  tx: Tx,
  { customerId, invoiceId }: PaymentTarget,
  { actor, ...recorded }: HandRecord & { actor: string },
): Promise<Settled & { invoiceId: string }> {
  const settled =
    invoiceId === null
      ? await recordCustomerPayment(tx, { ...recorded, customerId })
      : { ...(await recordInvoicePayment(tx, { ...recorded, invoiceId })), invoiceId };
  if (settled.outcome === 'duplicate') return settled;
  const { tenantId, hand, at } = recorded;
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'payment.recorded',
    entityType: 'payment',
    entityId: settled.paymentId,
    reason: hand.reason,
    details: {
      invoiceId: settled.invoiceId,
      outcome: settled.outcome,
      method: hand.method,
      ...(hand.approvalId !== null && { approvalId: hand.approvalId, recordedBy: hand.recordedBy }),
    },
    at,
  });
  if (settled.outcome !== 'settled') await sendReceipt(tx, recorded, settled);
  return settled;
}

/** What came after the end of the subscription is told as such. */
async function sendReceipt(
  tx: Tx,
  { amount, hand: { method, chequeNumber }, at }: HandRecord,
  { paymentId, outcome, invoiceId }: Settled & { invoiceId: string },
): Promise<void> {
  const invoice = await readInvoice(tx, invoiceId);
  const context = await lockSubscription(tx, invoice.subscriptionId);
  if (context.customer.erasedAt !== null) return;
  if (outcome === 'credited' && isTerminal(context.subscription.status)) return;
  await tellSubscriber(tx, context, at, {
    template: 'payment_recorded',
    variables: {
      planName: context.plan.name,
      invoiceNumber: invoice.number,
      amount: formatMoney(money(invoice.totalMinor, invoice.currency)),
      received: formatMoney(amount),
      method: manualMethodInWords(method, chequeNumber),
      standing:
        outcome === 'partial'
          ? `Of the invoice ${formatMoney(dueOf(invoice))} are still to be paid.`
          : 'Nothing of the invoice was due any more, so it is kept as your credit.',
    },
    attaches: { kind: 'receipt', paymentId },
    occasion: paymentId,
  });
}

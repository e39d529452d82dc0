/**
 * The books of a refund: when money is given back, cash leaves, payment and invoice remember it, a credit note corrects
 * the invoice and the customer is told; when the bank sends it back, all of that is taken back. Call under the
 * customer's lock; the caller knows that it has not been done yet.
 */
import { and, eq, sql } from 'drizzle-orm';
import { formatMoney, money, subtract } from '../../../domain/money.ts';
import type { Tx } from '../../client.ts';
import { customers, invoices } from '../../schema/billing.ts';
import { payments, refunds } from '../../schema/payments.ts';
import { negative } from '../billing/invoices.ts';
import { addTimelineEntry, type SubscriptionContext } from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { issueCreditNote, reverseCreditNote } from './credit-notes.ts';
import { type LedgerAccount, postToLedger } from './ledger.ts';
import type { PaymentRow } from './read-payments.ts';
import type { RefundContext, RefundRow } from './refunds.ts';

type Booking = RefundContext & { refund: RefundRow; at: Date };

/** What was paid out of the customer's credit goes back there: no cash moves, and no mail speaks of a bank. */
export async function giveBack(tx: Tx, booking: Booking): Promise<RefundRow> {
  const { refund, payment, invoice, context, at } = booking;
  const amount = money(refund.amountMinor, refund.currency);
  const unspentMinor = refund.lines.length > 0 ? 0 : await unspentCredit(tx, payment, context);
  const creditMinor = Math.min(amount.amountMinor, unspentMinor);
  const [given] = await tx
    .update(refunds)
    .set({ status: 'succeeded', creditMinor, refundedAt: at })
    .where(eq(refunds.id, refund.id))
    .returning();
  if (given === undefined) throw new Error(`Refund ${refund.id} disappeared`);

  await postRefund(tx, { ...booking, refund: given, sign: 1 });
  await issueCreditNote(tx, { refund: given, invoice, at });
  const toCredit = payment.rail === 'credit';
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'payment_refunded',
    message: toCredit
      ? `${formatMoney(amount)} of invoice ${invoice.number} went back to the customer's credit.`
      : `${formatMoney(amount)} of invoice ${invoice.number} was refunded.`,
    details: { invoiceId: invoice.id, paymentId: payment.id, refundId: refund.id },
  });
  if (!toCredit) await tellCustomer(tx, booking);
  return given;
}

/** The bank could not pay it out: we have the money again, and a person decides what to do with it. */
export async function takeBack(tx: Tx, booking: Booking): Promise<void> {
  const { refund, invoice, context, at } = booking;
  await tx
    .update(refunds)
    .set({ status: 'failed', reversedAt: at, failureCode: 'failed_at_bank' })
    .where(eq(refunds.id, refund.id));
  await postRefund(tx, { ...booking, sign: -1 });
  await reverseCreditNote(tx, { refund, at });
  const amount = money(refund.amountMinor, refund.currency);
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'refund_failed',
    message: `The refund of ${formatMoney(amount)} of invoice ${invoice.number} failed at the bank: the money is back with us.`,
    details: { invoiceId: invoice.id, paymentId: refund.paymentId, refundId: refund.id },
  });
}

function tellCustomer(tx: Tx, { refund, invoice, context, at }: Booking): Promise<void> {
  return enqueueNotification(tx, {
    tenantId: refund.tenantId,
    at,
    request: {
      template: 'payment_refunded',
      variables: {
        planName: context.plan.name,
        invoiceNumber: invoice.number,
        amount: formatMoney(money(invoice.totalMinor, invoice.currency)),
        refunded: formatMoney(money(refund.amountMinor, refund.currency)),
      },
      customerId: invoice.customerId,
      subscriptionId: invoice.subscriptionId,
      dedupeKey: `refund:${refund.id}`,
    },
  });
}

async function postRefund(
  tx: Tx,
  { refund, payment, invoice, sign, at }: Booking & { sign: 1 | -1 },
): Promise<void> {
  const { id, tenantId, currency } = refund;
  const refundedMinor = sign * refund.amountMinor;
  const creditMinor = sign * refund.creditMinor;
  const toCreditMinor = payment.rail === 'credit' ? refundedMinor : 0;
  await tx
    .update(payments)
    .set({ refundedMinor: sql`${payments.refundedMinor} + ${refundedMinor}` })
    .where(eq(payments.id, payment.id));
  await tx
    .update(invoices)
    .set({ refundedMinor: sql`${invoices.refundedMinor} + ${refundedMinor}` })
    .where(eq(invoices.id, invoice.id));
  await tx
    .update(customers)
    .set({ creditMinor: sql`${customers.creditMinor} + ${toCreditMinor - creditMinor}` })
    .where(eq(customers.id, invoice.customerId));
  const source: LedgerAccount = payment.rail === 'credit' ? 'customer_credit' : `cash:${payment.rail}`;
  const [amount, credit] = [money(refundedMinor, currency), money(creditMinor, currency)];
  await postToLedger(tx, {
    tenantId,
    kind: sign === 1 ? 'refund' : 'refund_reversed',
    reference: id,
    at,
    lines: [
      { account: 'customer_credit', amount: credit },
      { account: 'refunds', amount: subtract(amount, credit) },
      { account: source, amount: negative(amount) },
    ],
  });
}

/** What of the payment is still the customer's credit: it has paid no invoice, and was not given back before. */
export async function unspentCredit(
  tx: Tx,
  { id, rail, amountMinor, allocatedMinor }: PaymentRow,
  { customer }: SubscriptionContext,
): Promise<number> {
  if (rail === 'credit') return 0;
  const [given] = await tx
    .select({ creditMinor: sql<number>`coalesce(sum(${refunds.creditMinor}), 0)::int8`.mapWith(Number) })
    .from(refunds)
    .where(and(eq(refunds.paymentId, id), eq(refunds.status, 'succeeded')));
  const [{ creditMinor = 0 } = {}] = await tx
    .select({ creditMinor: customers.creditMinor })
    .from(customers)
    .where(eq(customers.id, customer.id));
  const unallocated = amountMinor - allocatedMinor - (given?.creditMinor ?? 0);
  return Math.max(0, Math.min(unallocated, creditMinor));
}

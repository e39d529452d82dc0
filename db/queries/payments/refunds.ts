/**
 * Refunds as the vendor lists them: what is new is booked, what the bank sent back is reversed.
 *
 * Why it is safe to run twice: a refund is unique by the vendor's id and remembers that it was reversed; what the vendor
 * says now is compared with what is booked, under the customer's lock.
 */
import { and, eq, isNull, sql } from 'drizzle-orm';
import { formatMoney, money, subtract } from '../../../domain/money.ts';
import type { CardCharge } from '../../../domain/payments/card-payment.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { customers, invoices } from '../../schema/billing.ts';
import { payments, refunds } from '../../schema/payments.ts';
import { type InvoiceRow, negative, readInvoice } from '../billing/invoices.ts';
import { addTimelineEntry, lockSubscription, type SubscriptionContext } from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { postToLedger } from './ledger.ts';

type PaymentRow = typeof payments.$inferSelect;
type RefundRow = typeof refunds.$inferSelect;

/** Compares the refunds of a charge with those booked. A charge that is no payment of ours has none. */
export async function bookRefunds(
  tx: Tx,
  { charge, at }: { charge: Pick<CardCharge, 'externalId' | 'refunds' | 'failedRefundIds'>; at: Date },
): Promise<void> {
  const payment = await findCardPayment(tx, charge.externalId);
  if (payment === null) return;
  const invoice = await readInvoice(tx, payment.invoiceId);
  const context = await lockSubscription(tx, invoice.subscriptionId);
  const booked = await tx
    .select()
    .from(refunds)
    .where(and(eq(refunds.paymentId, payment.id), isNull(refunds.reversedAt)));

  // Only what the vendor says has failed: an answer that is older than a refund does not list it at all.
  for (const refund of booked.filter(({ externalId }) => charge.failedRefundIds.includes(externalId))) {
    await reverseRefund(tx, { refund, invoice, context, at });
  }
  for (const refund of charge.refunds)
    await bookRefund(tx, { refund, paymentId: payment.id, invoice, context });
}

/** Money given back: cash leaves, the invoice and the payment remember it, the customer is told once. */
async function bookRefund(
  tx: Tx,
  {
    refund: { externalId, amount, createdAt },
    paymentId,
    invoice,
    context,
  }: {
    refund: CardCharge['refunds'][number];
    paymentId: string;
    invoice: InvoiceRow;
    context: SubscriptionContext;
  },
): Promise<void> {
  const [payment] = await tx.select().from(payments).where(eq(payments.id, paymentId));
  if (payment === undefined) throw new Error(`Payment ${paymentId} disappeared`);
  const { tenantId } = payment;
  const at = new Date(createdAt);
  const creditMinor = Math.min(amount.amountMinor, await unspentCredit(tx, payment, context));
  const [refund] = await tx
    .insert(refunds)
    .values({
      id: newId('ref'),
      tenantId,
      paymentId,
      externalId,
      amountMinor: amount.amountMinor,
      creditMinor,
      currency: amount.currency,
      refundedAt: at,
    })
    .onConflictDoNothing()
    .returning();
  if (refund === undefined) return;

  await postRefund(tx, { refund, invoice, sign: 1, at });
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'payment_refunded',
    message: `${formatMoney(amount)} of invoice ${invoice.number} was refunded.`,
    details: { invoiceId: invoice.id, paymentId, refundId: refund.id },
  });
  await enqueueNotification(tx, {
    tenantId,
    at,
    request: {
      template: 'payment_refunded',
      variables: {
        planName: context.plan.name,
        invoiceNumber: invoice.number,
        amount: formatMoney(money(invoice.totalMinor, invoice.currency)),
        refunded: formatMoney(amount),
      },
      customerId: invoice.customerId,
      subscriptionId: invoice.subscriptionId,
      dedupeKey: `refund:${refund.id}`,
    },
  });
}

/** The bank could not pay it out: we have the money again, and a person decides what to do with it. */
async function reverseRefund(
  tx: Tx,
  {
    refund,
    invoice,
    context,
    at,
  }: { refund: RefundRow; invoice: InvoiceRow; context: SubscriptionContext; at: Date },
): Promise<void> {
  await tx.update(refunds).set({ reversedAt: at }).where(eq(refunds.id, refund.id));
  await postRefund(tx, { refund, invoice, sign: -1, at });
  const amount = money(refund.amountMinor, refund.currency);
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'refund_failed',
    message: `The refund of ${formatMoney(amount)} of invoice ${invoice.number} failed at the bank: the money is back with us.`,
    details: { invoiceId: invoice.id, paymentId: refund.paymentId, refundId: refund.id },
  });
}

async function postRefund(
  tx: Tx,
  { refund, invoice, sign, at }: { refund: RefundRow; invoice: InvoiceRow; sign: 1 | -1; at: Date },
): Promise<void> {
  const { id, tenantId, paymentId, currency } = refund;
  const refundedMinor = sign * refund.amountMinor;
  const creditMinor = sign * refund.creditMinor;
  await tx
    .update(payments)
    .set({ refundedMinor: sql`${payments.refundedMinor} + ${refundedMinor}` })
    .where(eq(payments.id, paymentId));
  await tx
    .update(invoices)
    .set({ refundedMinor: sql`${invoices.refundedMinor} + ${refundedMinor}` })
    .where(eq(invoices.id, invoice.id));
  await tx
    .update(customers)
    .set({ creditMinor: sql`${customers.creditMinor} - ${creditMinor}` })
    .where(eq(customers.id, invoice.customerId));
  const [amount, credit] = [money(refundedMinor, currency), money(creditMinor, currency)];
  await postToLedger(tx, {
    tenantId,
    kind: sign === 1 ? 'refund' : 'refund_reversed',
    reference: id,
    at,
    lines: [
      { account: 'customer_credit', amount: credit },
      { account: 'refunds', amount: subtract(amount, credit) },
      { account: 'cash:stripe', amount: negative(amount) },
    ],
  });
}

/** What of the payment is still the customer's credit: it has paid no invoice, and was not given back before. */
async function unspentCredit(
  tx: Tx,
  { id, amountMinor, allocatedMinor }: PaymentRow,
  { customer }: SubscriptionContext,
): Promise<number> {
  const [given] = await tx
    .select({ creditMinor: sql<number>`coalesce(sum(${refunds.creditMinor}), 0)::int8`.mapWith(Number) })
    .from(refunds)
    .where(and(eq(refunds.paymentId, id), isNull(refunds.reversedAt)));
  const [{ creditMinor = 0 } = {}] = await tx
    .select({ creditMinor: customers.creditMinor })
    .from(customers)
    .where(eq(customers.id, customer.id));
  const unallocated = amountMinor - allocatedMinor - (given?.creditMinor ?? 0);
  return Math.max(0, Math.min(unallocated, creditMinor));
}

async function findCardPayment(tx: Tx, externalId: string): Promise<PaymentRow | null> {
  const [payment] = await tx
    .select()
    .from(payments)
    .where(and(eq(payments.rail, 'stripe'), eq(payments.externalId, externalId)));
  return payment ?? null;
}

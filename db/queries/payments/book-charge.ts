/**
 * Books what the card vendor says about one of our payments, from outside the charging call: webhook, reconciler, or
 * a look of our own. Safe to repeat and in any order: charges only move forward, refunds are unique by their id.
 */
import { and, eq, sql } from 'drizzle-orm';
import { formatMoney, type Money, money } from '../../../domain/money.ts';
import type { CardCharge } from '../../../domain/payments/card-payment.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { invoices } from '../../schema/billing.ts';
import { payments, refunds } from '../../schema/payments.ts';
import { negative, readInvoice } from '../billing/invoices.ts';
import { addTimelineEntry, lockSubscription } from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { findAttempt, finishCharge } from './charge-attempts.ts';
import { postToLedger } from './ledger.ts';

/** Returns true when the charge still waits for the customer although its invoice no longer needs it: cancel it. */
export async function bookCharge(
  tx: Tx,
  { attemptId, charge, at }: { attemptId: string; charge: CardCharge; at: Date },
): Promise<boolean> {
  const attempt = await findAttempt(tx, attemptId);
  if (attempt === null) return false;
  await finishCharge(tx, { attemptId, charge, at });
  for (const refund of charge.refunds) {
    await bookRefund(tx, { paymentExternalId: charge.externalId, ...refund, at: new Date(refund.createdAt) });
  }
  const invoice = await readInvoice(tx, attempt.invoiceId);
  return charge.status === 'requires_action' && invoice.status !== 'open';
}

/** Books money given back: cash leaves, the invoice and the payment remember it, the customer is told once. */
async function bookRefund(
  tx: Tx,
  {
    paymentExternalId,
    externalId,
    amount,
    at,
  }: { paymentExternalId: string; externalId: string; amount: Money; at: Date },
): Promise<void> {
  const [payment] = await tx
    .select()
    .from(payments)
    .where(and(eq(payments.rail, 'stripe'), eq(payments.externalId, paymentExternalId)));
  if (payment === undefined) return;
  const { tenantId, invoiceId } = payment;
  const id = newId('ref');
  const inserted = await tx
    .insert(refunds)
    .values({
      id,
      tenantId,
      paymentId: payment.id,
      externalId,
      amountMinor: amount.amountMinor,
      currency: amount.currency,
      refundedAt: at,
    })
    .onConflictDoNothing()
    .returning({ id: refunds.id });
  if (inserted.length === 0) return;

  const refunded = amount.amountMinor;
  await tx
    .update(payments)
    .set({ refundedMinor: sql`${payments.refundedMinor} + ${refunded}` })
    .where(eq(payments.id, payment.id));
  await tx
    .update(invoices)
    .set({ refundedMinor: sql`${invoices.refundedMinor} + ${refunded}` })
    .where(eq(invoices.id, invoiceId));
  await postToLedger(tx, {
    tenantId,
    kind: 'refund',
    reference: id,
    at,
    lines: [
      { account: 'refunds', amount },
      { account: 'cash:stripe', amount: negative(amount) },
    ],
  });
  const invoice = await readInvoice(tx, invoiceId);
  const { subscription, plan } = await lockSubscription(tx, invoice.subscriptionId);
  await addTimelineEntry(tx, subscription, at, {
    kind: 'payment_refunded',
    message: `${formatMoney(amount)} of invoice ${invoice.number} was refunded.`,
    details: { invoiceId, paymentId: payment.id, refundId: id },
  });
  await enqueueNotification(tx, {
    tenantId,
    at,
    request: {
      template: 'payment_refunded',
      variables: {
        planName: plan.name,
        invoiceNumber: invoice.number,
        amount: formatMoney(money(invoice.totalMinor, invoice.currency)),
        refunded: formatMoney(amount),
      },
      customerId: invoice.customerId,
      subscriptionId: invoice.subscriptionId,
      dedupeKey: `refund:${id}`,
    },
  });
}

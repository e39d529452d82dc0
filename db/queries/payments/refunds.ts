/**
 * Refunds, whoever asked for them: what the vendor says of one is compared with its row. One that we have asked for is
 * known by our id on it, one from the vendor's dashboard gets its row here.
 *
 * Why it is safe to run twice: a refund is unique by the vendor's id, and its row only moves forward (pending, succeeded,
 * failed) under the customer's lock. So the answer of the call and the vendor's events may come in any order, and twice.
 */
import { and, eq, isNull, or } from 'drizzle-orm';
import { DomainError } from '../../../domain/errors.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import type { CardCharge } from '../../../domain/payments/card-payment.ts';
import type { PaymentRail, VendorRail } from '../../../domain/payments/payment.ts';
import {
  type CardRefund,
  type CardRefundRequest,
  type RefundStatus,
  refundIdempotencyKey,
} from '../../../domain/payments/refund.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { refunds } from '../../schema/payments.ts';
import { type InvoiceRow, readInvoice } from '../billing/invoices.ts';
import {
  addTimelineEntry,
  lockSubscription,
  notFound,
  type SubscriptionContext,
} from '../billing/subscriptions.ts';
import { giveBack, releaseCredit, takeBack } from './book-refund.ts';
import { findPayment, findPaymentByReference, type PaymentRow } from './read-payments.ts';

export type RefundRow = typeof refunds.$inferSelect;

/** What a refund is about, under the customer's lock. */
export type RefundContext = { payment: PaymentRow; invoice: InvoiceRow; context: SubscriptionContext };

export type BegunRefund =
  | { kind: 'done'; status: RefundStatus }
  /** `resumed`: an earlier run may have reached the vendor; look the refund up first. */
  | { kind: 'ask'; rail: PaymentRail; resumed: boolean; paymentId: string; request: CardRefundRequest };

/** Decides whether the vendor is to be asked. Commit before calling it. */
export async function beginRefund(
  tx: Tx,
  { refundId, at }: { refundId: string; at: Date },
): Promise<BegunRefund> {
  const { paymentId } = await readRefund(tx, refundId);
  const { payment, invoice } = await lockPayment(tx, paymentId);
  const refund = await readRefund(tx, refundId);
  if (refund.status !== 'pending' || refund.externalId !== null)
    return { kind: 'done', status: refund.status };
  if (refund.askedAt === null) await tx.update(refunds).set({ askedAt: at }).where(eq(refunds.id, refundId));
  return {
    kind: 'ask',
    rail: payment.rail,
    resumed: refund.askedAt !== null,
    paymentId,
    request: {
      tenantId: refund.tenantId,
      invoiceId: invoice.id,
      refundId,
      paymentId: payment.externalId,
      amount: money(refund.amountMinor, refund.currency),
      idempotencyKey: refundIdempotencyKey(refundId),
    },
  };
}

/** Compares the refunds of a charge with those booked. A charge that is no payment of ours has none. */
export async function bookRefunds(
  tx: Tx,
  {
    rail = 'stripe',
    charge,
    at,
  }: { rail?: VendorRail | 'coinbase'; charge: Pick<CardCharge, 'externalId' | 'refunds'>; at: Date },
): Promise<void> {
  if (charge.refunds.length === 0) return;
  const payment = await findPaymentByReference(tx, { rail, externalId: charge.externalId });
  if (payment === null) return;
  for (const refund of charge.refunds) await bookRefund(tx, { paymentId: payment.id, refund, at });
}

/** Books what the vendor says of one refund of a payment; an answer that is older than what is booked changes nothing. */
export async function bookRefund(
  tx: Tx,
  { paymentId, refund: seen, at }: { paymentId: string; refund: CardRefund; at: Date },
): Promise<{ status: RefundStatus }> {
  const subject = await lockPayment(tx, paymentId);
  const row = await findRow(tx, paymentId, seen);
  // One that failed before we heard of it has never touched our books.
  if (row === null && seen.status === 'failed') return { status: 'failed' };
  const refund = row === null ? await insertFound(tx, subject, seen) : await identified(tx, row, seen);
  const { status } = refund;
  if (seen.status === 'succeeded' && status === 'pending') {
    // What the bank has worked on is given now; anything else was given when the vendor made it.
    const wasWaiting = row !== null && row.externalId !== null;
    await giveBack(tx, { ...subject, refund, at: wasWaiting ? at : new Date(seen.createdAt) });
    return { status: 'succeeded' };
  }
  if (seen.status === 'failed' && status !== 'failed') {
    await (status === 'succeeded'
      ? takeBack(tx, { ...subject, refund, at })
      : fail(tx, { ...subject, refund, reason: FAILED_AT_BANK, at }));
    return { status: 'failed' };
  }
  return { status };
}

/** The vendor refuses to give it back: nothing has happened, and its share of the payment is free again. */
export async function refuseRefund(
  tx: Tx,
  { refundId, reason, at }: { refundId: string; reason: string; at: Date },
): Promise<{ status: RefundStatus }> {
  const { paymentId } = await readRefund(tx, refundId);
  const subject = await lockPayment(tx, paymentId);
  const refund = await readRefund(tx, refundId);
  if (refund.status !== 'pending' || refund.externalId !== null) return { status: refund.status };
  await fail(tx, { ...subject, refund, reason, at });
  return { status: 'failed' };
}

/** Throws `not_found`. */
export async function lockPayment(tx: Tx, paymentId: string): Promise<RefundContext> {
  const { invoiceId } = await readPayment(tx, paymentId);
  const { subscriptionId } = await readInvoice(tx, invoiceId);
  const context = await lockSubscription(tx, subscriptionId);
  return { context, payment: await readPayment(tx, paymentId), invoice: await readInvoice(tx, invoiceId) };
}

async function readPayment(tx: Tx, paymentId: string): Promise<PaymentRow> {
  const payment = await findPayment(tx, paymentId);
  if (payment === null) throw notFound('payment', paymentId);
  return payment;
}

export async function readRefund(tx: Tx, refundId: string): Promise<RefundRow> {
  const [refund] = await tx.select().from(refunds).where(eq(refunds.id, refundId));
  if (refund === undefined) throw notFound('refund', refundId);
  return refund;
}

/** By the vendor's id; or by ours, where we have asked and do not know the vendor's yet. */
async function findRow(
  tx: Tx,
  paymentId: string,
  { externalId, refundId }: CardRefund,
): Promise<RefundRow | null> {
  const isOurs =
    refundId === undefined ? undefined : and(eq(refunds.id, refundId), isNull(refunds.externalId));
  const rows = await tx
    .select()
    .from(refunds)
    .where(and(eq(refunds.paymentId, paymentId), or(eq(refunds.externalId, externalId), isOurs)));
  return rows.find((row) => row.externalId === externalId) ?? rows[0] ?? null;
}

/** Remembers the vendor's id. What the vendor has under our id was not refused, whatever an earlier answer said. */
async function identified(tx: Tx, refund: RefundRow, seen: CardRefund): Promise<RefundRow> {
  if (refund.externalId !== null) return refund;
  const isOver = refund.status === 'failed' && seen.status === 'failed';
  const [row] = await tx
    .update(refunds)
    .set({ externalId: seen.externalId, ...(!isOver && { status: 'pending', failureCode: null }) })
    .where(eq(refunds.id, refund.id))
    .returning();
  if (row === undefined) throw notFound('refund', refund.id);
  return row;
}

/** Made in the vendor's dashboard. */
async function insertFound(
  tx: Tx,
  { payment }: RefundContext,
  { externalId, amount, createdAt }: CardRefund,
): Promise<RefundRow> {
  if (amount.currency !== payment.currency) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'currency_mismatch',
      message: `Payment ${payment.id} is in ${payment.currency}; its refund ${externalId} is in ${amount.currency}.`,
    });
  }
  const [row] = await tx
    .insert(refunds)
    .values({
      id: newId('ref'),
      tenantId: payment.tenantId,
      paymentId: payment.id,
      status: 'pending',
      externalId,
      amountMinor: amount.amountMinor,
      currency: amount.currency,
      requestedAt: new Date(createdAt),
    })
    .returning();
  if (row === undefined) throw new Error('An inserted refund was not returned');
  return row;
}

/** As codes of the vendor's own refusals. */
const FAILED_AT_BANK = 'failed_at_bank';

async function fail(
  tx: Tx,
  { reason, ...booking }: RefundContext & { refund: RefundRow; reason: string; at: Date },
): Promise<void> {
  const { refund, invoice, context, at } = booking;
  await releaseCredit(tx, booking);
  await tx.update(refunds).set({ status: 'failed', failureCode: reason }).where(eq(refunds.id, refund.id));
  const amount = formatMoney(money(refund.amountMinor, refund.currency));
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'refund_failed',
    message: `The refund of ${amount} of invoice ${invoice.number} was refused (${reason}): nothing was given back.`,
    details: { invoiceId: invoice.id, paymentId: refund.paymentId, refundId: refund.id },
  });
}

/**
 * Money that a person records by hand: booked at once up to a limit, and from there on asked about until somebody else approves
 * or rejects it. What one person has booked alone for a customer within a day counts together.
 *
 * Why it is safe to run twice: everything happens under the customer's lock. A reference is booked once and asked about once at a
 * time, so the same money recorded again is the same payment or the same approval. An approval is decided once, in the
 * transaction that books it: two who decide at once come one after the other, and the second one's act does nothing or is refused.
 */
import { and, asc, eq, gt, inArray } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { bankPolicy } from '../../../domain/payments/bank-policy.ts';
import { exchanged } from '../../../domain/payments/foreign-payment.ts';
import {
  type ApprovalAct,
  type ApprovalStatus,
  approvalMistake,
  approvalStatusAfter,
  type ManualMethod,
  manualMethodInWords,
  needsApproval,
} from '../../../domain/payments/manual-payment.ts';
import { dayAt } from '../../../domain/reporting/report-days.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { paymentApprovals } from '../../schema/payment-approvals.ts';
import { payments } from '../../schema/payments.ts';
import { type InvoiceRow, readInvoice } from '../billing/invoices.ts';
import { lockCustomer, notFound } from '../billing/subscriptions.ts';
import { enqueueOperatorNotice } from '../messaging/operator-notices.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { currentTenant } from '../tenants/tenants.ts';
import { bookByHand, type PaymentTarget } from './book-by-hand.ts';
import { bookedAlone } from './booked-alone.ts';
import { usdWorth } from './exchange-rates.ts';
import { findPaymentByReference } from './read-payments.ts';
import { checkBookable, oldestUnpaid, type RecordedPayment } from './record-payment.ts';
import type { Settled } from './settle-payment.ts';

export type PaymentApprovalRow = typeof paymentApprovals.$inferSelect;

export type HandWish = Omit<RecordedPayment, 'hand'> & {
  method: ManualMethod;
  chequeNumber: string | null;
  /** Why it is recorded, for the audit log. */
  reason: string;
  actor: string;
};

export type RecordedOrAsked =
  | { kind: 'booked'; settled: Settled & { invoiceId: string } }
  | { kind: 'asked'; approval: PaymentApprovalRow };

/**
 * Throws what recording a payment throws, and `state_conflict` (`reference_awaits_approval`) for other money under a reference that
 * is asked about. Nothing is written then.
 */
export async function recordByHand(
  tx: Tx,
  named: { customerId: string } | { invoiceId: string },
  wish: HandWish,
): Promise<RecordedOrAsked> {
  const target = await targetOf(tx, named);
  await lockCustomer(tx, target.customerId);
  const booked = await findPaymentByReference(tx, { rail: 'manual', externalId: wish.reference });
  if (booked !== null) return book(tx, target, { ...wish, usdMinor: null });
  const waiting = await findWaiting(tx, wish.reference);
  if (waiting !== null) return { kind: 'asked', approval: sameMoney(waiting, target, wish) };

  const invoice =
    target.invoiceId === null
      ? await oldestUnpaid(tx, target.customerId)
      : await readInvoice(tx, target.invoiceId);
  const usdMinor = await worthOf(tx, wish, invoice);
  const aloneUsdMinor = await bookedAlone(tx, { ...wish, customerId: target.customerId });
  const { fourEyesUsdMinor } = bankPolicy;
  return needsApproval({ usdMinor, aloneUsdMinor, fourEyesUsdMinor })
    ? ask(tx, target, { ...wish, usdMinor, invoice })
    : book(tx, target, { ...wish, usdMinor });
}

/**
 * Approves or rejects; done before, it does nothing. Throws `not_found`, `state_conflict` (see `approvalMistake`), and what
 * recording the payment throws.
 */
export async function decideApproval(
  tx: Tx,
  {
    id,
    act,
    actor,
    at,
    rejection,
  }: { id: string; act: ApprovalAct; actor: string; at: Date; rejection?: string },
): Promise<PaymentApprovalRow> {
  const { customerId } = await readApproval(tx, id);
  await lockCustomer(tx, customerId);
  const approval = await readApproval(tx, id);
  const mistake = approvalMistake(approval, act, actor);
  if (mistake !== null) throw stateConflict(mistake.reason, mistake.message);
  const status = approvalStatusAfter[act];
  if (approval.status === status) return approval;
  if (act === 'approve') await bookApproved(tx, approval, { actor, at });
  const [row] = await tx
    .update(paymentApprovals)
    .set({ status, decidedBy: actor, decidedAt: at, rejection: rejection ?? null })
    .where(eq(paymentApprovals.id, id))
    .returning();
  if (row === undefined) throw new Error(`Payment approval ${id} disappeared`);
  await audit(tx, row, { action: status, actor, reason: rejection, at });
  return row;
}

export async function readApproval(tx: Tx, id: string): Promise<PaymentApprovalRow> {
  const [row] = await tx.select().from(paymentApprovals).where(eq(paymentApprovals.id, id));
  if (row === undefined) throw notFound('payment approval', id);
  return row;
}

/** Oldest first, so that what waits longest is seen first. */
export function listApprovals(
  tx: Tx,
  {
    status,
    cursor,
    limit,
  }: { status?: ApprovalStatus | undefined; cursor?: string | undefined; limit: number },
): Promise<PaymentApprovalRow[]> {
  return tx
    .select()
    .from(paymentApprovals)
    .where(
      and(
        status === undefined ? undefined : eq(paymentApprovals.status, status),
        cursor === undefined ? undefined : gt(paymentApprovals.id, cursor),
      ),
    )
    .orderBy(asc(paymentApprovals.id))
    .limit(limit);
}

/** By approval, the payment that was booked with it. */
export async function approvedPayments(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await tx
    .select({ id: payments.id, approvalId: payments.approvalId })
    .from(payments)
    .where(inArray(payments.approvalId, [...ids]));
  return new Map(rows.flatMap(({ id, approvalId }) => (approvalId === null ? [] : [[approvalId, id]])));
}

async function targetOf(
  tx: Tx,
  named: { customerId: string } | { invoiceId: string },
): Promise<PaymentTarget> {
  if ('customerId' in named) return { customerId: named.customerId, invoiceId: null };
  const { customerId } = await readInvoice(tx, named.invoiceId);
  return { customerId, invoiceId: named.invoiceId };
}

async function findWaiting(tx: Tx, reference: string): Promise<PaymentApprovalRow | null> {
  const [row] = await tx
    .select()
    .from(paymentApprovals)
    .where(and(eq(paymentApprovals.reference, reference), eq(paymentApprovals.status, 'asked')));
  return row ?? null;
}

/** The approval, where it asks about this money. */
function sameMoney(
  waiting: PaymentApprovalRow,
  { customerId, invoiceId }: PaymentTarget,
  { amount, reference }: HandWish,
): PaymentApprovalRow {
  const isSame =
    waiting.customerId === customerId &&
    waiting.invoiceId === invoiceId &&
    waiting.amountMinor === amount.amountMinor &&
    waiting.currency === amount.currency;
  if (isSame) return waiting;
  throw stateConflict(
    'reference_awaits_approval',
    `The reference ${reference} stands for other money that waits to be approved (${waiting.id}); approve or reject that first, or use a reference of its own.`,
  );
}

/**
 * What a record is worth in cents of US dollars: what came, or what it counts for by the rate that was given with it, whichever
 * is more; null where no rate says that but those of whoever records it.
 */
async function worthOf(tx: Tx, wish: HandWish, invoice: InvoiceRow): Promise<number | null> {
  const { amount, actor, receivedAt } = wish;
  const rate = await checkBookable(tx, wish, invoice);
  const { timeZone } = await currentTenant(tx);
  const day = dayAt(receivedAt.toISOString(), timeZone);
  const received = await usdWorth(tx, amount, { day, actor });
  if (rate === null || received === null) return received;
  const counted = await usdWorth(tx, exchanged(amount, { rate, duesMinor: [] }).converted, { day, actor });
  return counted === null ? null : Math.max(received, counted);
}

async function book(
  tx: Tx,
  target: PaymentTarget,
  { method, chequeNumber, reason, actor, usdMinor, ...recorded }: HandWish & { usdMinor: number | null },
): Promise<RecordedOrAsked> {
  const by = { recordedBy: actor, recordedAt: recorded.at, approvalId: null };
  const hand = { method, chequeNumber, reason, usdMinor, ...by };
  return { kind: 'booked', settled: await bookByHand(tx, target, { ...recorded, hand, actor }) };
}

async function ask(
  tx: Tx,
  target: PaymentTarget,
  { invoice, usdMinor, ...wish }: HandWish & { invoice: InvoiceRow; usdMinor: number | null },
): Promise<RecordedOrAsked> {
  const { tenantId, amount, actor, at } = wish;
  const [approval] = await tx
    .insert(paymentApprovals)
    .values({
      id: newId('pap'),
      tenantId,
      status: 'asked',
      ...target,
      reference: wish.reference,
      method: wish.method,
      chequeNumber: wish.chequeNumber,
      ...amount,
      bankFeeMinor: wish.bankFeeMinor ?? 0,
      exchangeRate: wish.exchange?.rate ?? null,
      rateSource: wish.exchange?.source ?? null,
      receivedAt: wish.receivedAt,
      note: wish.note ?? null,
      reason: wish.reason,
      usdMinor,
      askedBy: actor,
      askedAt: at,
    })
    // Of another customer, who is not locked here.
    .onConflictDoNothing()
    .returning();
  if (approval === undefined) {
    const other = await findWaiting(tx, wish.reference);
    if (other === null) throw new Error(`What waits under the reference ${wish.reference} disappeared`);
    return { kind: 'asked', approval: sameMoney(other, target, wish) };
  }
  await audit(tx, approval, { action: 'asked', actor, reason: wish.reason, at });
  // The number of a cheque is the customer's, and no part of what operators keep.
  const came = `${formatMoney(amount)} (${manualMethodInWords(wish.method, null)})`;
  await enqueueOperatorNotice(tx, {
    tenantId,
    at,
    key: `payment_approval:${approval.id}:asked`,
    template: 'payment_operator_alert',
    variables: {
      invoiceNumber: invoice.number,
      what: `${came} was recorded and waits for a second person, who approves or rejects it (${approval.id}).`,
    },
  });
  return { kind: 'asked', approval };
}

/** As it was asked for: the money came when it came, whenever somebody looks at it. */
async function bookApproved(
  tx: Tx,
  approval: PaymentApprovalRow,
  { actor, at }: { actor: string; at: Date },
): Promise<void> {
  const { tenantId, reference, exchangeRate: rate, rateSource: source } = approval;
  await bookByHand(tx, approval, {
    tenantId,
    reference,
    amount: money(approval.amountMinor, approval.currency),
    bankFeeMinor: approval.bankFeeMinor,
    exchange: rate === null || source === null ? undefined : { rate, source },
    receivedAt: approval.receivedAt,
    note: approval.note ?? undefined,
    hand: {
      method: approval.method,
      chequeNumber: approval.chequeNumber,
      reason: approval.reason,
      usdMinor: approval.usdMinor,
      recordedBy: approval.askedBy,
      recordedAt: approval.askedAt,
      approvalId: approval.id,
    },
    actor,
    at,
  });
}

function audit(
  tx: Tx,
  { id, tenantId, customerId, invoiceId, amountMinor, currency, method }: PaymentApprovalRow,
  { action, actor, reason, at }: { action: string; actor: string; reason?: string | undefined; at: Date },
): Promise<void> {
  return writeAudit(tx, {
    tenantId,
    actor,
    action: `payment_approval.${action}`,
    entityType: 'payment_approval',
    entityId: id,
    ...(reason !== undefined && { reason }),
    details: { customerId, invoiceId, amountMinor, currency, method },
    at,
  });
}

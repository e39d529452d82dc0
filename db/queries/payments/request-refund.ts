/**
 * Somebody wants money of a payment given back. What a vendor took gets a row and the start of the process that asks the
 * vendor; what was recorded by hand was given back by hand, and what was paid from the customer's credit goes back there,
 * so these two are booked at once.
 *
 * Why it is safe to run twice: the caller's idempotency key is in the same transaction. Of two requests at the same moment
 * the second one sees the first one's row, under the customer's lock, so together they never exceed what was paid.
 */
import { asc, eq, inArray } from 'drizzle-orm';
import { DomainError } from '../../../domain/errors.ts';
import { isBusinessId } from '../../../domain/payments/coinbase-checkout.ts';
import { isVendorRail } from '../../../domain/payments/payment.ts';
import {
  isTakenBack,
  planRefund,
  type RefundableLine,
  type RefundablePayment,
  type RefundWish,
} from '../../../domain/payments/refund.ts';
import { startRefund } from '../../../workflows/payments/refund.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { invoiceLines, invoiceLineTaxes } from '../../schema/billing.ts';
import { disputes, payments, refunds } from '../../schema/payments.ts';
import type { InvoiceRow } from '../billing/invoices.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { giveBack, holdCredit } from './book-refund.ts';
import { lockPayment, type RefundContext, type RefundRow } from './refunds.ts';
import { paidBesides, takenOverLines } from './taken-over.ts';

export type RefundRequest = RefundWish & {
  paymentId: string;
  reason?: string | undefined;
  /** No vendor is asked, and somebody sends the money later: until `giveBack` it is only held. */
  isSentLater?: boolean;
  /** Who asked, for the audit log. */
  actor: string;
  at: Date;
};

/** The start is left in the outbox; its lease gives the caller a moment to deliver it itself. Null where nobody is asked. */
export type RequestedRefund = RefundContext & {
  refund: RefundRow;
  start: { outboxId: number; envelope: ReturnType<typeof startRefund> } | null;
};

/**
 * Throws `not_found`, and `state_conflict` with the reasons `refund_exceeds_payment`, `refund_exceeds_line`,
 * `payment_disputed`, `payment_returned` and `refunded_at_coinbase`.
 */
export async function requestRefund(tx: Tx, request: RefundRequest): Promise<RequestedRefund> {
  const subject = await lockPayment(tx, request.paymentId);
  const { payment, invoice } = subject;
  if (isToldOfRefunds(payment)) throw givenBackThere(payment.id);
  const takenOver = await takenOverLines(tx, invoice);
  const planned = planRefund(
    await refundableOf(tx, subject, takenOver),
    await linesOf(tx, invoice, takenOver),
    request,
  );
  const refund = await insertRefund(tx, subject, { ...request, ...planned });
  await writeAudit(tx, {
    tenantId: payment.tenantId,
    actor: request.actor,
    action: 'refund.requested',
    entityType: 'refund',
    entityId: refund.id,
    details: { paymentId: payment.id, amountMinor: refund.amountMinor },
    ...(request.reason !== undefined && { reason: request.reason }),
    at: request.at,
  });
  if (request.isSentLater === true) {
    return { ...subject, refund: await holdCredit(tx, { ...subject, refund, at: request.at }), start: null };
  }
  if (!isVendorRail(payment.rail)) {
    return { ...subject, refund: await giveBack(tx, { ...subject, refund, at: request.at }), start: null };
  }
  const held = await holdCredit(tx, { ...subject, refund, at: request.at });
  const { tenantId, customerId } = payment;
  const envelope = startRefund({ tenantId, customerId, refundId: refund.id });
  const [outboxId] = await appendOutbox(tx, tenantId, [envelope], { leaseSeconds: LEASE_SECONDS });
  if (outboxId === undefined) throw new Error('An inserted outbox row was not returned');
  return { ...subject, refund: held, start: { outboxId, envelope } };
}

/** Coinbase tells of the refunds of its checkouts, which people make there. Of what Commerce took nobody tells any more. */
function isToldOfRefunds({ rail, externalId }: RefundContext['payment']): boolean {
  return rail === 'coinbase' && isBusinessId(externalId);
}

function givenBackThere(paymentId: string): DomainError {
  return new DomainError({
    code: 'state_conflict',
    reason: 'refunded_at_coinbase',
    message: `Payment ${paymentId} came by a checkout of Coinbase: refund it in the dashboard of Coinbase Business; it is booked here when Coinbase tells of it.`,
  });
}

/** Longer than the caller tries; then the relay takes over. */
const LEASE_SECONDS = 5;

/** Throws `state_conflict` while the customer's bank decides about the payment, and once all of it was taken back. */
async function refundableOf(
  tx: Tx,
  { payment, invoice, context }: RefundContext,
  takenOver: ReadonlyMap<string, number>,
): Promise<RefundablePayment> {
  if (isTakenBack(payment)) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'payment_returned',
      message: `The payment was taken back (${payment.returnCode}); there is nothing to give back.`,
    });
  }
  const given = await tx.select().from(refunds).where(eq(refunds.paymentId, payment.id));
  const disputed = await tx.select().from(disputes).where(eq(disputes.paymentId, payment.id));
  const open = disputed.find(({ status }) => status === 'open');
  if (open !== undefined) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'payment_disputed',
      message: `The customer's bank decides about the payment (dispute ${open.id}); nothing is given back beside that.`,
    });
  }
  const lost = disputed.filter(({ status }) => status === 'lost');
  const { rail, amountMinor, allocatedMinor, returnedMinor, currency } = payment;
  const takenOverMinor = [...takenOver.values()].reduce((total, minor) => total + minor, 0);
  return {
    rail,
    amountMinor,
    allocatedMinor,
    currency,
    returnedMinor,
    customerCreditMinor: context.customer.creditMinor,
    disputedMinor: lost.reduce((total, each) => total + each.amountMinor, 0),
    takenOverMinor:
      takenOverMinor === 0 ? 0 : Math.max(0, takenOverMinor - (await paidBesides(tx, payment, invoice))),
    refunds: given,
  };
}

/**
 * The lines of an invoice as they were paid, tax included, with what of each was given back or is on its way, by
 * whichever payment, or was taken over by a plan change.
 */
async function linesOf(
  tx: Tx,
  { id: invoiceId, taxInclusive }: InvoiceRow,
  takenOver: ReadonlyMap<string, number>,
): Promise<RefundableLine[]> {
  const taxes = taxInclusive
    ? []
    : await tx.select().from(invoiceLineTaxes).where(eq(invoiceLineTaxes.invoiceId, invoiceId));
  const taxOf = (lineId: string) =>
    taxes.reduce((total, each) => (each.lineId === lineId ? total + each.amountMinor : total), 0);
  const lines = await tx
    .select()
    .from(invoiceLines)
    .where(eq(invoiceLines.invoiceId, invoiceId))
    .orderBy(asc(invoiceLines.position));
  const paid = tx.select({ id: payments.id }).from(payments).where(eq(payments.invoiceId, invoiceId));
  const given = await tx.select().from(refunds).where(inArray(refunds.paymentId, paid));
  const parts = given.filter(({ status }) => status !== 'failed').flatMap((refund) => refund.lines);
  return lines.map(({ id, amountMinor }) => ({
    id,
    amountMinor: amountMinor + taxOf(id),
    takenMinor: parts.reduce(
      (total, part) => (part.lineId === id ? total + part.amountMinor : total),
      takenOver.get(id) ?? 0,
    ),
  }));
}

async function insertRefund(
  tx: Tx,
  { payment }: RefundContext,
  {
    amountMinor,
    lines,
    reason,
    at,
  }: Pick<RefundRow, 'amountMinor' | 'lines'> & Pick<RefundRequest, 'reason' | 'at'>,
): Promise<RefundRow> {
  const [refund] = await tx
    .insert(refunds)
    .values({
      id: newId('ref'),
      tenantId: payment.tenantId,
      paymentId: payment.id,
      status: 'pending',
      amountMinor,
      lines,
      currency: payment.currency,
      reason: reason ?? null,
      requestedAt: at,
    })
    .returning();
  if (refund === undefined) throw new Error('An inserted refund was not returned');
  return refund;
}

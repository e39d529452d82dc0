/**
 * The books of a dispute. Money that the vendor takes out of our account waits in `disputed`: it is neither ours nor lost.
 * Won, it comes back from there. Lost, it is money given back like a refund, so `disputed` is closed against `refunds`
 * (and against the customer's credit, as far as the payment or a plan change of what it paid had become that), and the
 * invoice shows how much. A lost dispute is no correction of ours and has no credit note. Won after all, what its loss has
 * booked is booked the other way round. The bank's fee is not booked.
 *
 * Why it is safe to run twice: a dispute is unique by the vendor's id and only moves forward under the customer's lock;
 * each of its facts is in the ledger once.
 */
import { eq, sql } from 'drizzle-orm';
import { formatMoney, money, subtract } from '../../../domain/money.ts';
import { type CardDispute, type DisputeChange, disputeChanges } from '../../../domain/payments/dispute.ts';
import { isVendorRail } from '../../../domain/payments/payment.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { invoices } from '../../schema/billing.ts';
import { disputes } from '../../schema/payments.ts';
import { addCredit } from '../billing/customers.ts';
import { isVoidedSince, negative } from '../billing/invoices.ts';
import { addTimelineEntry } from '../billing/subscriptions.ts';
import { unspentCredit } from './book-refund.ts';
import { type LedgerAccount, type LedgerLine, postToLedger, readFact } from './ledger.ts';
import type { DisputeRow } from './read-disputes.ts';
import { lockPayment, type RefundContext } from './refunds.ts';
import { keptAsCredit } from './taken-over.ts';

/** Books what the vendor says of one dispute of a payment. Returns what has changed by it. */
export async function bookDispute(
  tx: Tx,
  { paymentId, dispute: seen, at }: { paymentId: string; dispute: CardDispute; at: Date },
): Promise<{ changes: DisputeChange[]; dispute: DisputeRow; subject: RefundContext }> {
  const subject = await lockPayment(tx, paymentId);
  const known = await findRow(tx, seen.externalId);
  const changes = disputeChanges(
    known && {
      status: known.status,
      isWithdrawn: known.withdrawnAt !== null,
      isReinstated: known.reinstatedAt !== null,
    },
    seen,
  );
  let dispute = known ?? (await insertRow(tx, subject, seen));
  for (const change of changes) {
    dispute = await changeRow(tx, dispute, { change, seen, at });
    await post(tx, subject, { dispute, change, at });
    await tell(tx, subject, { dispute, change, at });
  }
  return { changes, dispute, subject };
}

async function findRow(tx: Tx, externalId: string): Promise<DisputeRow | null> {
  const [row] = await tx.select().from(disputes).where(eq(disputes.externalId, externalId));
  return row ?? null;
}

async function insertRow(
  tx: Tx,
  { payment, invoice }: RefundContext,
  { externalId, amount, reason, openedAt }: CardDispute,
): Promise<DisputeRow> {
  const [row] = await tx
    .insert(disputes)
    .values({
      id: newId('dsp'),
      tenantId: payment.tenantId,
      customerId: payment.customerId,
      invoiceId: invoice.id,
      paymentId: payment.id,
      externalId,
      amountMinor: amount.amountMinor,
      currency: amount.currency,
      reason,
      status: 'open',
      openedAt: new Date(openedAt),
    })
    .returning();
  if (row === undefined) throw new Error('An inserted dispute was not returned');
  return row;
}

async function changeRow(
  tx: Tx,
  before: DisputeRow,
  { change, seen, at }: { change: DisputeChange; seen: CardDispute; at: Date },
): Promise<DisputeRow> {
  if (change === 'opened') return before;
  const set = {
    // What goes may be less than what was asked back.
    withdrawn: { withdrawnAt: at, amountMinor: seen.amount.amountMinor },
    reinstated: { reinstatedAt: at },
    won: { status: 'won', closedAt: at },
    lost: { status: 'lost', closedAt: at },
    overturned: { status: 'won' },
  } as const;
  const [row] = await tx.update(disputes).set(set[change]).where(eq(disputes.id, before.id)).returning();
  if (row === undefined) throw new Error(`Dispute ${before.id} disappeared`);
  return row;
}

type Booking = { dispute: DisputeRow; change: DisputeChange; at: Date };

async function post(tx: Tx, subject: RefundContext, { dispute, change, at }: Booking): Promise<void> {
  const { id: reference, tenantId } = dispute;
  const amount = money(dispute.amountMinor, dispute.currency);
  switch (change) {
    case 'withdrawn':
    case 'reinstated': {
      const out = change === 'withdrawn' ? amount : negative(amount);
      return postToLedger(tx, {
        tenantId,
        kind: `dispute_${change}`,
        reference,
        at,
        lines: [
          { account: 'disputed', amount: out },
          { account: cashOf(subject), amount: negative(out) },
        ],
      });
    }
    case 'lost': {
      const credit = money(Math.min(amount.amountMinor, await creditFrom(tx, subject)), amount.currency);
      await takeOff(tx, dispute, credit.amountMinor);
      return postToLedger(tx, {
        tenantId,
        kind: 'dispute_lost',
        reference,
        at,
        lines: [
          { account: 'customer_credit', amount: credit },
          { account: 'refunds', amount: subtract(amount, credit) },
          { account: 'disputed', amount: negative(amount) },
        ],
      });
    }
    case 'overturned':
      return postToLedger(tx, {
        tenantId,
        kind: 'dispute_overturned',
        reference,
        at,
        lines: await takeBackLoss(tx, subject, dispute),
      });
    case 'opened':
    case 'won':
      return;
    default:
      return change satisfies never;
  }
}

/** What of the customer's credit came from the payment: its own excess, and the unused time that plan changes credited. */
async function creditFrom(tx: Tx, { payment, invoice, context }: RefundContext): Promise<number> {
  const keptMinor = await keptAsCredit(tx, invoice);
  const unspentMinor = await unspentCredit(tx, payment, context);
  return Math.min(unspentMinor + keptMinor, Math.max(unspentMinor, context.customer.creditMinor));
}

/** Only what a vendor has collected can be disputed with it. */
function cashOf({ payment: { id, rail } }: RefundContext): LedgerAccount {
  if (!isVendorRail(rail)) throw new Error(`Payment ${id} came by ${rail}; no bank takes that back`);
  return `cash:${rail}`;
}

async function takeOff(
  tx: Tx,
  { invoiceId, customerId, amountMinor }: DisputeRow,
  creditMinor: number,
): Promise<void> {
  await tx
    .update(invoices)
    .set({ disputedMinor: sql`${invoices.disputedMinor} + ${amountMinor}` })
    .where(eq(invoices.id, invoiceId));
  await addCredit(tx, customerId, -creditMinor);
}

/** Gives the customer back what the loss took of the credit. What it took otherwise, the books have back. */
async function takeBackLoss(tx: Tx, { invoice }: RefundContext, dispute: DisputeRow): Promise<LedgerLine[]> {
  const loss = await readFact(tx, { kind: 'dispute_lost', reference: dispute.id });
  const isVoided = isVoidedSince(invoice, dispute.closedAt);
  const lines = loss.map(({ account, amount }): LedgerLine => {
    const isCredit = account === 'refunds' && isVoided;
    return { account: isCredit ? 'customer_credit' : account, amount: negative(amount) };
  });
  const credits = lines.filter(({ account }) => account === 'customer_credit');
  const creditMinor = credits.reduce((sum, { amount }) => sum + amount.amountMinor, 0);
  await takeOff(tx, { ...dispute, amountMinor: -dispute.amountMinor }, creditMinor);
  return lines;
}

/** Operators read it in the timeline and in the list of disputes; the customer knows. */
async function tell(
  tx: Tx,
  { invoice, context }: RefundContext,
  { dispute, change, at }: Booking,
): Promise<void> {
  const { id: disputeId, paymentId, reason } = dispute;
  const amount = formatMoney(money(dispute.amountMinor, dispute.currency));
  const messages: Partial<Record<DisputeChange, string>> = {
    opened: `The customer's bank wants ${amount} of invoice ${invoice.number} back (${reason}); dunning is on hold until it has decided.`,
    won: `The dispute over ${amount} of invoice ${invoice.number} was won: the payment stands.`,
    lost: `The dispute over ${amount} of invoice ${invoice.number} was lost: the bank keeps the money.`,
    overturned: `The dispute over ${amount} of invoice ${invoice.number}, which was lost, was won after all: the payment stands. What ended by the loss stays ended.`,
  };
  const message = messages[change];
  if (message === undefined) return;
  await addTimelineEntry(tx, context.subscription, at, {
    kind: `dispute_${change}`,
    message,
    details: { invoiceId: invoice.id, paymentId, disputeId },
  });
}

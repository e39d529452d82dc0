/**
 * Invoices: issued once per subscription and period, with a gapless number.
 *
 * Why it is safe to run twice: issuing happens under the customer's lock and first looks for the period's invoice; a
 * partial unique index backs that up. The number is taken from a locked counter in the same transaction, so a
 * rollback gives it back.
 */
import { and, eq, isNotNull, ne, notInArray, type SQL, sql } from 'drizzle-orm';
import { terminalStatuses } from '../../../domain/billing/subscription.ts';
import type { Period } from '../../../domain/calendar.ts';
import { add, formatMoney, type Money, money } from '../../../domain/money.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { customers, invoiceCounters, invoiceLines, invoices, subscriptions } from '../../schema/billing.ts';
import { payments } from '../../schema/payments.ts';
import { postToLedger } from '../payments/ledger.ts';
import { releaseCharges } from '../payments/release-charges.ts';
import { addTimelineEntry, notFound, type SubscriptionContext } from './subscriptions.ts';

export type InvoiceRow = typeof invoices.$inferSelect;

/** Issues the invoice of a period of the current plan, or returns the one that exists. */
export async function issueInvoice(
  tx: Tx,
  context: SubscriptionContext,
  { periodIndex, period, at }: { periodIndex: number; period: Period; at: Date },
): Promise<InvoiceRow> {
  const { subscription, plan, customer } = context;
  const { tenantId } = subscription;
  const [existing] = await tx
    .select()
    .from(invoices)
    .where(
      and(
        eq(invoices.subscriptionId, subscription.id),
        eq(invoices.periodIndex, periodIndex),
        ne(invoices.status, 'void'),
      ),
    );
  if (existing !== undefined) return existing;

  const total = money(plan.priceMinor, plan.currency);
  const number = await nextInvoiceNumber(tx, tenantId);
  const [invoice] = await tx
    .insert(invoices)
    .values({
      id: newId('inv'),
      tenantId,
      customerId: customer.id,
      subscriptionId: subscription.id,
      number,
      periodIndex,
      periodStartsAt: new Date(period.startsAt),
      periodEndsAt: new Date(period.endsAt),
      status: 'open',
      totalMinor: total.amountMinor,
      currency: total.currency,
      billTo: { name: customer.name ?? '', email: customer.email ?? '' },
      issuedAt: at,
    })
    .returning();
  if (invoice === undefined) throw new Error('An inserted invoice was not returned');

  await tx.insert(invoiceLines).values({
    id: newId('line'),
    tenantId,
    invoiceId: invoice.id,
    description: `${plan.name}, ${period.startsAt.slice(0, 10)} to ${period.endsAt.slice(0, 10)}`,
    quantity: 1,
    unitMinor: total.amountMinor,
    amountMinor: total.amountMinor,
  });
  await postToLedger(tx, {
    tenantId,
    kind: 'invoice',
    reference: invoice.id,
    at,
    lines: [
      { account: 'receivable', amount: total },
      { account: 'revenue', amount: negative(total) },
    ],
  });
  await addTimelineEntry(tx, subscription, at, {
    kind: 'invoice_issued',
    message: `Invoice ${number} over ${formatMoney(total)} was issued for the period from ${period.startsAt.slice(0, 10)} to ${period.endsAt.slice(0, 10)}.`,
    details: { invoiceId: invoice.id, periodIndex },
  });
  return invoice;
}

/** Throws `not_found`. Lock the customer before deciding anything by its state. */
export async function readInvoice(tx: Tx, invoiceId: string): Promise<InvoiceRow> {
  const [invoice] = await tx.select().from(invoices).where(eq(invoices.id, invoiceId));
  if (invoice === undefined) throw notFound('invoice', invoiceId);
  return invoice;
}

/**
 * What dunning is about: open invoices of a customer whose charge has failed, the earliest failure first. An invoice
 * of an ended subscription stays collectable, but nobody is chased for it.
 */
export async function unpaidInvoices(tx: Tx, customerId: string): Promise<InvoiceRow[]> {
  const rows = await selectCollectable(tx, customerId, isNotNull(invoices.firstFailedAt)).orderBy(
    invoices.firstFailedAt,
    invoices.id,
  );
  return rows.map((row) => row.invoice);
}

/** What a card may be charged for: open invoices of the customer's subscriptions that have not ended. */
export async function collectableInvoices(tx: Tx, customerId: string): Promise<InvoiceRow[]> {
  const rows = await selectCollectable(tx, customerId).orderBy(invoices.id);
  return rows.map((row) => row.invoice);
}

function selectCollectable(tx: Tx, customerId: string, further?: SQL) {
  return tx
    .select({ invoice: invoices })
    .from(invoices)
    .innerJoin(subscriptions, eq(subscriptions.id, invoices.subscriptionId))
    .where(
      and(
        eq(invoices.customerId, customerId),
        eq(invoices.status, 'open'),
        notInArray(subscriptions.status, [...terminalStatuses]),
        further,
      ),
    );
}

export function openInvoicesOf(tx: Tx, subscriptionId: string): Promise<InvoiceRow[]> {
  return tx
    .select()
    .from(invoices)
    .where(and(eq(invoices.subscriptionId, subscriptionId), eq(invoices.status, 'open')))
    .orderBy(invoices.id);
}

/** What is still to be paid. */
export function dueOf(invoice: InvoiceRow): Money {
  return money(invoice.totalMinor - invoice.paidMinor, invoice.currency);
}

/**
 * Closes an open invoice without payment: `void` takes the revenue back (the service was not given), and what was paid
 * of it becomes the customer's credit; `uncollectible` books what is due as bad debt (it was given). A payment that still
 * arrives is booked either way.
 */
export async function closeUnpaidInvoice(
  tx: Tx,
  invoice: InvoiceRow,
  { as, at }: { as: 'void' | 'uncollectible'; at: Date },
): Promise<void> {
  const closed = await tx
    .update(invoices)
    .set({ status: as, closedAt: at })
    .where(and(eq(invoices.id, invoice.id), eq(invoices.status, 'open')))
    .returning({ id: invoices.id });
  if (closed.length === 0) return;
  const due = dueOf(invoice);
  const paid = money(as === 'void' ? invoice.paidMinor : 0, invoice.currency);
  await postToLedger(tx, {
    tenantId: invoice.tenantId,
    kind: as === 'void' ? 'invoice_voided' : 'invoice_written_off',
    reference: invoice.id,
    at,
    lines: [
      { account: as === 'void' ? 'revenue' : 'bad_debt', amount: add(due, paid) },
      { account: 'receivable', amount: negative(due) },
      { account: 'customer_credit', amount: negative(paid) },
    ],
  });
  if (paid.amountMinor > 0) await creditPayments(tx, invoice);
  await releaseCharges(tx, { tenantId: invoice.tenantId, invoiceId: invoice.id });
}

/** Nothing was given for what was paid: the payments are the customer's money again. */
async function creditPayments(tx: Tx, { id, customerId, paidMinor }: InvoiceRow): Promise<void> {
  await tx.update(invoices).set({ paidMinor: 0 }).where(eq(invoices.id, id));
  await tx.update(payments).set({ allocatedMinor: 0 }).where(eq(payments.invoiceId, id));
  await tx
    .update(customers)
    .set({ creditMinor: sql`${customers.creditMinor} + ${paidMinor}` })
    .where(eq(customers.id, customerId));
}

export function negative(amount: Money): Money {
  return money(-amount.amountMinor, amount.currency);
}

async function nextInvoiceNumber(tx: Tx, tenantId: string): Promise<string> {
  const [counter] = await tx
    .insert(invoiceCounters)
    .values({ tenantId, lastNumber: 1 })
    .onConflictDoUpdate({
      target: invoiceCounters.tenantId,
      set: { lastNumber: sql`${invoiceCounters.lastNumber} + 1` },
    })
    .returning({ lastNumber: invoiceCounters.lastNumber });
  if (counter === undefined) throw new Error('The invoice counter was not returned');
  return `INV-${String(counter.lastNumber).padStart(6, '0')}`;
}

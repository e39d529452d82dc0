/** Invoices that were issued: what is unpaid of a customer, and how one is closed without payment. */
import { and, eq, inArray, isNotNull, notInArray, type SQL, sql } from 'drizzle-orm';
import { terminalStatuses } from '../../../domain/billing/subscription.ts';
import { add, type Money, money, subtract } from '../../../domain/money.ts';
import type { Tx } from '../../client.ts';
import { customers, invoices, subscriptions } from '../../schema/billing.ts';
import { payments, refunds } from '../../schema/payments.ts';
import { postToLedger } from '../payments/ledger.ts';
import { releaseCharges } from '../payments/release-charges.ts';
import { notFound } from './subscriptions.ts';

export type InvoiceRow = typeof invoices.$inferSelect;

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
  const givenBack = money(as === 'void' ? await givenBackOf(tx, invoice) : 0, invoice.currency);
  const credit = subtract(paid, givenBack);
  await postToLedger(tx, {
    tenantId: invoice.tenantId,
    kind: as === 'void' ? 'invoice_voided' : 'invoice_written_off',
    reference: invoice.id,
    at,
    lines: [
      { account: as === 'void' ? 'revenue' : 'bad_debt', amount: add(due, paid) },
      { account: 'receivable', amount: negative(due) },
      { account: 'refunds', amount: negative(givenBack) },
      { account: 'customer_credit', amount: negative(credit) },
    ],
  });
  if (paid.amountMinor > 0) await creditPayments(tx, invoice, credit.amountMinor);
  await releaseCharges(tx, { tenantId: invoice.tenantId, invoiceId: invoice.id });
}

/** What had paid the invoice and is the customer's already: refunded, or taken back by the bank. */
async function givenBackOf(tx: Tx, { id, paidMinor, disputedMinor }: InvoiceRow): Promise<number> {
  const paid = tx.select({ id: payments.id }).from(payments).where(eq(payments.invoiceId, id));
  const [given] = await tx
    .select({
      amountMinor:
        sql<number>`coalesce(sum(${refunds.amountMinor} - ${refunds.creditMinor}), 0)::int8`.mapWith(Number),
    })
    .from(refunds)
    .where(and(inArray(refunds.paymentId, paid), eq(refunds.status, 'succeeded')));
  return Math.min(paidMinor, (given?.amountMinor ?? 0) + disputedMinor);
}

/** Nothing was given for what was paid: the payments are the customer's money again. */
async function creditPayments(tx: Tx, { id, customerId }: InvoiceRow, creditMinor: number): Promise<void> {
  await tx.update(invoices).set({ paidMinor: 0 }).where(eq(invoices.id, id));
  await tx.update(payments).set({ allocatedMinor: 0 }).where(eq(payments.invoiceId, id));
  await tx
    .update(customers)
    .set({ creditMinor: sql`${customers.creditMinor} + ${creditMinor}` })
    .where(eq(customers.id, customerId));
}

export function negative(amount: Money): Money {
  return money(-amount.amountMinor, amount.currency);
}

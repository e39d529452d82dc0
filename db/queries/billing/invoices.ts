/** Invoices that were issued: what is unpaid of a customer, and how one is closed without payment. */
import { and, eq, inArray, isNotNull, ne, notInArray, or, type SQL, sql } from 'drizzle-orm';
import { terminalStatuses } from '../../../domain/billing/subscription.ts';
import { taxPart } from '../../../domain/billing/tax-amounts.ts';
import { add, type Money, money, subtract } from '../../../domain/money.ts';
import type { Tx } from '../../client.ts';
import { isOneOf } from '../../is-one-of.ts';
import { invoices, subscriptions } from '../../schema/billing.ts';
import { payments, refunds } from '../../schema/payments.ts';
import { correctedOf } from '../payments/credit-notes.ts';
import { withdrawCurrentOffer } from '../payments/crypto-offer.ts';
import { lookAtTransferOf } from '../payments/follow-transfer.ts';
import { postToLedger } from '../payments/ledger.ts';
import { releaseCharges } from '../payments/release-charges.ts';
import { takenOverOf } from '../payments/taken-over.ts';
import { addCredit } from './customers.ts';
import { notFound } from './subscriptions.ts';
import { oweVoid } from './tax-records.ts';

export type InvoiceRow = typeof invoices.$inferSelect;

/** Throws `not_found`. Lock the customer before deciding anything by its state. */
export async function readInvoice(tx: Tx, invoiceId: string): Promise<InvoiceRow> {
  const [invoice] = await tx.select().from(invoices).where(eq(invoices.id, invoiceId));
  if (invoice === undefined) throw notFound('invoice', invoiceId);
  return invoice;
}

/** In the order asked for. Throws `not_found` where one is not there. */
export async function readInvoices(tx: Tx, invoiceIds: readonly string[]): Promise<InvoiceRow[]> {
  if (invoiceIds.length === 0) return [];
  const found = new Map(
    (await tx.select().from(invoices).where(isOneOf(invoices.id, invoiceIds))).map((row) => [row.id, row]),
  );
  return invoiceIds.map((id) => {
    const invoice = found.get(id);
    if (invoice === undefined) throw notFound('invoice', id);
    return invoice;
  });
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

/**
 * What a card may be charged for: open invoices of the customer's subscriptions that have not ended. A one-off waits for the
 * customer: nobody has agreed that a card is charged for it.
 */
export async function collectableInvoices(tx: Tx, customerId: string): Promise<InvoiceRow[]> {
  const rows = await selectCollectable(tx, customerId, ne(invoices.kind, 'one_off')).orderBy(invoices.id);
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

/** What the subscription itself has billed and is not paid; a one-off is owed whatever becomes of the subscription. */
export function openInvoicesOf(tx: Tx, subscriptionId: string): Promise<InvoiceRow[]> {
  return tx
    .select()
    .from(invoices)
    .where(
      and(
        eq(invoices.subscriptionId, subscriptionId),
        eq(invoices.status, 'open'),
        ne(invoices.kind, 'one_off'),
      ),
    )
    .orderBy(invoices.id);
}

/** What is still to be paid. */
export function dueOf(invoice: InvoiceRow): Money {
  return money(invoice.totalMinor - invoice.paidMinor, invoice.currency);
}

/**
 * Closes an open invoice without payment: `void` takes the revenue back (the service was not given), and what was paid
 * of it becomes the customer's credit, unless it is theirs already; `uncollectible` books what is due as bad debt (it was
 * given). Either takes the tax back that nobody has paid; what refunds have taken back of it is not taken back again. A payment
 * that still arrives is booked either way. Returns whether it was open.
 */
export async function closeUnpaidInvoice(
  tx: Tx,
  invoice: InvoiceRow,
  { as, at }: { as: 'void' | 'uncollectible'; at: Date },
): Promise<boolean> {
  const closed = await tx
    .update(invoices)
    .set({ status: as, closedAt: at })
    .where(and(eq(invoices.id, invoice.id), eq(invoices.status, 'open')))
    .returning({ id: invoices.id });
  if (closed.length === 0) return false;
  const { currency } = invoice;
  const due = dueOf(invoice);
  const paid = money(as === 'void' ? invoice.paidMinor : 0, currency);
  const givenBack = money(as === 'void' ? await givenBackOf(tx, invoice) : 0, currency);
  const credit = subtract(paid, givenBack);
  const notes = await correctedOf(tx, invoice.id);
  const [tax, corrected] =
    as === 'void'
      ? [money(invoice.taxMinor, currency), money(notes.taxMinor, currency)]
      : [money(unpaidTaxOf(invoice, notes), currency), money(0, currency)];
  await postToLedger(tx, {
    tenantId: invoice.tenantId,
    kind: as === 'void' ? 'invoice_voided' : 'invoice_written_off',
    reference: invoice.id,
    at,
    lines: [
      { account: as === 'void' ? 'revenue' : 'bad_debt', amount: subtract(add(due, paid), tax) },
      { account: 'tax_payable', amount: subtract(tax, corrected) },
      { account: 'receivable', amount: negative(due) },
      { account: 'refunds', amount: subtract(corrected, givenBack) },
      { account: 'customer_credit', amount: negative(credit) },
    ],
  });
  if (as === 'void') await oweVoid(tx, invoice, at);
  if (paid.amountMinor > 0) await creditPayments(tx, invoice, credit.amountMinor);
  await releaseCharges(tx, { tenantId: invoice.tenantId, invoiceId: invoice.id });
  await withdrawCurrentOffer(tx, { invoiceId: invoice.id, at });
  await lookAtTransferOf(tx, invoice.id, at);
  return true;
}

/**
 * The tax of what is not paid: written off with it, and owed again as far as it is paid after all. What refunds have taken back
 * (`corrected`) is not written off as well, where a bank has taken back the payment that they gave back a part of.
 */
function unpaidTaxOf(invoice: InvoiceRow, corrected: { taxMinor: number }): number {
  return invoice.taxMinor - Math.max(taxPart(invoice, invoice.paidMinor), corrected.taxMinor);
}

/** Of an invoice that is given up: the tax that is owed again when what is paid of it goes from one amount to another. */
export async function taxOwedAgain(tx: Tx, from: InvoiceRow, to: InvoiceRow): Promise<number> {
  const corrected = await correctedOf(tx, from.id);
  return unpaidTaxOf(from, corrected) - unpaidTaxOf(to, corrected);
}

/**
 * What had paid the invoice and is the customer's already: refunded or about to be, taken back by the bank, or taken over by plan
 * changes. A refund that holds no credit takes its own when it is given.
 */
async function givenBackOf(tx: Tx, invoice: InvoiceRow): Promise<number> {
  const { id, paidMinor, disputedMinor } = invoice;
  const paid = tx.select({ id: payments.id }).from(payments).where(eq(payments.invoiceId, id));
  const [given] = await tx
    .select({
      amountMinor:
        sql<number>`coalesce(sum(${refunds.amountMinor} - ${refunds.creditMinor}), 0)::int8`.mapWith(Number),
    })
    .from(refunds)
    .where(
      and(
        inArray(refunds.paymentId, paid),
        or(eq(refunds.status, 'succeeded'), and(eq(refunds.status, 'pending'), refunds.isCreditHeld)),
      ),
    );
  const takenOverMinor = await takenOverOf(tx, invoice);
  return Math.min(paidMinor, (given?.amountMinor ?? 0) + disputedMinor + takenOverMinor);
}

/** With its void, what had paid an invoice became the customer's, but for what was theirs already. */
export function isVoidedSince({ status, closedAt }: InvoiceRow, since: Date | null): boolean {
  return status === 'void' && since !== null && (closedAt?.getTime() ?? 0) >= since.getTime();
}

/** Nothing was given for what was paid: the payments are the customer's money again. */
async function creditPayments(tx: Tx, { id, customerId }: InvoiceRow, creditMinor: number): Promise<void> {
  await tx.update(invoices).set({ paidMinor: 0 }).where(eq(invoices.id, id));
  await tx.update(payments).set({ allocatedMinor: 0 }).where(eq(payments.invoiceId, id));
  await addCredit(tx, customerId, creditMinor);
}

export function negative(amount: Money): Money {
  return money(-amount.amountMinor, amount.currency);
}

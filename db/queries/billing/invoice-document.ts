/** What the documents of an invoice and of a payment say, gathered as it stands now. Nothing of it is stored. */
import { asc, eq, type SQL } from 'drizzle-orm';
import {
  type DocumentDiscount,
  type DocumentLine,
  type DocumentPayment,
  type InvoiceDocument,
  methodInWords,
} from '../../../domain/billing/invoice-document.ts';
import { ratesInWords, taxLabel, taxSummary } from '../../../domain/billing/tax.ts';
import { taxIdLabel } from '../../../domain/billing/tax-id.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import type { PaymentRail } from '../../../domain/payments/payment.ts';
import type { Tx } from '../../client.ts';
import { chargeAttempts, creditNotes, paymentMethods, payments } from '../../schema/payments.ts';
import { together } from '../../together.ts';
import { currentTenant, type TenantRow } from '../tenants/tenants.ts';
import type { InvoiceRow } from './invoices.ts';
import { findInvoice, type InvoiceLineRow } from './read-invoices.ts';

/** The invoice with what was paid of it, or null where the tenant has none of this id. */
export async function findInvoiceDocument(tx: Tx, invoiceId: string): Promise<InvoiceDocument | null> {
  const [found, tenant, received, corrections] = await together([
    findInvoice(tx, invoiceId),
    currentTenant(tx),
    findReceived(tx, eq(payments.invoiceId, invoiceId)),
    tx
      .select()
      .from(creditNotes)
      .where(eq(creditNotes.invoiceId, invoiceId))
      .orderBy(asc(creditNotes.number))
      .execute(),
  ]);
  if (found === null) return null;
  const { invoice, lines } = found;
  const { status, totalMinor, subtotalMinor, paidMinor, refundedMinor } = invoice;
  const discounts = discountsOf(lines);
  const credits = received.filter(({ payment }) => payment.rail === 'credit');
  const creditAppliedMinor = credits.reduce((sum, { payment }) => sum + payment.allocatedMinor, 0);
  return {
    ...partiesOf(tenant, invoice),
    kind: 'invoice',
    number: invoice.number,
    issuedAt: invoice.issuedAt.toISOString(),
    dueAt: invoice.dueAt.toISOString(),
    status,
    lines: lines.map((line) => toLine(line, invoice)),
    discounts,
    subtotalMinor: discounts.reduce((sum, { amountMinor }) => sum + amountMinor, subtotalMinor),
    taxes: taxSummary(lines.flatMap(({ taxes }) => taxes)).map((tax) => ({
      label: taxLabel(tax),
      baseMinor: tax.baseMinor,
      amountMinor: tax.amountMinor,
    })),
    isTaxInclusive: invoice.taxInclusive,
    notes: invoice.notes,
    totalMinor,
    paidMinor: paidMinor - creditAppliedMinor - invoice.writtenOffMinor,
    creditAppliedMinor,
    writtenOffMinor: invoice.writtenOffMinor,
    refundedMinor,
    disputedMinor: invoice.disputedMinor,
    dueMinor: status === 'open' ? totalMinor - paidMinor : 0,
    // What a payment brought beyond the invoice became credit, and is no part of this document.
    payments: received
      .filter(({ payment }) => payment.rail !== 'credit' && payment.allocatedMinor > 0)
      .map((each) => toPayment(each, each.payment.allocatedMinor)),
    creditNotes: corrections.map(({ number, issuedAt, totalMinor: amountMinor }) => ({
      number,
      issuedAt: issuedAt.toISOString(),
      amountMinor,
    })),
  };
}

/** The receipt of one payment, or null where the tenant has none of this id. */
export async function findReceiptDocument(tx: Tx, paymentId: string): Promise<InvoiceDocument | null> {
  const [received] = await findReceived(tx, eq(payments.id, paymentId));
  if (received === undefined) return null;
  const { payment } = received;
  const [found, tenant] = await together([findInvoice(tx, payment.invoiceId), currentTenant(tx)]);
  if (found === null) throw new Error(`Invoice ${payment.invoiceId} disappeared`);
  const { amountMinor, refundedMinor } = payment;
  const isCredit = payment.rail === 'credit';
  return {
    ...partiesOf(tenant, found.invoice),
    kind: 'receipt',
    number: payment.id,
    refersTo: found.invoice.number,
    issuedAt: payment.receivedAt.toISOString(),
    status: 'paid',
    lines: receiptLines(payment, found),
    subtotalMinor: amountMinor,
    totalMinor: amountMinor,
    paidMinor: isCredit ? 0 : amountMinor,
    creditAppliedMinor: isCredit ? amountMinor : 0,
    refundedMinor,
    takenBackMinor: payment.returnedMinor,
    dueMinor: 0,
    payments: [toPayment(received, amountMinor)],
    ...(payment.returnedAt !== null && {
      notes: [
        `The ${takerOf(payment.rail)} took ${formatMoney(money(payment.returnedMinor, payment.currency))} of this payment back (${payment.returnCode}).`,
      ],
    }),
  };
}

type Received = {
  payment: typeof payments.$inferSelect;
  /** The card it was charged to, where a charge brought it; without data after the erasure. */
  card: typeof paymentMethods.$inferSelect | null;
};

function findReceived(tx: Tx, which: SQL): Promise<Received[]> {
  return tx
    .select({ payment: payments, card: paymentMethods })
    .from(payments)
    .leftJoin(chargeAttempts, eq(chargeAttempts.externalId, payments.externalId))
    .leftJoin(paymentMethods, eq(paymentMethods.id, chargeAttempts.paymentMethodId))
    .where(which)
    .orderBy(asc(payments.receivedAt), asc(payments.id));
}

/** Seller and customer, and what every document of ours has alike. */
function partiesOf(tenant: TenantRow, { seller, billTo, currency }: InvoiceRow) {
  return {
    timeZone: tenant.timeZone,
    seller: seller ?? { name: tenant.name },
    billTo,
    currency,
    discounts: [],
    taxes: [],
    notes: [],
  };
}

/** The lines show their full price; what coupons took off is one row for each code. */
function discountsOf(lines: readonly InvoiceLineRow[]): DocumentDiscount[] {
  const reduced = lines.filter(({ discountMinor }) => discountMinor > 0);
  return [...Map.groupBy(reduced, ({ discountCode }) => discountCode ?? '')].map(([code, each]) => ({
    label: `Discount ${code}`.trim(),
    amountMinor: each.reduce((sum, { discountMinor }) => sum + discountMinor, 0),
  }));
}

/** The description tells the service period. */
function toLine(
  { description, quantity, unitMinor, amountMinor, discountMinor, taxCode, taxRates }: InvoiceLineRow,
  { seller }: InvoiceRow,
): DocumentLine {
  const isIndian = seller?.taxIds?.some(({ label }) => label === taxIdLabel('gstin')) === true;
  return {
    description,
    quantity,
    unitMinor,
    amountMinor: amountMinor + discountMinor,
    ...(isIndian && taxCode !== null && { hsnSac: taxCode }),
    ...(taxRates.length > 0 && { taxLabel: ratesInWords(taxRates) }),
  };
}

function receiptLines(
  { rail, amountMinor, allocatedMinor, returnedMinor }: Received['payment'],
  { invoice, lines }: { invoice: InvoiceRow; lines: readonly InvoiceLineRow[] },
): DocumentLine[] {
  const billed = lines.map(({ description }) => description).join('; ');
  return [
    { description: `Payment of invoice ${invoice.number}: ${billed}`, amountMinor: allocatedMinor },
    { description: 'Kept as your credit', amountMinor: amountMinor - allocatedMinor - returnedMinor },
    { description: `Taken back by the ${takerOf(rail)}`, amountMinor: returnedMinor },
  ]
    .filter((line) => line.amountMinor > 0)
    .map((line) => ({ ...line, quantity: 1, unitMinor: line.amountMinor }));
}

function takerOf(rail: PaymentRail): string {
  return rail === 'crypto' ? 'chain' : 'bank';
}

function toPayment({ payment, card }: Received, amountMinor: number): DocumentPayment {
  return {
    receivedAt: payment.receivedAt.toISOString(),
    method: methodInWords(payment.rail, card, payment),
    reference: payment.externalId,
    amountMinor,
  };
}

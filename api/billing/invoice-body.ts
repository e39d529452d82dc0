/** An invoice as the API shows it, and a draft as the invoice it may become. */
import type { DraftRow } from '../../db/queries/billing/invoice-drafts.ts';
import { dueOf, type InvoiceRow } from '../../db/queries/billing/invoices.ts';
import type { InvoiceLineRow } from '../../db/queries/billing/read-invoices.ts';
import { draftTotal } from '../../domain/billing/invoice-draft.ts';
import type { InvoiceBody, InvoiceSummary } from './invoices.schemas.ts';

export function toSummary(row: InvoiceRow): InvoiceSummary {
  const { id, number, customerId, subscriptionId, status, currency, totalMinor, paidMinor, refundedMinor } =
    row;
  return {
    id,
    number,
    customerId,
    subscriptionId,
    kind: row.kind,
    status,
    currency,
    subtotalMinor: row.subtotalMinor,
    taxMinor: row.taxMinor,
    totalMinor,
    paidMinor,
    writtenOffMinor: row.writtenOffMinor,
    dueMinor: status === 'open' ? dueOf(row).amountMinor : 0,
    refundedMinor,
    disputedMinor: row.disputedMinor,
    periodIndex: row.periodIndex,
    periodStartsAt: row.periodStartsAt.toISOString(),
    periodEndsAt: row.periodEndsAt.toISOString(),
    issuedAt: row.issuedAt.toISOString(),
    dueAt: row.dueAt.toISOString(),
    paidAt: row.paidAt?.toISOString() ?? null,
    firstFailedAt: row.firstFailedAt?.toISOString() ?? null,
    closedAt: row.closedAt?.toISOString() ?? null,
  };
}

export function toInvoice(row: InvoiceRow, lines: InvoiceLineRow[]): InvoiceBody {
  return {
    ...toSummary(row),
    taxTreatment: row.taxTreatment,
    taxEngine: taxEngineOf(row),
    taxInclusive: row.taxInclusive,
    notes: row.notes,
    billTo: toBillTo(row),
    draft: null,
    lines: lines.map(({ periodStartsAt, periodEndsAt, ...line }) => ({
      id: line.id,
      kind: line.kind,
      description: line.description,
      quantity: line.quantity,
      unitMinor: line.unitMinor,
      amountMinor: line.amountMinor,
      discountMinor: line.discountMinor,
      discountCode: line.discountCode,
      periodStartsAt: periodStartsAt.toISOString(),
      periodEndsAt: periodEndsAt.toISOString(),
      creditsLineId: line.creditsLineId,
      taxCode: line.taxCode,
      taxes: line.taxes.map(({ name, percent, jurisdiction, baseMinor, amountMinor }) => ({
        name,
        percent,
        jurisdiction,
        baseMinor,
        amountMinor,
      })),
    })),
  };
}

function taxEngineOf({ taxTreatment, taxCalculationId }: InvoiceRow): InvoiceBody['taxEngine'] {
  if (taxTreatment === null) return null;
  return taxCalculationId === null ? 'own_rates' : 'stripe_tax';
}

/** Of the invoice there is only what the lines come to; number, tax and dates are given when it is issued. */
export function toDraftSummary({
  id,
  customerId,
  subscriptionId,
  currency,
  lines,
}: DraftRow): InvoiceSummary {
  const totalMinor = draftTotal(lines);
  return {
    id,
    number: null,
    customerId,
    subscriptionId,
    kind: 'one_off',
    status: 'draft',
    currency,
    subtotalMinor: totalMinor,
    taxMinor: 0,
    totalMinor,
    paidMinor: 0,
    writtenOffMinor: 0,
    dueMinor: 0,
    refundedMinor: 0,
    disputedMinor: 0,
    periodIndex: null,
    periodStartsAt: null,
    periodEndsAt: null,
    issuedAt: null,
    dueAt: null,
    paidAt: null,
    firstFailedAt: null,
    closedAt: null,
  };
}

export function toDraft(row: DraftRow): InvoiceBody {
  const { daysUntilDue, finalisesAt, lines } = row;
  return {
    ...toDraftSummary(row),
    taxTreatment: null,
    taxEngine: null,
    taxInclusive: false,
    notes: [],
    billTo: null,
    draft: { daysUntilDue, finalisesAt: finalisesAt?.toISOString() ?? null },
    lines: lines.map(({ id, description, quantity, unitMinor, taxCode }) => ({
      id,
      kind: 'item',
      description,
      quantity,
      unitMinor,
      amountMinor: quantity * unitMinor,
      discountMinor: 0,
      discountCode: null,
      periodStartsAt: null,
      periodEndsAt: null,
      creditsLineId: null,
      taxCode,
      taxes: [],
    })),
  };
}

function toBillTo({ billTo: { name, email, addressLines = [], taxId } }: InvoiceRow) {
  return { name, email, addressLines: [...addressLines], taxId: taxId ?? null };
}

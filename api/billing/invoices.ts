/** Invoices: list, read, and record money that came in outside of the card vendor. */
import { z } from 'zod';
import type { Tx } from '../../db/client.ts';
import { findInvoiceDocument } from '../../db/queries/billing/invoice-document.ts';
import { dueOf, type InvoiceRow } from '../../db/queries/billing/invoices.ts';
import type { InvoiceLineRow } from '../../db/queries/billing/read-invoices.ts';
import { findInvoice, listInvoices } from '../../db/queries/billing/read-invoices.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { pdfOf, pdfResponse } from '../pdf.ts';
import { notFound, Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import {
  exampleInvoice,
  exampleInvoiceSummary,
  type InvoiceBody,
  type InvoiceSummary,
  invoice,
  invoiceCursor,
  invoiceFilters,
  invoiceParams,
  invoiceSummary,
  recordedPayment,
  settlement,
} from './invoices.schemas.ts';

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/invoices',
  operationId: 'listInvoices',
  tag: 'Invoices',
  scope: 'billing:read',
  summary: 'List invoices, newest first',
  query: z.strictObject({ ...pageQuery(invoiceCursor), ...invoiceFilters }),
  responses: {
    200: {
      description: 'A page of invoices.',
      schema: pageOf(invoiceSummary),
      links: {
        GetInvoice: { operationId: 'getInvoice', parameters: { invoiceId: '$response.body#/data/0/id' } },
        RecordPayment: {
          operationId: 'recordPayment',
          parameters: { invoiceId: '$response.body#/data/0/id' },
        },
      },
    },
  },
  handler: async ({ tx, query: { limit, ...filter } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) =>
        listInvoices(tx, {
          customerId: filter.customerId,
          subscriptionId: filter.subscriptionId,
          status: filter.status,
          cursor: filter.cursor,
          limit: count,
        }),
      cursorOf: ({ id }) => id,
      toItem: toSummary,
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/invoices/{invoiceId}',
  operationId: 'getInvoice',
  tag: 'Invoices',
  scope: 'billing:read',
  summary: 'Read an invoice with its lines',
  params: invoiceParams,
  responses: {
    200: {
      description: 'The invoice.',
      schema: invoice,
      example: exampleInvoice,
      links: {
        GetInvoicePdf: { operationId: 'getInvoicePdf', parameters: { invoiceId: '$response.body#/id' } },
        RecordPayment: { operationId: 'recordPayment', parameters: { invoiceId: '$response.body#/id' } },
      },
    },
  },
  handler: async ({ tx, params: { invoiceId } }) => {
    const found = await readInvoice(tx, invoiceId);
    return { status: 200, body: toInvoice(found.invoice, found.lines) };
  },
});

const readPdf = route({
  effect: 'read',
  method: 'get',
  path: '/v1/invoices/{invoiceId}/pdf',
  operationId: 'getInvoicePdf',
  tag: 'Invoices',
  scope: 'billing:read',
  summary: 'Download an invoice as PDF',
  description:
    'Drawn from the invoice as it is now: the same bytes again, until a payment or a refund changes it.',
  params: invoiceParams,
  responses: { 200: pdfResponse('The invoice.') },
  handler: async ({ tx, params: { invoiceId } }) => {
    const document = await findInvoiceDocument(tx, invoiceId);
    if (document === null) throw notFound('invoice', invoiceId);
    return { status: 200, body: pdfOf(document) };
  },
});

const recordPayment = route({
  effect: 'write',
  method: 'post',
  path: '/v1/invoices/{invoiceId}/payments',
  operationId: 'recordPayment',
  tag: 'Invoices',
  scope: 'billing:write',
  summary: 'Record a payment that came in outside of the card vendor',
  description:
    'Cash, a wire, a cheque. It settles the invoice like any payment: an open dunning case ends and access comes back. What exceeds the invoice becomes credit of the customer.',
  params: invoiceParams,
  body: recordedPayment,
  example: { amountMinor: 2900, currency: 'USD', reference: 'wire 2026-11-21/17' },
  responses: {
    201: {
      description: 'The payment is booked.',
      schema: settlement,
      example: {
        paymentId: 'pay_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
        outcome: 'settled',
        invoice: exampleInvoiceSummary,
      },
      links: {
        GetPayment: { operationId: 'getPayment', parameters: { paymentId: '$response.body#/paymentId' } },
      },
    },
    200: { description: 'This money was booked before; nothing changed.', schema: settlement },
  },
  problems: ['date_out_of_range', 'currency_mismatch', 'reference_already_booked', 'state_conflict'],
  handler: async ({ tx, caller: { tenantId, actor }, now, params: { invoiceId }, body }) => {
    await readInvoice(tx, invoiceId);
    const { paymentId, outcome } = await settlePayment(tx, {
      tenantId,
      invoiceId,
      rail: 'manual',
      externalId: body.reference,
      amount: { amountMinor: body.amountMinor, currency: body.currency },
      at: now,
      receivedAt: receivedAt(body.receivedAt, now),
      ...(body.note !== undefined && { note: body.note }),
    });
    const settled = { paymentId, outcome, invoice: toSummary((await readInvoice(tx, invoiceId)).invoice) };
    if (outcome === 'duplicate') return { status: 200, body: settled };
    await writeAudit(tx, {
      tenantId,
      actor,
      action: 'payment.recorded',
      entityType: 'payment',
      entityId: paymentId,
      details: { invoiceId, outcome },
      at: now,
    });
    return { status: 201, body: settled };
  },
});

export const invoiceRoutes: readonly Route[] = [list, read, readPdf, recordPayment];

async function readInvoice(
  tx: Tx,
  invoiceId: string,
): Promise<{ invoice: InvoiceRow; lines: InvoiceLineRow[] }> {
  const found = await findInvoice(tx, invoiceId);
  if (found === null) throw notFound('invoice', invoiceId);
  return found;
}

function receivedAt(given: string | undefined, now: Date): Date {
  if (given === undefined) return now;
  const at = new Date(given);
  if (at <= now) return at;
  throw new Problem({
    code: 'date_out_of_range',
    detail: 'receivedAt is in the future; money is recorded when it is there.',
    errors: [{ path: 'body.receivedAt', message: `must not be later than ${now.toISOString()}` }],
  });
}

function toSummary(row: InvoiceRow): InvoiceSummary {
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
    totalMinor,
    paidMinor,
    dueMinor: status === 'open' ? dueOf(row).amountMinor : 0,
    refundedMinor,
    disputedMinor: row.disputedMinor,
    periodIndex: row.periodIndex,
    periodStartsAt: row.periodStartsAt.toISOString(),
    periodEndsAt: row.periodEndsAt.toISOString(),
    issuedAt: row.issuedAt.toISOString(),
    paidAt: row.paidAt?.toISOString() ?? null,
    firstFailedAt: row.firstFailedAt?.toISOString() ?? null,
    closedAt: row.closedAt?.toISOString() ?? null,
  };
}

function toInvoice(row: InvoiceRow, lines: InvoiceLineRow[]): InvoiceBody {
  return {
    ...toSummary(row),
    billTo: row.billTo,
    lines: lines.map(({ periodStartsAt, periodEndsAt, ...line }) => ({
      id: line.id,
      kind: line.kind,
      description: line.description,
      quantity: line.quantity,
      unitMinor: line.unitMinor,
      amountMinor: line.amountMinor,
      periodStartsAt: periodStartsAt.toISOString(),
      periodEndsAt: periodEndsAt.toISOString(),
      creditsLineId: line.creditsLineId,
    })),
  };
}

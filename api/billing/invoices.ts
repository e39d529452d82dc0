/** Invoices: list, read, print. */
import { z } from 'zod';
import type { Tx } from '../../db/client.ts';
import { findInvoiceDocument } from '../../db/queries/billing/invoice-document.ts';
import { type DraftRow, findDraft, listDrafts } from '../../db/queries/billing/invoice-drafts.ts';
import type { InvoiceRow } from '../../db/queries/billing/invoices.ts';
import { findInvoice, listInvoices } from '../../db/queries/billing/read-invoices.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { pdfOf, pdfResponse } from '../pdf.ts';
import { notFound } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { toDraft, toDraftSummary, toInvoice, toSummary } from './invoice-body.ts';
import {
  exampleInvoice,
  invoice,
  invoiceCursor,
  invoiceFilters,
  invoiceParams,
  invoiceSummary,
  type ShownStatus,
} from './invoices.schemas.ts';
import { notIssued } from './issued-invoice.ts';

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
        listBoth(tx, {
          customerId: filter.customerId,
          subscriptionId: filter.subscriptionId,
          status: filter.status,
          cursor: filter.cursor,
          limit: count,
        }),
      cursorOf: ({ row }) => row.id,
      toItem: (listed) => (listed.isDraft ? toDraftSummary(listed.row) : toSummary(listed.row)),
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
    const found = await findInvoice(tx, invoiceId);
    if (found !== null) return { status: 200, body: toInvoice(found.invoice, found.lines) };
    const draft = await findDraft(tx, invoiceId);
    if (draft === null) throw notFound('invoice', invoiceId);
    return { status: 200, body: toDraft(draft) };
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
  problems: ['state_conflict'],
  handler: async ({ tx, params: { invoiceId } }) => {
    const document = await findInvoiceDocument(tx, invoiceId);
    if (document === null) throw await notIssued(tx, invoiceId);
    return { status: 200, body: pdfOf(document) };
  },
});

export const invoiceRoutes: readonly Route[] = [list, read, readPdf];

type Listed = { isDraft: true; row: DraftRow } | { isDraft: false; row: InvoiceRow };

/** Drafts among the invoices, newest first: both are paged by ids of the same kind. */
async function listBoth(
  tx: Tx,
  {
    status,
    ...filter
  }: Omit<Parameters<typeof listInvoices>[1], 'status'> & { status: ShownStatus | undefined },
): Promise<Listed[]> {
  const drafts = status === undefined || status === 'draft' ? await listDrafts(tx, filter) : [];
  const issued = status === 'draft' ? [] : await listInvoices(tx, { ...filter, status });
  const both: Listed[] = [
    ...drafts.map((row) => ({ isDraft: true as const, row })),
    ...issued.map((row) => ({ isDraft: false as const, row })),
  ];
  return both.sort((a, b) => (a.row.id < b.row.id ? 1 : -1)).slice(0, filter.limit);
}

/** Credit notes: the documents that correct invoices. They are issued with refunds, so they are only read here. */
import { z } from 'zod';
import {
  type CreditNoteRow,
  findCreditNote,
  listCreditNotes,
} from '../../db/queries/payments/read-credit-notes.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound } from '../problem.ts';
import { type Route, route } from '../route.ts';
import {
  type CreditNoteSummary,
  creditNote,
  creditNoteCursor,
  creditNoteFilters,
  creditNoteParams,
  creditNoteSummary,
  exampleCreditNote,
} from './credit-notes.schemas.ts';

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/credit_notes',
  operationId: 'listCreditNotes',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'List credit notes, newest first',
  query: z.strictObject({ ...pageQuery(creditNoteCursor), ...creditNoteFilters }),
  responses: {
    200: {
      description: 'A page of credit notes.',
      schema: pageOf(creditNoteSummary),
      links: {
        GetCreditNote: {
          operationId: 'getCreditNote',
          parameters: { creditNoteId: '$response.body#/data/0/id' },
        },
      },
    },
  },
  handler: async ({ tx, query: { limit, cursor, customerId, invoiceId } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listCreditNotes(tx, { customerId, invoiceId, cursor, limit: count }),
      cursorOf: ({ id }) => id,
      toItem: toSummary,
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/credit_notes/{creditNoteId}',
  operationId: 'getCreditNote',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'Read a credit note with its lines',
  params: creditNoteParams,
  responses: { 200: { description: 'The credit note.', schema: creditNote, example: exampleCreditNote } },
  handler: async ({ tx, params: { creditNoteId } }) => {
    const found = await findCreditNote(tx, creditNoteId);
    if (found === null) throw notFound('credit note', creditNoteId);
    const lines = found.lines.map(({ invoiceLineId, description, amountMinor }) => ({
      invoiceLineId,
      description,
      amountMinor,
    }));
    return { status: 200, body: { ...toSummary(found.note), lines } };
  },
});

export const creditNoteRoutes: readonly Route[] = [list, read];

function toSummary(row: CreditNoteRow): CreditNoteSummary {
  const { id, number, customerId, invoiceId, refundId, reversesId, totalMinor, taxMinor, currency } = row;
  return {
    id,
    number,
    customerId,
    invoiceId,
    refundId,
    reversesId,
    totalMinor,
    taxMinor,
    currency,
    issuedAt: row.issuedAt.toISOString(),
  };
}

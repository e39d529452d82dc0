/** Payments: what came in, on any rail. */
import { z } from 'zod';
import { findReceiptDocument } from '../../db/queries/billing/invoice-document.ts';
import { findPayment, listPayments, type PaymentRow } from '../../db/queries/payments/read-payments.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { pdfOf, pdfResponse } from '../pdf.ts';
import { notFound } from '../problem.ts';
import { type Route, route } from '../route.ts';
import {
  examplePayment,
  type PaymentBody,
  payment,
  paymentCursor,
  paymentFilters,
  paymentParams,
} from './payments.schemas.ts';

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/payments',
  operationId: 'listPayments',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'List payments, newest first',
  query: z.strictObject({ ...pageQuery(paymentCursor), ...paymentFilters }),
  responses: {
    200: {
      description: 'A page of payments.',
      schema: pageOf(payment),
      links: {
        GetPayment: { operationId: 'getPayment', parameters: { paymentId: '$response.body#/data/0/id' } },
        CreateRefund: { operationId: 'createRefund', parameters: { paymentId: '$response.body#/data/0/id' } },
      },
    },
  },
  handler: async ({ tx, query: { limit, cursor, customerId, invoiceId } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listPayments(tx, { customerId, invoiceId, cursor, limit: count }),
      cursorOf: ({ id }) => id,
      toItem: toPayment,
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/payments/{paymentId}',
  operationId: 'getPayment',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'Read a payment',
  params: paymentParams,
  responses: {
    200: {
      description: 'The payment.',
      schema: payment,
      example: examplePayment,
      links: {
        GetReceipt: { operationId: 'getPaymentReceipt', parameters: { paymentId: '$response.body#/id' } },
      },
    },
  },
  handler: async ({ tx, params: { paymentId } }) => {
    const row = await findPayment(tx, paymentId);
    if (row === null) throw notFound('payment', paymentId);
    return { status: 200, body: toPayment(row) };
  },
});

const readReceipt = route({
  effect: 'read',
  method: 'get',
  path: '/v1/payments/{paymentId}/receipt',
  operationId: 'getPaymentReceipt',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'Download the receipt of a payment as PDF',
  description: 'Drawn from the payment as it is now: the same bytes again, until a refund changes it.',
  params: paymentParams,
  responses: { 200: pdfResponse('The receipt.') },
  handler: async ({ tx, params: { paymentId } }) => {
    const document = await findReceiptDocument(tx, paymentId);
    if (document === null) throw notFound('payment', paymentId);
    return { status: 200, body: pdfOf(document) };
  },
});

export const paymentRoutes: readonly Route[] = [list, read, readReceipt];

function toPayment(row: PaymentRow): PaymentBody {
  const { id, customerId, invoiceId, rail, externalId, amountMinor, allocatedMinor, refundedMinor } = row;
  return {
    id,
    customerId,
    invoiceId,
    rail,
    externalId,
    amountMinor,
    allocatedMinor,
    refundedMinor,
    currency: row.currency,
    receivedAt: row.receivedAt.toISOString(),
    note: row.note,
  };
}

/** Payments: what came in, on any rail. */
import { z } from 'zod';
import type { Tx } from '../../db/client.ts';
import { findReceiptDocument } from '../../db/queries/billing/invoice-document.ts';
import { findPayment, listPayments, type PaymentRow } from '../../db/queries/payments/read-payments.ts';
import { type Allocation, listAllocations } from '../../db/queries/payments/record-payment.ts';
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
      fetch: async (count) =>
        withAllocations(tx, await listPayments(tx, { customerId, invoiceId, cursor, limit: count })),
      cursorOf: ({ row: { id } }) => id,
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
    const [found] = await withAllocations(tx, [row]);
    if (found === undefined) throw notFound('payment', paymentId);
    return { status: 200, body: toPayment(found) };
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

type PaymentView = { row: PaymentRow; allocations: Allocation[] };

async function withAllocations(tx: Tx, rows: PaymentRow[]): Promise<PaymentView[]> {
  const ids = rows.map(({ id }) => id);
  const found = await listAllocations(tx, ids);
  return rows.map((row) => ({ row, allocations: found.get(row.id) ?? [] }));
}

function toPayment({ row, allocations }: PaymentView): PaymentBody {
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
    bankFeeMinor: row.bankFeeMinor,
    exchange: toExchange(row),
    sourcePaymentId: row.sourcePaymentId,
    allocations,
    receivedAt: row.receivedAt.toISOString(),
    returnedAt: row.returnedAt?.toISOString() ?? null,
    returnedMinor: row.returnedMinor,
    returnCode: row.returnCode,
    note: row.note,
  };
}

/** The database keeps all of it or nothing. */
function toExchange(row: PaymentRow): PaymentBody['exchange'] {
  const { receivedMinor, receivedCurrency, convertedMinor, exchangeRate, rateDay, rateSource, rateLegs } =
    row;
  if (
    receivedMinor === null ||
    receivedCurrency === null ||
    convertedMinor === null ||
    exchangeRate === null ||
    rateDay === null ||
    rateSource === null ||
    rateLegs === null
  ) {
    return null;
  }
  return {
    receivedMinor,
    receivedCurrency,
    convertedMinor,
    fxFeeMinor: row.amountMinor - convertedMinor,
    rate: exchangeRate,
    day: rateDay,
    source: rateSource,
    legs: rateLegs,
  };
}

/** Payments: what came in, on any rail. */
import { z } from 'zod';
import type { Tx } from '../../db/client.ts';
import { findReceiptDocument } from '../../db/queries/billing/invoice-document.ts';
import { bouncePayment } from '../../db/queries/payments/bounce-payment.ts';
import { findPayment, listPayments, type PaymentRow } from '../../db/queries/payments/read-payments.ts';
import { type Allocation, listAllocations } from '../../db/queries/payments/record-payment.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { pdfOf, pdfResponse } from '../pdf.ts';
import { notFound } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { text } from '../schemas.ts';
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
    return { status: 200, body: await toldPayment(tx, row) };
  },
});

const bounce = route({
  effect: 'write',
  method: 'post',
  path: '/v1/payments/{paymentId}/bounce',
  operationId: 'bouncePayment',
  reasons: { state_conflict: ['payment_cannot_bounce'] },
  tag: 'Payments',
  scope: 'billing:write',
  summary: 'Take back a payment whose money never came',
  description:
    'A cheque or a money order that the bank did not pay, or a transfer that was booked on a proof. All of it: every invoice it had paid is owed again and dunned, what is left of it as credit is gone, and the customer is told. Done before, it changes nothing.',
  params: paymentParams,
  body: z.strictObject({
    reason: text(500).meta({ description: 'For the audit log.', example: 'returned for want of funds' }),
  }),
  responses: { 200: { description: 'The payment as it is now.', schema: payment } },
  problems: ['state_conflict'],
  handler: async ({ tx, caller: { actor }, now, params: { paymentId }, body: { reason } }) => {
    if ((await findPayment(tx, paymentId)) === null) throw notFound('payment', paymentId);
    const row = await bouncePayment(tx, { paymentId, reason, actor, at: now });
    return { status: 200, body: await toldPayment(tx, row) };
  },
  // Its note may be personal.
  replay: {
    keep: ({ id }: PaymentBody) => ({ id }),
    restore: async ({ tx }, { id }: { id: string }) => {
      const row = await findPayment(tx, id);
      if (row === null) throw notFound('payment', id);
      return toldPayment(tx, row);
    },
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

export const paymentRoutes: readonly Route[] = [list, read, readReceipt, bounce];

async function toldPayment(tx: Tx, row: PaymentRow): Promise<PaymentBody> {
  const allocations = (await listAllocations(tx, [row.id])).get(row.id) ?? [];
  return toPayment({ row, allocations });
}

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
    method: row.method,
    chequeNumber: row.chequeNumber,
    reason: row.reason,
    recordedBy: row.recordedBy,
    approvalId: row.approvalId,
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

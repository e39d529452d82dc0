/** Refunds: ask for one, and see what became of it. */
import { z } from 'zod';
import { findRefund, listRefunds, type RefundView } from '../../db/queries/payments/read-refunds.ts';
import { requestRefund } from '../../db/queries/payments/request-refund.ts';
import { isVendorRail } from '../../domain/payments/payment.ts';
import { refundWorkflowId } from '../../workflows/payments/refund.contract.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound } from '../problem.ts';
import { type LinkSpec, type ReadContext, type Route, route } from '../route.ts';
import { workflowUrl } from '../workflow-url.ts';
import { paymentParams } from './payments.schemas.ts';
import {
  exampleRefund,
  newRefund,
  type RefundBody,
  refund,
  refundCursor,
  refundFilters,
  refundParams,
} from './refunds.schemas.ts';

const nextSteps: Record<string, LinkSpec> = {
  GetRefund: { operationId: 'getRefund', parameters: { refundId: '$response.body#/id' } },
};

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/payments/{paymentId}/refunds',
  operationId: 'createRefund',
  tag: 'Payments',
  scope: 'billing:write',
  summary: 'Give a payment back, or a part of it',
  description:
    'Without amountMinor and lines all that can still be given back. What a vendor took (Stripe, Razorpay) is given back by that vendor. A payment at Coinbase is refunded in its dashboard, and refused here (refunded_at_coinbase). A recorded payment is booked as given back: you have done it yourself. What was paid from the credit of the customer goes back there. What was given back, is on its way or was lost in a dispute never exceeds the payment; the refusal says how much is left.',
  params: paymentParams,
  body: newRefund,
  example: { amountMinor: 900, reason: 'duplicate' },
  responses: {
    201: {
      description: 'The refund; its process runs, or it is done.',
      schema: refund,
      example: exampleRefund,
      links: nextSteps,
    },
    202: {
      description: 'The refund; its process starts as soon as Temporal can be reached.',
      schema: refund,
      example: exampleRefund,
      links: nextSteps,
    },
  },
  problems: ['state_conflict'],
  handler: async ({ tx, deps, caller: { actor }, now, params: { paymentId }, body }) => {
    const { amountMinor, lines, reason } = body;
    const { refund, payment, start } = await requestRefund(tx, {
      paymentId,
      amountMinor,
      lines,
      reason,
      actor,
      at: now,
    });
    const created = toRefund(deps, { refund, payment });
    if (start === null) return { status: 201, body: created };
    return { status: 202, body: created, delivery: { ...start, delivered: { status: 201, body: created } } };
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/refunds',
  operationId: 'listRefunds',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'List refunds, newest first',
  description: "Also those that were made in the card vendor's dashboard.",
  query: z.strictObject({ ...pageQuery(refundCursor), ...refundFilters }),
  responses: {
    200: {
      description: 'A page of refunds.',
      schema: pageOf(refund),
      links: {
        GetRefund: { operationId: 'getRefund', parameters: { refundId: '$response.body#/data/0/id' } },
      },
    },
  },
  handler: async ({ tx, deps, query: { limit, cursor, paymentId, customerId } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listRefunds(tx, { paymentId, customerId, cursor, limit: count }),
      cursorOf: ({ refund: { id } }) => id,
      toItem: (view) => toRefund(deps, view),
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/refunds/{refundId}',
  operationId: 'getRefund',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'Read a refund',
  params: refundParams,
  responses: { 200: { description: 'The refund.', schema: refund, example: exampleRefund } },
  handler: async ({ tx, deps, params: { refundId } }) => {
    const view = await findRefund(tx, refundId);
    if (view === null) throw notFound('refund', refundId);
    return { status: 200, body: toRefund(deps, view) };
  },
});

export const refundRoutes: readonly Route[] = [create, list, read];

/** The vendor is asked by a process of ours where the refund was asked for here, by card. */
function toRefund(
  deps: ReadContext['deps'],
  { refund, payment }: Pick<RefundView, 'refund' | 'payment'>,
): RefundBody {
  const { id, paymentId, status, amountMinor, currency, lines, reason, externalId, failureCode } = refund;
  const wasFound = externalId !== null && refund.askedAt === null;
  const hasProcess = isVendorRail(payment.rail) && !wasFound;
  return {
    id,
    paymentId,
    invoiceId: payment.invoiceId,
    customerId: payment.customerId,
    status,
    amountMinor,
    currency,
    given:
      refund.receivedMinor === null || refund.receivedCurrency === null
        ? null
        : { amountMinor: refund.receivedMinor, currency: refund.receivedCurrency },
    lines,
    reason,
    externalId,
    requestedAt: refund.requestedAt.toISOString(),
    refundedAt: refund.refundedAt?.toISOString() ?? null,
    failureCode,
    links: { temporal: hasProcess ? workflowUrl(deps, refundWorkflowId(id)) : null },
  };
}

/** Disputes: what customers' banks want back. They are answered in the vendor's dashboard, so they are only read here. */
import { z } from 'zod';
import { type DisputeRow, findDispute, listDisputes } from '../../db/queries/payments/read-disputes.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound } from '../problem.ts';
import { type Route, route } from '../route.ts';
import {
  type DisputeBody,
  dispute,
  disputeCursor,
  disputeFilters,
  disputeParams,
  exampleDispute,
} from './disputes.schemas.ts';

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/disputes',
  operationId: 'listDisputes',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'List disputes, newest first',
  query: z.strictObject({ ...pageQuery(disputeCursor), ...disputeFilters }),
  responses: {
    200: {
      description: 'A page of disputes.',
      schema: pageOf(dispute),
      links: {
        GetDispute: { operationId: 'getDispute', parameters: { disputeId: '$response.body#/data/0/id' } },
      },
    },
  },
  handler: async ({ tx, query: { limit, cursor, customerId, paymentId, status } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listDisputes(tx, { customerId, paymentId, status, cursor, limit: count }),
      cursorOf: ({ id }) => id,
      toItem: toDispute,
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/disputes/{disputeId}',
  operationId: 'getDispute',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'Read a dispute',
  params: disputeParams,
  responses: { 200: { description: 'The dispute.', schema: dispute, example: exampleDispute } },
  handler: async ({ tx, params: { disputeId } }) => {
    const row = await findDispute(tx, disputeId);
    if (row === null) throw notFound('dispute', disputeId);
    return { status: 200, body: toDispute(row) };
  },
});

export const disputeRoutes: readonly Route[] = [list, read];

function toDispute(row: DisputeRow): DisputeBody {
  const { id, customerId, invoiceId, paymentId, externalId, status, amountMinor, currency, reason } = row;
  return {
    id,
    customerId,
    invoiceId,
    paymentId,
    externalId,
    status,
    amountMinor,
    currency,
    reason,
    openedAt: row.openedAt.toISOString(),
    withdrawnAt: row.withdrawnAt?.toISOString() ?? null,
    reinstatedAt: row.reinstatedAt?.toISOString() ?? null,
    closedAt: row.closedAt?.toISOString() ?? null,
  };
}

/** Payments recorded by hand that wait for a second person, and that person's word. */
import { z } from 'zod';
import type { Tx } from '../../db/client.ts';
import {
  approvedPayments,
  decideApproval,
  listApprovals,
  type PaymentApprovalRow,
  readApproval,
} from '../../db/queries/payments/payment-approvals.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { type Route, route } from '../route.ts';
import { emptyBody, idPattern, text } from '../schemas.ts';
import {
  approvalParams,
  approvalStatus,
  type PaymentApprovalBody,
  paymentApproval,
  toPaymentApproval,
} from './payment-approvals.schemas.ts';

const one = { 200: { description: 'The approval as it is now.', schema: paymentApproval } };

/** Its note may be personal. */
export const approvalReplay = {
  keep: ({ id }: { id: string }) => ({ id }),
  restore: async ({ tx }: { tx: Tx }, { id }: { id: string }) =>
    (await answer(tx, await readApproval(tx, id))).body,
};

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/payment_approvals',
  operationId: 'listPaymentApprovals',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'List payments that needed a second person, the one that waits longest first',
  query: z.strictObject({ ...pageQuery(idPattern('pap')), status: approvalStatus.optional() }),
  responses: { 200: { description: 'A page of approvals.', schema: pageOf(paymentApproval) } },
  handler: async ({ tx, query: { limit, cursor, status } }) => {
    const { data, nextCursor } = await page({
      limit,
      fetch: (count) => listApprovals(tx, { status, cursor, limit: count }),
      cursorOf: (row) => row.id,
      toItem: (row) => row,
    });
    return { status: 200, body: { data: await told(tx, data), nextCursor } };
  },
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/payment_approvals/{approvalId}',
  operationId: 'getPaymentApproval',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'Read a payment that needed a second person',
  params: approvalParams,
  responses: one,
  handler: async ({ tx, params: { approvalId } }) => answer(tx, await readApproval(tx, approvalId)),
});

const approve = route({
  effect: 'write',
  method: 'post',
  path: '/v1/payment_approvals/{approvalId}/approve',
  operationId: 'approvePaymentApproval',
  reasons: { state_conflict: ['second_person_required', 'approval_rejected'] },
  tag: 'Payments',
  scope: 'billing:write',
  summary: 'Approve a payment that somebody else has recorded',
  description:
    'With another API key than the one that recorded it. It is booked now, with the date it was recorded with. Approved before, it changes nothing.',
  params: approvalParams,
  body: emptyBody,
  responses: one,
  problems: [
    'state_conflict',
    'reference_already_booked',
    'nothing_unpaid',
    'exchange_rate_missing',
    'exchange_rate_unusable',
  ],
  handler: async ({ tx, caller: { actor }, now, params: { approvalId } }) =>
    answer(tx, await decideApproval(tx, { id: approvalId, act: 'approve', actor, at: now })),
  replay: approvalReplay,
});

const reject = route({
  effect: 'write',
  method: 'post',
  path: '/v1/payment_approvals/{approvalId}/reject',
  operationId: 'rejectPaymentApproval',
  reasons: { state_conflict: ['second_person_required', 'approval_approved'] },
  tag: 'Payments',
  scope: 'billing:write',
  summary: 'Reject a payment that somebody else has recorded',
  description:
    'With another API key than the one that recorded it. Nothing is booked, and its reference is free again. Rejected before, it changes nothing.',
  params: approvalParams,
  body: z.strictObject({ reason: text(500).meta({ example: 'not on the statement' }) }),
  responses: one,
  problems: ['state_conflict'],
  handler: async ({ tx, caller: { actor }, now, params: { approvalId }, body: { reason: rejection } }) =>
    answer(tx, await decideApproval(tx, { id: approvalId, act: 'reject', actor, at: now, rejection })),
  replay: approvalReplay,
});

export const paymentApprovalRoutes: readonly Route[] = [list, read, approve, reject];

async function answer(tx: Tx, row: PaymentApprovalRow): Promise<{ status: 200; body: PaymentApprovalBody }> {
  const booked = await approvedPayments(tx, [row.id]);
  return { status: 200, body: toPaymentApproval(row, booked.get(row.id) ?? null) };
}

async function told(tx: Tx, rows: readonly PaymentApprovalRow[]): Promise<PaymentApprovalBody[]> {
  const ids = rows.map(({ id }) => id);
  const booked = ids.length === 0 ? new Map<string, string>() : await approvedPayments(tx, ids);
  return rows.map((row) => toPaymentApproval(row, booked.get(row.id) ?? null));
}

/** Movements on bank accounts and their invoices: what was decided, and what people do about it. */

import { z } from 'zod';
import { appendOutbox } from '../../db/queries/operations/outbox.ts';
import {
  ignoreByHand,
  type MatchedByHand,
  matchByHand,
  unmatchByHand,
} from '../../db/queries/payments/bank-acts.ts';
import { listDecisions } from '../../db/queries/payments/bank-decisions.ts';
import { type BankMovementRow, readMovement } from '../../db/queries/payments/bank-movements.ts';
import { reconsiderMovements } from '../../db/queries/payments/reconsider-movements.ts';
import { lookForMatches } from '../../workflows/payments/bank-matching.contract.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { type LinkSpec, type Route, route } from '../route.ts';
import { emptyBody } from '../schemas.ts';
import { bankDecision, toBankDecision } from './bank-decision-body.ts';
import {
  type BankMatchBody,
  bankMatch,
  bankMatchRequest,
  reasoned,
  reconciliation,
} from './bank-matching.schemas.ts';
import { bankTransactionParams } from './bank-transactions.schemas.ts';

const common = { tag: 'Bank transfers', params: bankTransactionParams } as const;
const acting = { ...common, effect: 'write', method: 'post', scope: 'billing:write' } as const;

/** About the movement itself. */
const refusals = [
  'money_out',
  'not_booked',
  'copy_suspected',
  'taken_back',
  'already_matched',
  'being_decided',
];

const nextSteps: Record<string, LinkSpec> = {
  UnmatchBankTransaction: {
    operationId: 'unmatchBankTransaction',
    parameters: { transactionId: '$response.body#/transactionId' },
  },
};

const example: BankMatchBody = {
  transactionId: 'btx_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  status: 'matched',
  amountMinor: 49_900,
  currency: 'USD',
  allocatedMinor: 49_900,
  leftMinor: 0,
  payments: [
    {
      paymentId: 'pay_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
      invoiceId: 'inv_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
      amountMinor: 49_900,
      outcome: 'settled',
    },
  ],
};

const decisions = route({
  ...common,
  effect: 'read',
  method: 'get',
  path: '/v1/bank_transactions/{transactionId}/decisions',
  operationId: 'listBankDecisions',
  scope: 'billing:read',
  summary: 'Read what was decided about a movement, and why',
  description:
    'In the order in which it was decided; the last that is not undone stands. One that waits for somebody has its suggestions, best first.',
  query: z.strictObject(pageQuery(/^\d{1,9}$/)),
  responses: { 200: { description: 'A page of decisions.', schema: pageOf(bankDecision) } },
  handler: async ({ tx, params: { transactionId }, query: { limit, cursor } }) => {
    await readMovement(tx, transactionId);
    const body = await page({
      limit,
      fetch: (count) => listDecisions(tx, { transactionId, cursor, limit: count }),
      cursorOf: ({ ordinal }) => String(ordinal),
      toItem: toBankDecision,
    });
    return { status: 200, body };
  },
});

const match = route({
  ...acting,
  path: '/v1/bank_transactions/{transactionId}/match',
  operationId: 'matchBankTransaction',
  summary: 'Say which invoices a movement pays',
  description:
    'Accepts a suggestion, or splits the money over several invoices. Money that came late is accepted by this as well, and what is then still missing has time again.',
  body: bankMatchRequest,
  example: { invoices: [{ invoiceId: 'inv_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b' }] },
  problems: ['state_conflict', 'exchange_rate_missing', 'exchange_rate_unusable', 'currency_mismatch'],
  reasons: {
    state_conflict: [
      ...refusals,
      'nothing_to_match',
      'invoice_named_twice',
      'invoice_not_open',
      'above_due',
      'above_movement',
      'nothing_left',
      'no_invoice_for_credit',
      'second_person_required',
    ],
  },
  responses: { 200: { description: 'It is booked.', schema: bankMatch, example, links: nextSteps } },
  handler: async ({ tx, caller: { actor }, now, params: { transactionId }, body }) => {
    const matched = await matchByHand(tx, { transactionId, ...body, actor, at: now });
    return { status: 200, body: toMatch(matched.row, matched.payments) };
  },
});

const unmatch = route({
  ...acting,
  path: '/v1/bank_transactions/{transactionId}/unmatch',
  operationId: 'unmatchBankTransaction',
  summary: 'Take back what a movement has paid',
  description:
    'Its payments leave the books, their invoices are owed again, and the customers are told; a payment on a proof stands, and waits for its money again. The movement waits for somebody: nothing is booked of it by itself any more.',
  body: reasoned,
  example: { reason: 'It was for the other branch of the customer' },
  problems: ['state_conflict'],
  reasons: { state_conflict: ['not_matched', 'being_decided', 'payment_refunded'] },
  responses: { 200: { description: 'It is taken back.', schema: bankMatch } },
  handler: async ({ tx, caller: { actor }, now, params: { transactionId }, body: { reason: why } }) => {
    const row = await unmatchByHand(tx, { transactionId, reason: why, actor, at: now });
    return { status: 200, body: toMatch(row, []) };
  },
});

const ignore = route({
  ...acting,
  path: '/v1/bank_transactions/{transactionId}/ignore',
  operationId: 'ignoreBankTransaction',
  summary: "Say that a movement is no customer's money",
  description: 'It leaves the queue. Who was wrong about it matches it all the same.',
  body: reasoned,
  example: { reason: 'Interest of the bank' },
  problems: ['state_conflict'],
  reasons: { state_conflict: [...refusals, 'already_ignored'] },
  responses: { 200: { description: 'It is ignored.', schema: bankMatch } },
  handler: async ({ tx, caller: { actor }, now, params: { transactionId }, body: { reason: why } }) => {
    const row = await ignoreByHand(tx, { transactionId, reason: why, actor, at: now });
    return { status: 200, body: toMatch(row, []) };
  },
});

const reconcile = route({
  effect: 'write',
  method: 'post',
  path: '/v1/bank/reconcile',
  operationId: 'reconcileBank',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'Match all movements now that wait',
  description:
    'Also those that wait for somebody: an invoice or a rate may have come since. It happens by itself whenever movements come in, and every hour.',
  body: emptyBody,
  responses: {
    200: { description: 'The matching runs.', schema: reconciliation, example: { waiting: 3 } },
    202: { description: 'The matching runs as soon as Temporal can be reached.', schema: reconciliation },
  },
  handler: async ({ tx, caller: { tenantId } }) => {
    const body = { waiting: await reconsiderMovements(tx) };
    const envelope = lookForMatches({ tenantId });
    const [outboxId] = await appendOutbox(tx, tenantId, [envelope], { leaseSeconds: LEASE_SECONDS });
    if (outboxId === undefined) throw new Error('An inserted outbox row was not returned');
    return { status: 202, body, delivery: { outboxId, envelope, delivered: { status: 200, body } } };
  },
});

/** Longer than the caller tries; then the relay takes over. */
const LEASE_SECONDS = 5;

export const bankMatchingRoutes: readonly Route[] = [decisions, match, unmatch, ignore, reconcile];

function toMatch(row: BankMovementRow, payments: MatchedByHand['payments']): BankMatchBody {
  const { id: transactionId, status, amountMinor, currency, allocatedMinor } = row;
  const leftMinor = Math.max(0, amountMinor - allocatedMinor);
  return {
    transactionId,
    status,
    amountMinor,
    currency,
    allocatedMinor,
    leftMinor,
    payments: payments.map(({ paymentId, invoiceId, outcome, ...part }) => ({
      paymentId,
      invoiceId,
      amountMinor: part.amountMinor,
      outcome,
    })),
  };
}

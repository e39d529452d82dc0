/** What operators decide about invoices in coins, and the second person's word where one is needed. */
import { z } from 'zod';
import {
  type ActWish,
  type CryptoActRow,
  decideCryptoAct,
  extendCryptoInvoice,
  listCryptoActs,
  requestCryptoAct,
} from '../../db/queries/payments/crypto-acts.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { type Route, route, type WriteContext } from '../route.ts';
import { emptyBody, id } from '../schemas.ts';
import { toCryptoInvoice } from './crypto-invoice-body.ts';
import {
  acceptedPayments,
  actCursor,
  actParams,
  actStatus,
  cryptoAct,
  cryptoInvoice,
  cryptoInvoiceParams,
  dismissedPayments,
  markedSettled,
  reasoned,
} from './crypto-invoices.schemas.ts';
import { quoteProblems } from './crypto-invoices.ts';

const actResponses = {
  201: { description: 'Decided and carried out.', schema: cryptoAct },
  202: {
    description: 'It waits for a second person: another API key approves it.',
    schema: cryptoAct,
    links: {
      ApproveCryptoAct: { operationId: 'approveCryptoAct', parameters: { actId: '$response.body#/id' } },
    },
  },
} as const;

const common = {
  effect: 'write',
  method: 'post',
  tag: 'Coins',
  scope: 'billing:write',
  params: cryptoInvoiceParams,
  problems: ['state_conflict'],
} as const;

const accept = route({
  ...common,
  path: '/v1/crypto_invoices/{cryptoInvoiceId}/accept',
  operationId: 'acceptCryptoPayments',
  reasons: { state_conflict: ['act_waiting', 'payment_unknown', 'payment_goes_back', 'rate_unknown'] },
  summary: 'Count payments that came late or otherwise than asked',
  body: acceptedPayments,
  responses: actResponses,
  handler: (context) => ask(context, { kind: 'accept', ...context.body }),
});

const dismiss = route({
  ...common,
  path: '/v1/crypto_invoices/{cryptoInvoiceId}/dismiss',
  operationId: 'dismissCryptoPayments',
  reasons: { state_conflict: ['act_waiting', 'payment_unknown', 'payment_booked'] },
  summary: 'Count payments no longer: they go back, or nobody wants them',
  body: dismissedPayments,
  responses: actResponses,
  handler: (context) => ask(context, { kind: 'dismiss', ...context.body }),
});

const cancel = route({
  ...common,
  path: '/v1/crypto_invoices/{cryptoInvoiceId}/cancel',
  operationId: 'cancelCryptoInvoice',
  reasons: { state_conflict: ['act_waiting', 'invoice_being_paid'] },
  summary: 'Take an offer back that nobody has paid anything for',
  body: reasoned,
  responses: actResponses,
  handler: (context) => ask(context, { kind: 'cancel', ...context.body }),
});

const markInvalid = route({
  ...common,
  path: '/v1/crypto_invoices/{cryptoInvoiceId}/mark_invalid',
  operationId: 'markCryptoInvoiceInvalid',
  reasons: { state_conflict: ['act_waiting'] },
  summary: 'Say that what was paid does not stand',
  description: 'What was booked is taken back, and the invoice is owed again.',
  body: reasoned,
  responses: actResponses,
  handler: (context) => ask(context, { kind: 'mark_invalid', ...context.body }),
});

const markSettled = route({
  ...common,
  path: '/v1/crypto_invoices/{cryptoInvoiceId}/mark_settled',
  operationId: 'markCryptoInvoiceSettled',
  reasons: {
    state_conflict: ['act_waiting', 'transaction_does_not_pay', 'payment_goes_back', 'rate_unknown'],
  },
  summary: 'Say that a transaction has paid it',
  description:
    'The transaction must be known here, be in a block and pay this invoice enough; otherwise send force, and a second person approves it.',
  body: markedSettled,
  responses: actResponses,
  handler: (context) => ask(context, { kind: 'mark_settled', ...context.body }),
});

const extend = route({
  ...common,
  path: '/v1/crypto_invoices/{cryptoInvoiceId}/extend',
  operationId: 'extendCryptoInvoice',
  reasons: {
    state_conflict: ['invoice_not_open', 'not_extendable', 'payment_under_way', 'payment_goes_back'],
  },
  summary: 'Give an offer more time, at the rate of now',
  description: 'The address stays. What came after the first expiry counts as on time.',
  body: reasoned,
  problems: quoteProblems,
  responses: { 200: { description: 'With its new quote.', schema: cryptoInvoice } },
  handler: async ({ tx, deps, caller: { actor }, now, params: { cryptoInvoiceId }, body: { reason } }) => {
    const { settings } = deps.config.chains;
    const row = await extendCryptoInvoice(tx, { cryptoInvoiceId, reason, actor, at: now, settings });
    return { status: 200, body: await toCryptoInvoice({ tx, deps }, row) };
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/crypto_acts',
  operationId: 'listCryptoActs',
  tag: 'Coins',
  scope: 'billing:read',
  summary: 'List what operators decided about invoices in coins, newest first',
  description: 'status=requested lists what waits for a second person.',
  query: z.strictObject({
    ...pageQuery(actCursor),
    status: actStatus.optional(),
    cryptoInvoiceId: id('cin', 'invoice in coins').optional(),
  }),
  responses: { 200: { description: 'A page of acts.', schema: pageOf(cryptoAct) } },
  handler: async ({ tx, query: { limit, cursor, status, cryptoInvoiceId } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listCryptoActs(tx, { status, cryptoInvoiceId, cursor, limit: count }),
      cursorOf: (row) => row.id,
      toItem: toAct,
    }),
  }),
});

const deciding = {
  effect: 'write',
  method: 'post',
  tag: 'Coins',
  scope: 'billing:write',
  params: actParams,
  body: emptyBody,
  problems: ['state_conflict'],
  responses: { 200: { description: 'The act.', schema: cryptoAct } },
} as const;

const approve = route({
  ...deciding,
  path: '/v1/crypto_acts/{actId}/approve',
  operationId: 'approveCryptoAct',
  reasons: {
    state_conflict: [
      'act_decided',
      'second_person_required',
      'payment_unknown',
      'payment_goes_back',
      'rate_unknown',
      'transaction_does_not_pay',
    ],
  },
  summary: 'Approve what another one has asked for; it is carried out at once',
  handler: (context) => decide(context, 'approved'),
});

const reject = route({
  ...deciding,
  path: '/v1/crypto_acts/{actId}/reject',
  operationId: 'rejectCryptoAct',
  reasons: { state_conflict: ['act_decided'] },
  summary: 'Reject what waits for a second person',
  handler: (context) => decide(context, 'rejected'),
});

export const cryptoInvoiceActRoutes: readonly Route[] = [
  accept,
  dismiss,
  cancel,
  markInvalid,
  markSettled,
  extend,
  list,
  approve,
  reject,
];

type Deed = ActWish extends infer W
  ? W extends ActWish
    ? Omit<W, 'cryptoInvoiceId' | 'actor' | 'at'>
    : never
  : never;

async function ask(
  {
    tx,
    deps,
    caller: { actor },
    now,
    params: { cryptoInvoiceId },
  }: WriteContext & { params: z.infer<typeof cryptoInvoiceParams> },
  deed: Deed,
) {
  const { approvalUsdMinor } = deps.config.chains;
  const row = await requestCryptoAct(tx, { ...deed, cryptoInvoiceId, actor, at: now, approvalUsdMinor });
  const body = toAct(row);
  return row.status === 'requested' ? ({ status: 202, body } as const) : ({ status: 201, body } as const);
}

async function decide(
  { tx, caller: { actor }, now, params: { actId } }: WriteContext & { params: z.infer<typeof actParams> },
  as: 'approved' | 'rejected',
) {
  const row = await decideCryptoAct(tx, { actId, as, actor, at: now });
  return { status: 200 as const, body: toAct(row) };
}

function toAct(row: CryptoActRow): z.input<typeof cryptoAct> {
  const { id: actId, cryptoInvoiceId, act, status, reason, requestedBy, decidedBy } = row;
  return {
    id: actId,
    cryptoInvoiceId,
    kind: act.kind,
    status,
    reason,
    paymentKeys: 'paymentKeys' in act ? act.paymentKeys : [],
    txid: 'txid' in act ? act.txid : null,
    requestedBy,
    requestedAt: row.requestedAt.toISOString(),
    decidedBy,
    decidedAt: row.decidedAt?.toISOString() ?? null,
  };
}

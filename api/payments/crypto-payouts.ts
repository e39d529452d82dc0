/** Coins that go back to customers: asked for, approved by somebody, sent by the tenant itself, seen on the chain. */
import { z } from 'zod';
import type { Tx } from '../../db/client.ts';
import {
  actOnPayout,
  type CryptoPayoutRow,
  listPayouts,
  readPayout,
  requestPayout,
} from '../../db/queries/payments/crypto-payouts.ts';
import { payoutProblems } from '../../db/queries/payments/payout-problems.ts';
import { coinsOf, cryptoAssets } from '../../domain/payments/crypto-asset.ts';
import { chainNames } from '../../domain/payments/crypto-chain.ts';
import {
  cryptoPayoutStatuses,
  type PayoutProblem,
  payoutProblemCodes,
} from '../../domain/payments/crypto-payout.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { type Route, route } from '../route.ts';
import { amount, id, idPattern, instant, positiveAmount, text } from '../schemas.ts';

const payoutId = id('cpo', 'payout');
const cryptoInvoiceId = id('cin', 'invoice in coins');

const payout = z
  .object({
    id: payoutId,
    cryptoInvoiceId,
    customerId: id('cus', 'customer'),
    paymentKey: z
      .string()
      .nullable()
      .meta({ description: 'The payment it gives back; null for what the invoice was paid.' }),
    refundId: id('ref', 'refund').nullable(),
    status: z.enum(cryptoPayoutStatuses),
    chain: z.enum(chainNames),
    asset: z.enum(cryptoAssets),
    amount: z.string().meta({ description: 'Whole coins, an exact decimal.', example: '0.0125' }),
    usdMinor: amount.meta({ description: 'Cents of US dollars it was worth when it was asked for.' }),
    address: z.string().nullable().meta({
      description:
        "Where it goes; null while it is only asked: more was paid than was due, so ask the customer for an address, and ask for a payout of the invoice with it, which makes it this payout. Until then it is the customer's credit.",
    }),
    reason: z.string(),
    requestedBy: z.string(),
    requestedAt: instant,
    waitingSeconds: z.int().nullable().meta({ description: 'How long it has waited; null once it is over.' }),
    decidedBy: z.string().nullable(),
    decidedAt: instant.nullable(),
    rejection: z.string().nullable(),
    txid: z.string().nullable().meta({
      description: 'By which it was sent; of a rejected one, what a block has all the same.',
    }),
    broadcastAt: instant.nullable(),
    confirmedAt: instant.nullable(),
    problem: z
      .object({
        code: z.enum(payoutProblemCodes),
        message: z.string().meta({ description: 'What to do.' }),
      })
      .nullable()
      .meta({
        description:
          'What has to be known besides the status: the chain has taken back what it gives back, or it was sent though it was rejected.',
      }),
  })
  .meta({ id: 'CryptoPayout' });

const one = { 200: { description: 'The payout as it is now.', schema: payout } };
const params = z.object({ payoutId });

const request = route({
  effect: 'write',
  method: 'post',
  path: '/v1/crypto_invoices/{cryptoInvoiceId}/payouts',
  operationId: 'requestCryptoPayout',
  reasons: {
    state_conflict: [
      'address_unusable',
      'nothing_to_give_back',
      'payout_under_way',
      'payment_counts',
      'payment_booked',
      'payment_unconfirmed',
      'refund_exceeds_payment',
      'payment_returned',
    ],
  },
  tag: 'Coins',
  scope: 'billing:write',
  summary: 'Ask for coins to be given back',
  description:
    'As usual what an invoice was paid too much. With amountMinor, that much of what it was paid; with paymentKey, a payment that does not count, whole. Where an excess has opened a payout by itself (status asked), this is that payout. The money is held until the payout is confirmed or rejected.',
  params: z.object({ cryptoInvoiceId }),
  body: z
    .strictObject({
      paymentKey: text(200).optional(),
      amountMinor: positiveAmount.optional(),
      address: text(120).meta({ description: "The customer's, on the chain that was paid on." }),
      reason: text(500),
    })
    .refine(({ paymentKey, amountMinor }) => paymentKey === undefined || amountMinor === undefined, {
      path: ['amountMinor'],
      message: 'a payment is given back whole: leave amountMinor or paymentKey out',
    })
    .meta({ id: 'NewCryptoPayout', not: { required: ['paymentKey', 'amountMinor'] } }),
  example: { address: 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu', reason: 'paid twice' },
  responses: { 201: { description: 'It waits to be approved.', schema: payout } },
  problems: ['not_found', 'state_conflict'],
  handler: async ({ tx, deps, caller: { tenantId, actor }, now, params: of, body }) => {
    const { approvalUsdMinor } = deps.config.chains;
    const row = await requestPayout(tx, { tenantId, ...of, ...body, actor, at: now, approvalUsdMinor });
    return { status: 201, body: await told(tx, row, now) };
  },
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/crypto_payouts/{payoutId}',
  operationId: 'getCryptoPayout',
  tag: 'Coins',
  scope: 'billing:read',
  summary: 'Read a payout',
  params,
  responses: one,
  problems: ['not_found'],
  handler: async ({ tx, now, params: of }) => ({
    status: 200,
    body: await told(tx, await readPayout(tx, of.payoutId), now),
  }),
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/crypto_payouts',
  operationId: 'listCryptoPayouts',
  tag: 'Coins',
  scope: 'billing:read',
  summary: 'List payouts, the one that waits longest first',
  query: z.strictObject({ ...pageQuery(idPattern('cpo')), status: z.enum(cryptoPayoutStatuses).optional() }),
  responses: { 200: { description: 'The payouts.', schema: pageOf(payout) } },
  handler: async ({ tx, now, query: { limit, cursor, status } }) => {
    const { data, nextCursor } = await page({
      limit,
      fetch: (count) => listPayouts(tx, { status, cursor, limit: count }),
      cursorOf: (row) => row.id,
      toItem: (row) => row,
    });
    const problems = await payoutProblems(tx, data);
    const payouts = data.map((row) => toPayout(row, problems.get(row.id) ?? null, now));
    return { status: 200, body: { data: payouts, nextCursor } };
  },
});

const approve = route({
  effect: 'write',
  method: 'post',
  path: '/v1/crypto_payouts/{payoutId}/approve',
  operationId: 'approveCryptoPayout',
  reasons: {
    state_conflict: [
      'payout_asked',
      'payout_approved',
      'payout_rejected',
      'payout_broadcast',
      'payout_confirmed',
      'second_approver_required',
      'payment_lost',
      'payment_counts',
      'payment_unconfirmed',
      'payout_under_way',
    ],
  },
  tag: 'Coins',
  scope: 'billing:write',
  summary: 'Approve a payout',
  description:
    'From a value of 1,000 US dollars on (or what CRYPTO_APPROVAL_USD says), with another API key than the one that asked for it.',
  params,
  body: z.strictObject({}),
  responses: one,
  problems: ['not_found', 'state_conflict'],
  handler: async ({ tx, deps, caller: { actor }, now, params: of }) => {
    const { approvalUsdMinor } = deps.config.chains;
    const wish = { id: of.payoutId, act: 'approve', actor, at: now, approvalUsdMinor } as const;
    return { status: 200, body: await told(tx, await actOnPayout(tx, wish), now) };
  },
});

const reject = route({
  effect: 'write',
  method: 'post',
  path: '/v1/crypto_payouts/{payoutId}/reject',
  operationId: 'rejectCryptoPayout',
  reasons: {
    state_conflict: ['payout_rejected', 'payout_confirmed', 'transaction_mined', 'second_person_required'],
  },
  tag: 'Coins',
  scope: 'billing:write',
  summary: 'Reject a payout that was not sent, or whose transaction will never be mined',
  description:
    'What it held is free again. After a transaction was told, as long as no block has it, and with another API key than the one that told it: make sure before that it cannot be mined any more, as by spending its coins otherwise. If it is mined all the same, operators are told, and the payout says so (problem): ask for it anew then, and tell that transaction.',
  params,
  body: z.strictObject({ reason: text(500) }),
  responses: one,
  problems: ['not_found', 'state_conflict'],
  handler: async ({ tx, caller: { actor }, now, params: of, body: { reason } }) => {
    const row = await actOnPayout(tx, { id: of.payoutId, act: 'reject', actor, at: now, reason });
    return { status: 200, body: await told(tx, row, now) };
  },
});

const broadcast = route({
  effect: 'write',
  method: 'post',
  path: '/v1/crypto_payouts/{payoutId}/broadcast',
  operationId: 'broadcastCryptoPayout',
  reasons: {
    state_conflict: [
      'payout_asked',
      'payout_requested',
      'payout_rejected',
      'payout_confirmed',
      'payment_lost',
      'payment_counts',
      'payment_unconfirmed',
      'payout_under_way',
      'transaction_unusable',
      'transaction_mined',
      'transaction_known',
    ],
  },
  tag: 'Coins',
  scope: 'billing:write',
  summary: 'Tell the transaction by which a payout was sent',
  description:
    'You send it from your own wallet. It is confirmed once the chain has a transaction of this id that pays the address as much. Where you raised its fee, which makes it another transaction, tell that one as well.',
  params,
  body: z.strictObject({
    txid: z
      .string()
      .regex(/^(?:0x)?[0-9a-fA-F]{64}$/, 'must be the id of a transaction')
      .meta({ description: '64 hex digits; with 0x in front on EVM chains.' }),
  }),
  example: { txid: '4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b' },
  responses: one,
  problems: ['not_found', 'state_conflict'],
  handler: async ({ tx, caller: { actor }, now, params: of, body }) => {
    const txid = body.txid.toLowerCase();
    const row = await actOnPayout(tx, { id: of.payoutId, act: 'broadcast', actor, at: now, txid });
    return { status: 200, body: await told(tx, row, now) };
  },
});

async function told(tx: Tx, row: CryptoPayoutRow, now: Date): Promise<z.infer<typeof payout>> {
  return toPayout(row, (await payoutProblems(tx, [row])).get(row.id) ?? null, now);
}

function toPayout(row: CryptoPayoutRow, problem: PayoutProblem | null, now: Date): z.infer<typeof payout> {
  const { status, asset, units, requestedAt } = row;
  const isOver = status === 'rejected' || status === 'confirmed';
  return {
    id: row.id,
    cryptoInvoiceId: row.cryptoInvoiceId,
    customerId: row.customerId,
    paymentKey: row.paymentKey,
    refundId: row.refundId,
    status,
    chain: row.chain,
    asset,
    amount: coinsOf(units, asset),
    usdMinor: row.usdMinor,
    address: row.address,
    reason: row.reason,
    requestedBy: row.requestedBy,
    requestedAt: requestedAt.toISOString(),
    waitingSeconds: isOver ? null : Math.max(0, Math.floor((now.getTime() - requestedAt.getTime()) / 1_000)),
    decidedBy: row.decidedBy,
    decidedAt: row.decidedAt?.toISOString() ?? null,
    rejection: row.rejection,
    txid: row.txid,
    broadcastAt: row.broadcastAt?.toISOString() ?? null,
    confirmedAt: row.confirmedAt?.toISOString() ?? null,
    problem,
  };
}

export const cryptoPayoutRoutes: readonly Route[] = [request, list, read, approve, reject, broadcast];

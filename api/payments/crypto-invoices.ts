/** Invoices offered for payment in coins: ask for an offer, see how it stands and what happened to it. */
import { z } from 'zod';
import { findInvoice } from '../../db/queries/billing/read-invoices.ts';
import {
  type CryptoEventRow,
  createCryptoInvoice,
  findCryptoInvoice,
  listCryptoEvents,
  listCryptoInvoices,
} from '../../db/queries/payments/crypto-invoices.ts';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import type { ChainName } from '../../domain/payments/crypto-chain.ts';
import type { CryptoEvent } from '../../domain/payments/crypto-events.ts';
import { eventInWords } from '../../domain/payments/crypto-words.ts';
import { invoiceParams } from '../billing/invoices.schemas.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound, type ProblemCode } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { id } from '../schemas.ts';
import { toCryptoInvoice, toCryptoInvoices } from './crypto-invoice-body.ts';
import {
  cryptoEvent,
  cryptoEventCursor,
  cryptoFlag,
  cryptoInvoice,
  cryptoInvoiceCursor,
  cryptoInvoiceParams,
  cryptoStatus,
  newCryptoInvoice,
} from './crypto-invoices.schemas.ts';

/** What stands against a quote. */
export const quoteProblems: readonly ProblemCode[] = [
  'state_conflict',
  'chain_not_watched',
  'chain_paused',
  'chain_behind',
  'rates_stale',
  'rates_apart',
  'rates_too_few',
  'amount_too_small',
  'asset_not_on_chain',
];

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/invoices/{invoiceId}/crypto_invoices',
  operationId: 'createCryptoInvoice',
  tag: 'Coins',
  scope: 'billing:write',
  summary: 'Offer an open invoice for payment in coins',
  description:
    'An address of its own and the coins at a rate that holds for a quarter of an hour. An invoice is offered in one way at a time: asked for the same again, the same is answered; another one takes the place of one that nobody has paid anything for. No chain without a watcher, none that is paused, and no rate that is old is quoted: then other means of payment are there.',
  params: invoiceParams,
  body: newCryptoInvoice,
  example: { asset: 'BTC' },
  responses: {
    201: {
      description: 'The offer. Send the customer to checkoutUrl.',
      schema: cryptoInvoice,
      links: {
        GetCryptoInvoice: {
          operationId: 'getCryptoInvoice',
          parameters: { cryptoInvoiceId: '$response.body#/id' },
        },
      },
    },
  },
  problems: quoteProblems,
  reasons: {
    state_conflict: [
      'invoice_not_open',
      'charge_in_flight',
      'collected_by_razorpay',
      'payment_under_way',
      'crypto_account_missing',
    ],
  },
  handler: async ({ tx, deps, caller: { actor }, now, params: { invoiceId }, body }) => {
    if ((await findInvoice(tx, invoiceId)) === null) throw notFound('invoice', invoiceId);
    const { settings, watched } = deps.config.chains;
    const tokenOn = (chain: ChainName) => watched[chain].usdc;
    const row = await createCryptoInvoice(tx, { invoiceId, ...body, settings, tokenOn, actor, at: now });
    return { status: 201, body: await toCryptoInvoice({ tx, deps }, row) };
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/crypto_invoices',
  operationId: 'listCryptoInvoices',
  tag: 'Coins',
  scope: 'billing:read',
  summary: 'List invoices in coins, newest first',
  description:
    'flag=review lists what waits for an operator; flag=confirmation_overdue what the chain takes too long for.',
  query: z.strictObject({
    ...pageQuery(cryptoInvoiceCursor),
    invoiceId: id('inv', 'invoice').optional(),
    status: cryptoStatus.optional(),
    flag: cryptoFlag.optional(),
  }),
  responses: { 200: { description: 'A page of invoices in coins.', schema: pageOf(cryptoInvoice) } },
  handler: async ({ tx, deps, query: { limit, cursor, invoiceId, status, flag } }) => {
    const rows = await page({
      limit,
      fetch: (count) => listCryptoInvoices(tx, { invoiceId, status, flag, cursor, limit: count }),
      cursorOf: ({ id }) => id,
      toItem: (row) => row,
    });
    return {
      status: 200,
      body: { data: await toCryptoInvoices({ tx, deps }, rows.data), nextCursor: rows.nextCursor },
    };
  },
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/crypto_invoices/{cryptoInvoiceId}',
  operationId: 'getCryptoInvoice',
  tag: 'Coins',
  scope: 'billing:read',
  summary: 'Read an invoice in coins',
  params: cryptoInvoiceParams,
  responses: { 200: { description: 'The invoice in coins.', schema: cryptoInvoice } },
  handler: async ({ tx, deps, params: { cryptoInvoiceId } }) => ({
    status: 200,
    body: await toCryptoInvoice({ tx, deps }, await found(tx, cryptoInvoiceId)),
  }),
});

const events = route({
  effect: 'read',
  method: 'get',
  path: '/v1/crypto_invoices/{cryptoInvoiceId}/events',
  operationId: 'listCryptoInvoiceEvents',
  tag: 'Coins',
  scope: 'billing:read',
  summary: 'List what happened to an invoice in coins, in order',
  params: cryptoInvoiceParams,
  query: z.strictObject(pageQuery(cryptoEventCursor)),
  responses: { 200: { description: 'A page of events.', schema: pageOf(cryptoEvent) } },
  handler: async ({ tx, params: { cryptoInvoiceId }, query: { limit, cursor } }) => {
    const invoice = await found(tx, cryptoInvoiceId);
    return {
      status: 200,
      body: await page({
        limit,
        fetch: (count) => listCryptoEvents(tx, { cryptoInvoiceId, cursor, limit: count }),
        cursorOf: (row) => row.id,
        toItem: (row) => toEvent(row, invoice),
      }),
    };
  },
});

export const cryptoInvoiceRoutes: readonly Route[] = [create, list, read, events];

async function found(
  tx: Parameters<typeof findCryptoInvoice>[0],
  cryptoInvoiceId: string,
): Promise<CryptoInvoiceRow> {
  const row = await findCryptoInvoice(tx, cryptoInvoiceId);
  if (row === null) throw notFound('crypto invoice', cryptoInvoiceId);
  return row;
}

function toEvent(
  { id: eventId, key, kind, version, at, carriedOutAt, details }: CryptoEventRow,
  { asset, chain }: CryptoInvoiceRow,
) {
  const event = { ...details, key, kind } as CryptoEvent;
  return {
    id: eventId,
    kind,
    message: eventInWords(event, { asset, chain }).operator,
    version,
    at: at.toISOString(),
    carriedOutAt: carriedOutAt?.toISOString() ?? null,
  };
}

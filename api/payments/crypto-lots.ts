/** Cost basis of coins for whoever does the taxes: what came in as lots, what left, and both as tables. */
import { z } from 'zod';
import {
  type DisposedCoins,
  listDisposals,
  recordDisposal,
} from '../../db/queries/payments/crypto-disposals.ts';
import { type CryptoLotRow, listLots } from '../../db/queries/payments/crypto-lots.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { decimalOf } from '../../domain/money.ts';
import { coinsOf, cryptoAssets, decimalsOf, unitsOf } from '../../domain/payments/crypto-asset.ts';
import { chainNames } from '../../domain/payments/crypto-chain.ts';
import { lotMethods } from '../../domain/payments/crypto-lot.ts';
import type { CsvTable } from '../csv.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { Problem } from '../problem.ts';
import { reportFilters } from '../reporting/report-range.ts';
import { cursorParts, rowCursor } from '../reporting/row-cursor.ts';
import { type Route, route } from '../route.ts';
import { AMOUNT_MAX, amount, id, idPattern, instant, instantInput, signedAmount, text } from '../schemas.ts';

const asset = z.enum(cryptoAssets).meta({ id: 'CryptoAsset' });
const coins = z
  .string()
  .regex(/^\d{1,30}(?:[.]\d{1,18})?$/, 'must be a decimal of whole coins in quotes, such as "0.0125"')
  .meta({ description: 'Whole coins, an exact decimal.', example: '0.0125' });
const accountId = id('cacc', 'account');
const dollars = amount.meta({ description: 'Cents of US dollars.' });

const lot = z
  .object({
    id: id('clot', 'lot'),
    accountId,
    cryptoInvoiceId: id('cin', 'invoice in coins'),
    chain: z.enum(chainNames),
    txid: z.string(),
    asset,
    acquiredAt: instant,
    amount: coins,
    remaining: coins,
    rate: z.string().meta({ description: 'US dollars for one whole coin at the receipt.' }),
    rateSource: z.string(),
    costMinor: dollars,
    reversedAt: instant.nullable().meta({ description: 'When the chain took the payment back.' }),
  })
  .meta({ id: 'CryptoLot' });

const lots = pageOf(lot);

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/crypto_lots',
  operationId: 'listCryptoLots',
  tag: 'Coins',
  scope: 'reports:read',
  summary: 'List lots of coins, oldest first',
  description:
    'Each payment in coins that was confirmed is a lot, worth what the coins were worth in US dollars when they came. Where a table goes on, the header Link of the answer names its next page.',
  query: z.strictObject({
    ...pageQuery(rowCursor(['clot'])),
    format: reportFilters.format,
    accountId: accountId.optional(),
    asset: asset.optional(),
  }),
  responses: {
    200: { description: 'The lots.', schema: lots, csv: { fileName: 'crypto-lots.csv', tableOf: lotTable } },
  },
  handler: async ({ tx, query: { limit, cursor, ...only } }) => {
    const after = cursorParts(cursor);
    const body = await page({
      limit,
      fetch: (count) => listLots(tx, { accountId: only.accountId, asset: only.asset, after, limit: count }),
      cursorOf: ({ acquiredAt, id: lotId }) => `${acquiredAt.toISOString()}~${lotId}`,
      toItem: toLot,
    });
    return { status: 200, body };
  },
});

const part = z.object({
  lotId: id('clot', 'lot'),
  acquiredAt: instant,
  amount: coins,
  costMinor: dollars,
  proceedsMinor: dollars,
  gainMinor: signedAmount.meta({ description: 'Cents of US dollars; a loss is negative.' }),
  isLongTerm: z.boolean().meta({ description: 'Held for more than a year.' }),
});

const disposal = z
  .object({
    id: id('cdis', 'disposal'),
    accountId,
    asset,
    amount: coins,
    proceedsMinor: dollars,
    method: z.enum(lotMethods),
    reference: z.string(),
    disposedAt: instant,
    parts: z.array(part),
  })
  .meta({ id: 'CryptoDisposal' });

const disposals = pageOf(disposal);

const record = route({
  effect: 'write',
  method: 'post',
  path: '/v1/crypto_disposals',
  operationId: 'recordCryptoDisposal',
  reasons: { state_conflict: ['lots_insufficient', 'lot_unknown'] },
  tag: 'Coins',
  scope: 'billing:write',
  summary: 'Record coins that were sold, spent or given back',
  description:
    'They are taken out of the lots of the account: the oldest first (fifo), those that cost most first (hifo), or the ones you name, in that order (specific).',
  body: z
    .strictObject({
      accountId,
      asset,
      amount: coins,
      proceedsMinor: amount.max(AMOUNT_MAX).meta({ description: 'Cents of US dollars, fees taken off.' }),
      method: z.enum(lotMethods),
      lotIds: z
        .array(id('clot', 'lot'))
        .min(1)
        .max(100)
        .optional()
        .meta({ description: 'With specific only.' }),
      reference: text(200).meta({ description: "What identifies it: the order's number at the exchange." }),
      disposedAt: instantInput.optional().meta({ description: 'As usual now.' }),
    })
    .refine(({ method, lotIds }) => (method === 'specific') === (lotIds !== undefined), {
      path: ['lotIds'],
      message: 'name the lots with the method specific, and with no other',
    })
    .meta({
      id: 'NewCryptoDisposal',
      oneOf: [
        { properties: { method: { const: 'specific' } }, required: ['lotIds'] },
        { properties: { method: { enum: ['fifo', 'hifo'] } }, not: { required: ['lotIds'] } },
      ],
    }),
  responses: { 201: { description: 'What was taken out of which lot.', schema: disposal } },
  problems: [
    'not_found',
    'state_conflict',
    'reference_already_booked',
    'amount_out_of_range',
    'date_out_of_range',
  ],
  handler: async ({ tx, caller: { tenantId, actor }, now, body }) => {
    const units = positiveUnits(body.amount, body.asset);
    const at = body.disposedAt === undefined ? now : new Date(body.disposedAt);
    if (at > now) throw mistake('date_out_of_range', 'body.disposedAt', 'must not be in the future');
    const { accountId: account, asset: coin, proceedsMinor, method, lotIds = [], reference } = body;
    const recorded = await recordDisposal(tx, {
      tenantId,
      accountId: account,
      asset: coin,
      units,
      proceedsMinor,
      method,
      lotIds,
      reference,
      at,
    });
    await writeAudit(tx, {
      tenantId,
      actor,
      action: 'crypto_disposal.recorded',
      entityType: 'crypto_disposal',
      entityId: recorded.id,
      details: { asset: coin, amount: body.amount, method, reference },
      at: now,
    });
    return { status: 201, body: toDisposal(recorded) };
  },
});

const listAll = route({
  effect: 'read',
  method: 'get',
  path: '/v1/crypto_disposals',
  operationId: 'listCryptoDisposals',
  tag: 'Coins',
  scope: 'reports:read',
  summary: 'List disposals of coins in the order they were recorded',
  query: z.strictObject({ ...pageQuery(idPattern('cdis')), format: reportFilters.format }),
  responses: {
    200: {
      description:
        'The disposals. As a table, a row for each lot that was taken from; where it goes on, the header Link names its next page.',
      schema: disposals,
      csv: { fileName: 'crypto-disposals.csv', tableOf: disposalTable },
    },
  },
  handler: async ({ tx, query: { limit, cursor } }) => {
    const body = await page({
      limit,
      fetch: (count) => listDisposals(tx, { cursor, limit: count }),
      cursorOf: (row) => row.id,
      toItem: toDisposal,
    });
    return { status: 200, body };
  },
});

function positiveUnits(amountOfCoins: string, coin: z.infer<typeof asset>): bigint {
  const behind = amountOfCoins.split('.')[1] ?? '';
  if (behind.length > decimalsOf(coin)) {
    throw mistake(
      'amount_out_of_range',
      'body.amount',
      `${coin} has ${decimalsOf(coin)} digits behind the point`,
    );
  }
  const units = unitsOf(amountOfCoins, coin);
  if (units === 0n) throw mistake('amount_out_of_range', 'body.amount', 'must be above 0');
  return units;
}

function mistake(code: 'amount_out_of_range' | 'date_out_of_range', path: string, message: string): Problem {
  return new Problem({ code, detail: `${path}: ${message}.`, errors: [{ path, message }] });
}

function toLot(row: CryptoLotRow): z.infer<typeof lot> {
  const { id: lotId, cryptoInvoiceId, chain, txid, rate, rateSource, costMinor } = row;
  return {
    id: lotId,
    accountId: row.accountId,
    cryptoInvoiceId,
    chain,
    txid,
    asset: row.asset,
    acquiredAt: row.acquiredAt.toISOString(),
    amount: coinsOf(row.units, row.asset),
    remaining: coinsOf(row.remainingUnits, row.asset),
    rate,
    rateSource,
    costMinor,
    reversedAt: row.reversedAt?.toISOString() ?? null,
  };
}

function toDisposal(row: DisposedCoins): z.infer<typeof disposal> {
  const { id: disposalId, proceedsMinor, method, reference, parts } = row;
  return {
    id: disposalId,
    accountId: row.accountId,
    asset: row.asset,
    amount: coinsOf(row.units, row.asset),
    proceedsMinor,
    method,
    reference,
    disposedAt: row.disposedAt.toISOString(),
    parts: parts.map(({ units, ...rest }) => ({ ...rest, amount: coinsOf(units, row.asset) })),
  };
}

const usd = (amountMinor: number) => decimalOf({ amountMinor, currency: 'USD' });

function lotTable({ data }: { data: z.infer<typeof lot>[] }): CsvTable {
  return {
    header: [
      'Lot',
      'Acquired',
      'Asset',
      'Quantity',
      'Remaining',
      'Rate USD',
      'Rate source',
      'Cost USD',
      'Chain',
      'Transaction',
      'Reversed',
    ],
    rows: data.map((each) => [
      each.id,
      each.acquiredAt,
      each.asset,
      each.amount,
      each.remaining,
      each.rate,
      each.rateSource,
      usd(each.costMinor),
      each.chain,
      each.txid,
      each.reversedAt,
    ]),
  };
}

function disposalTable({ data }: { data: z.infer<typeof disposal>[] }): CsvTable {
  return {
    header: [
      'Disposal',
      'Asset',
      'Quantity',
      'Acquired',
      'Disposed',
      'Proceeds USD',
      'Cost USD',
      'Gain USD',
      'Term',
      'Method',
      'Lot',
      'Reference',
    ],
    rows: data.flatMap((each) =>
      each.parts.map((own) => [
        each.id,
        each.asset,
        own.amount,
        own.acquiredAt,
        each.disposedAt,
        usd(own.proceedsMinor),
        usd(own.costMinor),
        usd(own.gainMinor),
        own.isLongTerm ? 'long' : 'short',
        each.method,
        own.lotId,
        each.reference,
      ]),
    ),
  };
}

export const cryptoLotRoutes: readonly Route[] = [list, record, listAll];

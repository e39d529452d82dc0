/**
 * A transaction that somebody asks about: the nodes are asked what it is, and the rows of the caller's tenant what it counts
 * for. Nothing of another tenant is told.
 */
import { WorkflowFailedError } from '@temporalio/client';
import { z } from 'zod';
import { type FoundPayment, readLookedUp } from '../../db/queries/payments/crypto-lookup.ts';
import { coinsOf, cryptoAssets } from '../../domain/payments/crypto-asset.ts';
import { chainNames, cryptoNetworks, titleOf } from '../../domain/payments/crypto-chain.ts';
import { cryptoInvoiceStatuses } from '../../domain/payments/crypto-invoice.ts';
import {
  type LookedUp,
  lookupInWords,
  lookupOutcomes,
  outcomeOf,
  txidOf,
} from '../../domain/payments/crypto-lookup.ts';
import { cryptoPaymentStatuses } from '../../domain/payments/crypto-payment.ts';
import { deliverToTemporal } from '../../temporal/deliver.ts';
import {
  type CryptoLookupInput,
  cryptoLookupWorkflowId,
  startCryptoLookup,
} from '../../workflows/payments/crypto-lookup.contract.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { id } from '../schemas.ts';
import { withinTime } from '../within-time.ts';

const chainName = z.enum(chainNames);

const payment = z.object({
  cryptoInvoiceId: id('cin', 'invoice in coins'),
  invoiceId: id('inv', 'invoice'),
  invoiceStatus: z.enum(cryptoInvoiceStatuses),
  key: z.string().meta({ description: 'Of the payment, unique on its chain.' }),
  address: z.string(),
  asset: z.enum(cryptoAssets).nullable().meta({ description: 'Null for a coin that is not taken.' }),
  amount: z.string().nullable().meta({ description: 'Whole coins, an exact decimal; null for such a coin.' }),
  status: z
    .enum(cryptoPaymentStatuses)
    .nullable()
    .meta({ description: 'Null while the payment is not recorded.' }),
  counts: z.boolean().meta({ description: 'It is in what the invoice is credited with.' }),
  why: z.string().meta({ description: 'Why it counts or does not, and what to do.' }),
});

const answer = z
  .object({
    txid: z.string(),
    outcome: z.enum(lookupOutcomes),
    summary: z.string(),
    advice: z
      .string()
      .nullable()
      .meta({ description: 'What to tell the payer; null where nothing is wrong.' }),
    network: z.enum(cryptoNetworks),
    chain: chainName.nullable().meta({ description: 'Where it is; null where no node knows it.' }),
    block: z.object({ height: z.int(), hash: z.string() }).nullable(),
    failure: z.string().nullable().meta({ description: 'Why it moved nothing although it was mined.' }),
    payments: z.array(payment).meta({ description: 'What it pays to addresses of yours.' }),
    asked: z.array(chainName).meta({ description: 'The chains whose nodes have answered.' }),
  })
  .meta({ id: 'CryptoLookup' });

const lookup = route({
  effect: 'act',
  method: 'post',
  path: '/v1/crypto/lookup',
  operationId: 'lookUpCryptoTransaction',
  tag: 'Coins',
  scope: 'operations:read',
  summary: 'Look a transaction up',
  description:
    'Whether it pays one of your addresses, whether that counts and why, or what became of it. Nodes are asked at this moment; a new Idempotency-Key asks anew. Nothing is credited by it.',
  body: z.strictObject({
    txid: z
      .string()
      .regex(
        /^(?:0x)?[0-9a-fA-F]{64}$/,
        'must be the id of a transaction: 64 hex digits, with 0x in front on EVM chains',
      )
      .meta({ example: '4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b' }),
    chain: chainName
      .optional()
      .meta({ description: 'The one that is meant; others on which there are such ids are looked at, too.' }),
  }),
  responses: { 200: { description: 'What is known of it.', schema: answer } },
  problems: ['chain_unreachable', 'temporal_unavailable', 'outcome_unknown'],
  handler: {
    look: async () => undefined,
    act: async ({ deps, caller: { tenantId }, updateId, body: { txid: given, chain = null } }) => {
      const looked = await askNodes(deps, updateId, { tenantId, txid: txidOf(given, chain), chain });
      const [failed] = looked.failed;
      if (looked.found === null && failed !== undefined) {
        throw unreachable(
          `${titleOf(failed.chain)} cannot be asked now, and no other chain knows it: ${failed.message}`,
        );
      }
      return looked;
    },
    answer: async ({ tx, now, body: { txid: given, chain: named = null } }, looked: LookedUp) => {
      const txid = txidOf(given, named);
      const payments = await readLookedUp(tx, { txid, looked, now });
      const outcome = outcomeOf(looked, payments);
      const { network, asked, found } = looked;
      return {
        txid,
        outcome,
        ...lookupInWords(outcome, looked, { txid, named, payments }),
        network,
        chain: found?.chain ?? payments[0]?.chain ?? null,
        block: found?.block ?? null,
        failure: found?.failure ?? null,
        payments: payments.map(toPayment),
        asked,
      };
    },
  },
});

export const cryptoLookupRoutes: readonly Route[] = [lookup];

const START_MS = 2_000;
const ANSWER_MS = 10_000;

/** Throws `chain_unreachable` where no worker that has nodes took the question in time. */
async function askNodes(
  { temporal }: ApiDependencies,
  askId: string,
  input: CryptoLookupInput,
): Promise<LookedUp> {
  await deliverToTemporal(temporal, startCryptoLookup({ askId, ...input }), { timeoutMs: START_MS });
  const handle = temporal.workflow.getHandle<(input: CryptoLookupInput) => Promise<LookedUp>>(
    cryptoLookupWorkflowId(askId),
  );
  try {
    return await withinTime(temporal, () => handle.result(), ANSWER_MS);
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    throw unreachable('No worker asked its nodes in time: see that one runs, and look it up again', error);
  }
}

function unreachable(detail: string, cause?: unknown): Problem {
  return new Problem({ code: 'chain_unreachable', detail: `${detail}.`.replace(/[.]+$/, '.'), cause });
}

function toPayment(found: FoundPayment): z.infer<typeof payment> {
  const { cryptoInvoiceId, invoiceId, status, key, address, asset, units, decided, counts, why } = found;
  return {
    cryptoInvoiceId,
    invoiceId,
    invoiceStatus: status,
    key,
    address,
    asset,
    amount: asset === null ? null : coinsOf(units, asset),
    status: decided?.status ?? null,
    counts,
    why,
  };
}

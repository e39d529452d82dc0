/**
 * The chains that are watched, for operators: whether payments on them can be relied on, reading blocks again, pausing and
 * resuming. Chains belong to no tenant, so what is done to one concerns all (decision 16).
 *
 * Why it is safe to run twice: each act is a wish in the chain's row, and the same wish again changes nothing; the row itself
 * says who has paused it. Dying between the wish and its entry in the audit log leaves the key claimed: the same request again
 * repeats the wish and writes the entry.
 */
import { z } from 'zod';
import { type SystemTx, withSystem } from '../../db/client.ts';
import type { ChainRow } from '../../db/queries/payments/chain-cursor.ts';
import { type ChainHealth, chainParts, readChainHealth } from '../../db/queries/payments/chain-health.ts';
import { type RateHealth, readRateHealth } from '../../db/queries/payments/rate-health.ts';
import { pauseChain, rescanChain, resumeChain } from '../../db/queries/payments/rescan-chain.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { together } from '../../db/together.ts';
import { cryptoAssets } from '../../domain/payments/crypto-asset.ts';
import {
  type ChainName,
  type CryptoNetwork,
  chainNames,
  cryptoNetworks,
  titleOf,
} from '../../domain/payments/crypto-chain.ts';
import type { CryptoPolicySettings } from '../../domain/payments/crypto-policy.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Problem, type RequestMistake } from '../problem.ts';
import { type ActSteps, type Route, route } from '../route.ts';
import { currency, emptyBody, instant, text } from '../schemas.ts';

const chainName = z.enum(chainNames).meta({ example: 'bitcoin' });

const chain = z
  .object({
    name: chainName,
    network: z.enum(cryptoNetworks).nullable().meta({ description: 'Null before it was ever watched.' }),
    healthy: z.boolean(),
    failing: z
      .array(z.object({ part: z.enum(chainParts), detail: z.string() }))
      .meta({ description: 'What fails, and what to do about it.' }),
    warnings: z
      .array(z.object({ part: z.enum(['internal_transfers']), detail: z.string() }))
      .meta({ description: 'What is not seen although nothing fails.' }),
    startHeight: z.int().nullable().meta({ description: 'Nothing below was read, unless by a rescan.' }),
    height: z.int().nullable().meta({ description: 'The last block that was read.' }),
    tipHeight: z.int().nullable().meta({ description: 'The last block of the node.' }),
    tipAt: instant.nullable(),
    freshUntil: instant.nullable().meta({ description: 'All that happened before is known.' }),
    heartbeatAt: instant.nullable(),
    node: z.string().nullable().meta({ description: 'The node that answered last, without its password.' }),
    paused: z
      .object({
        since: instant,
        reason: z.string().nullable(),
        byOperator: z.boolean().meta({ description: 'Only an operator ends it.' }),
      })
      .nullable(),
    cautiousUntil: instant.nullable().meta({ description: 'Until then payments need twice the depth.' }),
    rescanFrom: z.int().nullable().meta({ description: 'Blocks from here on are still to be read again.' }),
  })
  .meta({ id: 'CryptoChain' });

const rate = z
  .object({
    asset: z.enum(cryptoAssets),
    currency,
    at: instant.nullable(),
    warnings: z.array(z.object({ part: z.enum(['peg']), detail: z.string() })).meta({
      description: 'What somebody should look at although quotes are made: USDC that is not worth a dollar.',
    }),
  })
  .meta({ id: 'CryptoRateHealth' });

const health = z
  .object({ status: z.literal('ok'), chains: z.array(chain), rates: z.array(rate) })
  .meta({ id: 'CryptoHealth' });

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/crypto/chains',
  operationId: 'listCryptoChains',
  tag: 'Coins',
  scope: 'operations:read',
  summary: 'List the chains that are watched',
  responses: {
    200: { description: 'All of them.', schema: z.object({ data: z.array(chain), nextCursor: z.null() }) },
  },
  handler: async ({ tx, deps, now }) => {
    const chains = await readChainHealth(tx, { ...watchedBy(deps), now });
    return { status: 200, body: { data: chains.map(toChain), nextCursor: null } };
  },
});

const checkHealth = route({
  effect: 'read',
  method: 'post',
  path: '/v1/crypto/health',
  operationId: 'checkCryptoHealth',
  tag: 'Coins',
  scope: 'operations:read',
  summary: 'Whether payments in coins can be relied on',
  description:
    'ok only if of every chain that is watched the watcher is alive (90 s), its node answers, the last block is recent, no more than 2 blocks (Bitcoin) or 10 (others) are still to be read and it is not paused, and every coin has a rate of the last 5 minutes, in US dollars and in the currencies of your invoices that wait for coins. Otherwise errors names each part that fails (bitcoin.heartbeat, network, node, tip, cursor or paused; rates.BTC-USD), and what to do. It is answered from what is kept, so it tells the truth of a watcher that is dead, too.',
  body: emptyBody,
  responses: { 200: { description: 'They can.', schema: health } },
  problems: ['crypto_unhealthy'],
  handler: async ({ tx, deps, now }) => {
    const asked = { ...watchedBy(deps), now };
    const [chains, rates] = await together([readChainHealth(tx, asked), readRateHealth(tx, asked)]);
    const errors = [...chains.flatMap(mistakesOfChain), ...rates.flatMap(mistakesOfRate)];
    if (errors.length > 0) {
      const parts = errors.map(({ path }) => path).join(', ');
      const detail = `Not in order: ${parts}. Each is explained in errors.`;
      throw new Problem({ code: 'crypto_unhealthy', detail, errors });
    }
    return { status: 200, body: { status: 'ok', chains: chains.map(toChain), rates: rates.map(toRate) } };
  },
});

/** What the database keeps a height as. */
const HEIGHT_MAX = 2_147_483_647;

const params = z.strictObject({ chain: chainName });
const reason = text(500).meta({ description: 'For those who ask later.', example: 'the node was replaced' });
const one = { 200: { description: 'The chain as it is now.', schema: chain } };

const rescan = route({
  effect: 'act',
  method: 'post',
  path: '/v1/crypto/chains/{chain}/rescan',
  operationId: 'rescanCryptoChain',
  reasons: { state_conflict: ['height_not_read'] },
  tag: 'Coins',
  scope: 'operations:write',
  summary: 'Have blocks read again',
  description:
    'From this height on, beside the new ones, also from before the chain was watched. What had been missed is found; what was known already stays as it is.',
  params,
  body: z.strictObject({
    fromHeight: z.int().min(0).max(HEIGHT_MAX).meta({ example: 880_000 }),
    reason,
  }),
  responses: one,
  problems: ['not_found', 'chain_not_watched', 'state_conflict'],
  handler: onChain<{ fromHeight: number; reason: string }>(
    'rescanned',
    (tx, { chain, body: { fromHeight } }) => rescanChain(tx, { chain, fromHeight }),
  ),
});

const pause = route({
  effect: 'act',
  method: 'post',
  path: '/v1/crypto/chains/{chain}/pause',
  operationId: 'pauseCryptoChain',
  tag: 'Coins',
  scope: 'operations:write',
  summary: 'Take no payments on a chain for now',
  description:
    'Of all tenants: nobody is quoted on it, nothing settles and nothing expires until an operator resumes it. It is read on. A pause that the watcher began becomes yours; one of an operator stays as it is.',
  params,
  body: z.strictObject({ reason }),
  responses: one,
  problems: ['not_found', 'chain_not_watched'],
  handler: onChain('paused', (tx, { chain, body, operator, at }) =>
    pauseChain(tx, { chain, operator, reason: body.reason, at }),
  ),
});

const resume = route({
  effect: 'act',
  method: 'post',
  path: '/v1/crypto/chains/{chain}/resume',
  operationId: 'resumeCryptoChain',
  tag: 'Coins',
  scope: 'operations:write',
  summary: 'Take payments on a chain again',
  description:
    'With twice the depth for a day. Where the cause of the pause is still there, the watcher pauses it again. One that is not paused stays as it is.',
  params,
  body: z.strictObject({ reason }),
  responses: one,
  problems: ['not_found', 'chain_not_watched'],
  handler: onChain('resumed', (tx, { chain, at }) => resumeChain(tx, { chain, at })),
});

export const cryptoChainRoutes: readonly Route[] = [list, checkHealth, rescan, pause, resume];

type Asked<B> = { chain: ChainName; body: B; operator: string; at: Date };

/** One act on a chain, and its entry in the caller's audit log. */
function onChain<B extends { reason: string }>(
  deed: 'rescanned' | 'paused' | 'resumed',
  work: (tx: SystemTx, asked: Asked<B>) => Promise<unknown>,
): ActSteps<{ chain: ChainName }, unknown, B, typeof one, undefined, void> {
  return {
    look: async () => undefined,
    act: async ({ deps, caller, now, params: { chain }, body }) => {
      await withSystem(deps.db, (tx) => work(tx, { chain, body, operator: caller.actor, at: now }));
    },
    answer: async ({ tx, deps, caller, now, params: { chain }, body }) => {
      const { reason, ...details } = body;
      await writeAudit(tx, {
        tenantId: caller.tenantId,
        actor: caller.actor,
        action: `crypto_chain.${deed}`,
        entityType: 'crypto_chain',
        entityId: chain,
        reason,
        ...(Object.keys(details).length > 0 && { details }),
        at: now,
      });
      const { network } = deps.config.chains;
      const [found] = await readChainHealth(tx, { watched: [chain], network, now });
      if (found === undefined) throw new Error(`${chain} was asked for and not found`);
      return toChain(found);
    },
  };
}

/** Those that have a node, as the workers have. */
function watchedBy({ config }: Pick<ApiDependencies, 'config'>): {
  watched: ChainName[];
  network: CryptoNetwork;
  settings: CryptoPolicySettings;
} {
  const { network, watched, settings } = config.chains;
  return { network, settings, watched: chainNames.filter((each) => watched[each].nodes.length > 0) };
}

function mistakesOfChain({ chain, failing }: ChainHealth): RequestMistake[] {
  return failing.map(({ part, detail }) => ({
    path: `${chain}.${part}`,
    message: `${titleOf(chain)}: ${detail}.`,
  }));
}

function mistakesOfRate({ asset, currency, failing }: RateHealth): RequestMistake[] {
  return failing === null ? [] : [{ path: `rates.${asset}-${currency}`, message: failing.detail }];
}

function toRate({ asset, currency, at, warnings }: RateHealth): z.infer<typeof rate> {
  return { asset, currency, at, warnings };
}

function toChain({ chain: name, isHealthy, failing, warnings, row }: ChainHealth): z.infer<typeof chain> {
  return {
    name,
    network: row?.network ?? null,
    healthy: isHealthy,
    failing,
    warnings,
    startHeight: row?.startHeight ?? null,
    height: row?.height ?? null,
    tipHeight: row?.tipHeight ?? null,
    tipAt: row?.tipTime?.toISOString() ?? null,
    freshUntil: row?.freshUntil?.toISOString() ?? null,
    heartbeatAt: row?.heartbeatAt?.toISOString() ?? null,
    node: row?.node ?? null,
    paused: row === null ? null : pauseOf(row),
    cautiousUntil: row?.cautiousUntil?.toISOString() ?? null,
    rescanFrom: row?.rescanFrom ?? null,
  };
}

function pauseOf({ pausedAt, pauseReason, pausedBy }: ChainRow): z.infer<typeof chain>['paused'] {
  return pausedAt === null
    ? null
    : { since: pausedAt.toISOString(), reason: pauseReason, byOperator: pausedBy !== null };
}

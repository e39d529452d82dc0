/**
 * Whether each chain can be relied on right now, and what exactly is wrong where it cannot. Read from rows alone: a watcher
 * that is dead, or hangs, has let its row grow old, so that nothing it says of itself is believed.
 */
import { inArray, sql } from 'drizzle-orm';
import { type ChainName, type CryptoNetwork, familyOf } from '../../../domain/payments/crypto-chain.ts';
import { cryptoPolicyOn } from '../../../domain/payments/crypto-policy.ts';
import type { Tx } from '../../client.ts';
import { chains } from '../../schema/crypto.ts';
import type { ChainRow } from './chain-cursor.ts';

export const chainParts = ['network', 'heartbeat', 'node', 'tip', 'cursor', 'paused'] as const;

export type ChainPart = (typeof chainParts)[number];

export type ChainHealth = {
  chain: ChainName;
  isHealthy: boolean;
  /** What fails, and what to do about it; empty for a healthy chain. */
  failing: { part: ChainPart; detail: string }[];
  /** What is not seen although nothing fails. */
  warnings: { part: 'internal_transfers'; detail: string }[];
  /** Null where nobody has ever watched it. */
  row: ChainRow | null;
};

/** `watched`: the chains that have a node; another one is nobody's business. */
export async function readChainHealth(
  tx: Tx,
  { watched, network, now }: { watched: readonly ChainName[]; network: CryptoNetwork; now: Date },
): Promise<ChainHealth[]> {
  if (watched.length === 0) return [];
  const rows = await tx
    .select({
      row: chains,
      heartbeatSeconds: sql<number | null>`extract(epoch from now() - heartbeat_at)::float`,
    })
    .from(chains)
    .where(inArray(chains.name, [...watched]));
  const known = new Map(rows.map((each) => [each.row.name, each]));
  return watched.map((chain) => {
    const found = known.get(chain);
    const failing =
      found === undefined
        ? [{ part: 'heartbeat' as const, detail: `nobody has ever watched it; ${startWorker}` }]
        : failingParts(found.row, { network, now, heartbeatSeconds: found.heartbeatSeconds });
    return {
      chain,
      isHealthy: failing.length === 0,
      failing,
      warnings: found?.row.tracesCalls === false ? [internalTransfers] : [],
      row: found?.row ?? null,
    };
  });
}

/** Three polls and more without a sign of life. */
export const HEARTBEAT_SECONDS_MAX = 90;
/** Blocks that the node has and we have not read. */
const LAG_MAX = { bitcoin: 2, evm: 10 } as const;
const MINUTE_MS = 60_000;

const startWorker =
  'start a worker that has a node of it in its environment, and it is read from where it was left';

const internalTransfers = {
  part: 'internal_transfers',
  detail:
    'its node does not trace calls, so ether that a contract sends on is not seen: name a node with debug_traceBlockByHash or trace_block',
} as const;

function failingParts(
  row: ChainRow,
  { network, now, heartbeatSeconds }: { network: CryptoNetwork; now: Date; heartbeatSeconds: number | null },
): ChainHealth['failing'] {
  const family = familyOf(row.name);
  const { tipMaxAgeMinutes } = cryptoPolicyOn(network);
  const lag = (row.tipHeight ?? 0) - (row.height ?? 0);
  const tipAgeMs = row.tipTime === null ? null : now.getTime() - row.tipTime.getTime();
  const failing: ChainHealth['failing'] = [];
  if (row.network !== network) {
    failing.push({
      part: 'network',
      detail: `it was watched on ${row.network}, and ${network} is configured: use another database for another network`,
    });
  }
  if (heartbeatSeconds === null || heartbeatSeconds > HEARTBEAT_SECONDS_MAX) {
    const seconds = heartbeatSeconds === null ? 'ever' : `for ${Math.floor(heartbeatSeconds)} s`;
    failing.push({
      part: 'heartbeat',
      detail: `its watcher has not been heard of ${seconds}; ${startWorker}`,
    });
  }
  if (row.failure !== null) {
    const since = row.failingSince === null ? '' : ` (since ${row.failingSince.toISOString()})`;
    failing.push({
      part: 'node',
      detail: `${row.failure.replace(/[.]$/, '')}${since}: mend the node, or name another one beside it`,
    });
  }
  // To the instant from which on the chain is paused for it.
  if (tipAgeMs === null || tipAgeMs > tipMaxAgeMinutes[family] * MINUTE_MS) {
    const tip =
      tipAgeMs === null
        ? 'no block is known'
        : `the last block is ${Math.floor(tipAgeMs / MINUTE_MS)} minutes old`;
    failing.push({ part: 'tip', detail: `${tip}: see whether the node has peers and is synchronised` });
  }
  if (row.height === null || lag > LAG_MAX[family]) {
    const behind = row.height === null ? 'nothing was read yet' : `${lag} blocks are still to be read`;
    failing.push({
      part: 'cursor',
      detail: `${behind}: wait while they become fewer, else restart its worker`,
    });
  }
  if (row.pausedAt !== null) {
    const way = row.pausedBy === null ? 'once its nodes agree for some blocks, or with' : 'with';
    failing.push({
      part: 'paused',
      detail: `${row.pauseReason ?? 'it is paused'}; it goes on ${way} POST /v1/crypto/chains/${row.name}/resume`,
    });
  }
  return failing;
}

/**
 * Watches a chain for as long as it is let: one look after the other, for all invoices of all tenants. No failure of a node
 * ends it; it waits, asks the next node, and the chain's row says since when nothing is known.
 *
 * Why it is safe to run twice: only one holds the chain's lease. A second one waits for it; one that has lost it stops before
 * it writes anything more.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import type { Database } from '../../db/client.ts';
import {
  type ChainLease,
  LeaseLostError,
  releaseLease,
  renewLease,
  setChain,
  takeLease,
  underLease,
} from '../../db/queries/payments/chain-cursor.ts';
import { VendorError } from '../../domain/errors.ts';
import type { ChainNode } from '../../domain/payments/chain-node.ts';
import type { ChainName, CryptoNetwork } from '../../domain/payments/crypto-chain.ts';
import type { CryptoPolicySettings } from '../../domain/payments/crypto-policy.ts';
import { type PollResult, pollChain } from './chain-poll.ts';
import { createMempoolReader, type MempoolReader } from './mempool-reader.ts';

export type WatchedChain = {
  chain: ChainName;
  /** The first that answers is read; the next one is asked whether it sees the same. At least one. */
  nodes: readonly ChainNode[];
  /** Milliseconds between the end of a look and the next one. */
  everyMs: number;
  /** Where a chain that was never read is begun; null for its tip. */
  startHeight: number | null;
};

export type ChainWatching = {
  network: CryptoNetwork;
  chains: readonly WatchedChain[];
  /** What the installation has set; as usual unless given. */
  settings?: CryptoPolicySettings;
  /** So long one run watches before the next one goes on, in milliseconds; four hours unless given. */
  watchMs?: number;
};

/** `over`: its time is up and the next one goes on. `not_configured`: this process has no node of the chain. */
export type WatchOutcome = { ended: 'over' | 'not_configured' };

export type ChainWatcherDeps = {
  db: Database;
  chainWatching: ChainWatching;
  log: Logger;
  /** Aborted when the process is to stop. */
  stopping: AbortSignal;
};

export function createChainWatcherActivities({ db, chainWatching, log, stopping }: ChainWatcherDeps) {
  return {
    async watchChain({ chain }: { chain: ChainName }): Promise<WatchOutcome> {
      const watched = chainWatching.chains.find((each) => each.chain === chain);
      if (watched === undefined) return { ended: 'not_configured' };
      const { cancellationSignal, cancelled, info } = Context.current();
      await watchFor(chainWatching.watchMs ?? WATCH_MS, {
        ...watched,
        db,
        network: chainWatching.network,
        settings: chainWatching.settings,
        // A second attempt means that the first is dead: it need not wait for its own lease.
        holder: `${info.workflowExecution?.runId ?? 'none'}/${info.activityId}`,
        log: log.child({ chain }),
        signal: AbortSignal.any([cancellationSignal, stopping]),
      });
      if (cancellationSignal.aborted) await cancelled;
      if (stopping.aborted) throw new Error('This worker stops; another one goes on.');
      return { ended: 'over' };
    },
  };
}

/** So long it watches before the workflow begins anew, with a short history. */
const WATCH_MS = 4 * 60 * 60_000;

export type Watch = WatchedChain & {
  db: Database;
  network: CryptoNetwork;
  settings?: CryptoPolicySettings | undefined;
  /** Who we are: another name is another watcher. */
  holder: string;
  log: Logger;
  signal: AbortSignal;
  clock?: () => Date;
  /** Told after each look. */
  onPoll?: (result: PollResult | Error) => void;
};

/** Watches until the time is up or `signal`. Throws a `LeaseLostError` when another watcher has taken over. */
export async function watchFor(ms: number, watch: Watch): Promise<void> {
  const ended = AbortSignal.any([watch.signal, AbortSignal.timeout(ms)]);
  const lease = await leaseFor(watch, ended);
  if (lease === null) return;
  const lost = new AbortController();
  const signal = AbortSignal.any([ended, lost.signal]);
  const progress = { at: Date.now() };
  const renewal = setInterval(() => {
    // One that hangs is not kept alive: somebody else may take over.
    if (Date.now() - progress.at > HUNG_MS) return;
    renewLease(watch.db, lease).catch((error: unknown) => {
      if (error instanceof LeaseLostError) lost.abort(error);
    });
  }, RENEWAL_MS);
  try {
    await pollUntil(signal, { ...watch, signal }, lease, () => {
      progress.at = Date.now();
    });
    lost.signal.throwIfAborted();
  } finally {
    clearInterval(renewal);
    await releaseLease(watch.db, lease).catch(() => {});
  }
}

const RENEWAL_MS = 10_000;
const HUNG_MS = 5 * 60_000;
const LEASE_WAIT_MS = 2_000;

async function leaseFor(watch: Watch, signal: AbortSignal): Promise<ChainLease | null> {
  while (!signal.aborted) {
    const lease = await takeLease(watch.db, watch);
    if (lease !== null) return lease;
    await rest(LEASE_WAIT_MS, signal);
  }
  return null;
}

async function pollUntil(
  signal: AbortSignal,
  watch: Watch,
  lease: ChainLease,
  onProgress: () => void,
): Promise<void> {
  const { clock = () => new Date() } = watch;
  const mempool = createMempoolReader();
  for (let failures = 0, turn = 0; !signal.aborted; ) {
    const result = await pollOnce({ ...watch, clock }, { lease, mempool, turn });
    onProgress();
    if (result instanceof LeaseLostError) throw result;
    if (signal.aborted) return;
    watch.onPoll?.(result);
    if (result instanceof Error) {
      failures += 1;
      // The next node may know better; of a failure of ours it knows nothing.
      if (result instanceof VendorError) turn += 1;
      await sayFailure({ ...watch, clock }, lease, result);
      await rest(delayOf(result, failures), signal);
    } else {
      failures = 0;
      await rest(watch.everyMs, signal);
    }
  }
}

async function pollOnce(
  { db, nodes, startHeight, settings, clock, signal }: Watch & { clock: () => Date },
  { lease, mempool, turn }: { lease: ChainLease; mempool: MempoolReader; turn: number },
): Promise<PollResult | Error> {
  const node = nodes[turn % nodes.length];
  if (node === undefined) throw new Error(`No node of ${lease.chain} is configured`);
  const second = nodes.length > 1 ? (nodes[(turn + 1) % nodes.length] ?? null) : null;
  try {
    return await pollChain({ db, lease, node, second, startHeight, mempool, settings, clock, signal });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** What was failing is told once, when it begins, and kept where health reads it. */
async function sayFailure(
  { db, log, clock }: Watch & { clock: () => Date },
  lease: ChainLease,
  error: Error,
): Promise<void> {
  const failure = error.message.slice(0, FAILURE_LENGTH);
  try {
    const isNew = await underLease(db, lease, async (tx, chain) => {
      await setChain(tx, lease.chain, { failure, failingSince: chain.failingSince ?? clock() });
      return chain.failure !== failure;
    });
    if (isNew) log.warn({ err: error }, 'the chain cannot be read at the moment');
  } catch (err) {
    if (err instanceof LeaseLostError) throw err;
    log.warn({ err, failure }, 'the chain cannot be read, nor can that be kept');
  }
}

const FAILURE_LENGTH = 500;
const FIRST_DELAY_MS = 1_000;
/** Well within the time after which a watcher counts as dead. */
const DELAY_MAX_MS = 30_000;

function delayOf(error: Error, failures: number): number {
  const backoff = Math.min(FIRST_DELAY_MS * 2 ** Math.min(failures - 1, 10), DELAY_MAX_MS);
  const asked = error instanceof VendorError ? (error.retryAfterMs ?? 0) : 0;
  return Math.min(Math.max(backoff, asked), DELAY_MAX_MS);
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => {});
}

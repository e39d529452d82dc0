/**
 * One look at a chain: back to where our blocks leave the active chain, forward block by block to its tip, and only then at
 * what waits to be mined. Where all of it went well, everything that happened before the look began is known.
 *
 * Why it is safe to run twice: each block is committed before the next one, on top of the last one, under the fence. A poll
 * that ends anywhere leaves a cursor that the next one begins at, and the time up to which we know everything stays old.
 */
import { type Database, withSystem } from '../../db/client.ts';
import {
  type ChainLease,
  type ChainRow,
  columnsOf,
  keptBlocks,
  keptHashes,
  keptTime,
  pruneBlocks,
  rememberStart,
  setChain,
  trustOf,
  underLease,
} from '../../db/queries/payments/chain-cursor.ts';
import { findTouching } from '../../db/queries/payments/observe-chain.ts';
import {
  findPayouts,
  payoutsToFind,
  tellOfConfirmedPayouts,
} from '../../db/queries/payments/payouts-on-chain.ts';
import {
  decideExpired,
  decideHeldUp,
  recordBlock,
  recordBlockAgain,
  recordMempool,
  recordReorganisation,
  recordStillWaiting,
} from '../../db/queries/payments/record-observation.ts';
import { VendorError } from '../../domain/errors.ts';
import type { BlockRef, ChainBlock, ChainNode, ChainTransaction } from '../../domain/payments/chain-node.ts';
import { nextTrust } from '../../domain/payments/chain-trust.ts';
import { familyOf } from '../../domain/payments/crypto-chain.ts';
import { type CryptoPolicySettings, cryptoPolicyOn } from '../../domain/payments/crypto-policy.ts';
import { type MempoolRead, type MempoolReader, unminedAncestors } from './mempool-reader.ts';

export type Poll = {
  db: Database;
  lease: ChainLease;
  node: ChainNode;
  /** Asked whether it sees the same chain; null where only one node is configured. */
  second: ChainNode | null;
  /** Where a chain that was never read is begun; null for its tip. */
  startHeight: number | null;
  mempool: MempoolReader;
  /** What the installation has set; as usual unless given. */
  settings?: CryptoPolicySettings | undefined;
  clock: () => Date;
  signal: AbortSignal;
};

export type PollResult = { height: number; tip: number; blocks: number; payments: number };

/** Throws a `VendorError` where the node cannot be asked, a `LeaseLostError` where somebody else watches by now. */
export async function pollChain(poll: Poll): Promise<PollResult> {
  const { db, lease, node, second, clock } = poll;
  const began = clock();
  await node.checkNetwork();
  const [tip, finalized, theirs] = await Promise.all([node.tip(), node.finalized(), heightOf(second)]);

  const before = await underLease(db, lease, async (_tx, chain) => chain);
  const cursor = cursorOf(before) ?? (await begin(poll, tip));
  const isFinalKept = await isStillFinal(poll, before);
  const ground = await findGround(poll, { cursor, tip });
  if (ground.kind === 'behind') {
    await learn(poll, { tip, reorgDepth: 0, isFinalKept, isBehind: true });
    throw new VendorError({
      code: 'vendor_unavailable',
      message: `${node.name} is behind: its last block is ${tip.height}, and ${cursor.height} was read already.`,
    });
  }
  if (ground.kind === 'lost') {
    await pauseLost(poll, cursor);
    throw new VendorError({
      code: 'vendor_rejected_request',
      message: `${node.name} shares no block with what was read of ${lease.chain} up to ${cursor.height}. Check that it is on the right chain; nothing is read before.`,
    });
  }

  const reorgDepth = cursor.height - ground.at.height;
  if (reorgDepth > 0 || before.disagreeingSince !== null) {
    // Said before anything is decided by the blocks that come.
    await learn(poll, { tip, reorgDepth, isFinalKept, isBehind: false });
  }
  if (reorgDepth > 0) {
    await recordReorganisation(db, lease, { ancestor: ground.at, newTip: tip.height, now: clock() });
  }
  if (finalized !== null) {
    const { height: finalizedHeight, hash: finalizedHash } = finalized;
    await underLease(db, lease, (tx) => setChain(tx, lease.chain, { finalizedHeight, finalizedHash }));
  }
  const traces = { isSeen: before.tracesSeen };
  const read = await readUp(poll, { from: ground.at, tip, traces });
  await readAgain(poll, { rescanFrom: before.rescanFrom, height: read.at.height, traces });
  const waiting = await readMempool(poll);
  await recordStillWaiting(db, lease, { txids: waiting.ids, now: clock() });

  // Another one knows of blocks that this one has not: what is in them is not known either.
  const isOutrun = theirs !== null && theirs - tip.height > OUTRUN_MAX[familyOf(lease.chain)];
  const isFrozen = isOutrun && (await standsStill(poll, tip));
  // What is left of the mempool may have paid an invoice in time: until it is read, nothing expires.
  const isComplete = read.at.height === tip.height && !isOutrun && waiting.isComplete;
  await learn(poll, {
    tip,
    reorgDepth: 0,
    isFinalKept,
    isBehind: isFrozen,
    ...(isComplete && { freshUntil: began }),
  });
  await decideExpired(db, lease, { now: clock() });
  await followPayouts(poll, read.at.height);
  if (isFrozen) {
    throw new VendorError({
      code: 'vendor_unavailable',
      message: `${node.name} stands still at block ${tip.height}, and ${second?.name} has ${theirs}.`,
    });
  }
  return { height: read.at.height, tip: tip.height, blocks: read.blocks, payments: read.payments };
}

/** Blocks that one node may have before another one, while they travel. */
const OUTRUN_MAX = { bitcoin: 0, evm: 3 } as const;

/** Null where there is no such node, or it does not answer: nobody depends on it. */
async function heightOf(node: ChainNode | null): Promise<number | null> {
  if (node === null) return null;
  try {
    await node.checkNetwork();
    return (await node.tip()).height;
  } catch {
    return null;
  }
}

/** Where both follow different branches, that is what is said; and the block may have come just after the look began. */
async function standsStill(poll: Poll, tip: BlockRef): Promise<boolean> {
  const [now, agree] = await Promise.all([poll.node.tip(), nodesAgree(poll, tip)]);
  return now.height <= tip.height && agree !== false;
}

function cursorOf({ height, hash }: ChainRow): BlockRef | null {
  return height === null || hash === null ? null : { height, hash };
}

/** A chain that was never read: what lies before concerns nobody, unless the operator says from where on it does. */
async function begin({ db, lease, node, startHeight }: Poll, tip: BlockRef): Promise<BlockRef> {
  const height = startHeight === null ? tip.height : Math.min(Math.max(startHeight - 1, 0), tip.height);
  const hash = height === tip.height ? tip.hash : await node.hashAt(height);
  const block = hash === null ? null : await node.block(hash);
  if (block === null) throw movedOn(node);
  const earlier: ChainBlock[] = [];
  for (let last = block; earlier.length < EARLIER_BLOCKS && last.height > 0; ) {
    const parent = await node.block(last.parentHash);
    if (parent === null) break;
    earlier.push(parent);
    last = parent;
  }
  await underLease(db, lease, (tx) => rememberStart(tx, lease.chain, { block, earlier }));
  return { height: block.height, hash: block.hash };
}

/** Their transactions are not looked at. */
const EARLIER_BLOCKS = 12;

/** No block that was final may ever be another one. */
async function isStillFinal({ node }: Poll, { finalizedHeight, finalizedHash }: ChainRow): Promise<boolean> {
  if (finalizedHeight === null || finalizedHash === null) return true;
  const hash = await node.hashAt(finalizedHeight);
  return hash === null || hash === finalizedHash;
}

type Ground = { kind: 'at'; at: BlockRef } | { kind: 'behind' } | { kind: 'lost' };

/** The last of our blocks that is on the active chain. */
async function findGround(
  { db, lease, node, signal }: Poll,
  { cursor, tip }: { cursor: BlockRef; tip: BlockRef },
): Promise<Ground> {
  const { chain } = lease;
  if (tip.height === cursor.height && tip.hash === cursor.hash) return { kind: 'at', at: cursor };
  if (tip.height > cursor.height && (await node.hashAt(cursor.height)) === cursor.hash) {
    return { kind: 'at', at: cursor };
  }
  if (tip.height < cursor.height) {
    const below = tip.height + 1;
    const [highest] = await withSystem(db, (tx) => keptBlocks(tx, { chain, below, limit: 1 }));
    // On our chain as far as can be told: the node has not caught up yet, which takes nothing out of the chain.
    if (highest === undefined || (await node.hashAt(highest.height)) === highest.hash) {
      return { kind: 'behind' };
    }
  }
  for (let below = Math.min(cursor.height, tip.height + 1); ; ) {
    const blocks = await withSystem(db, (tx) => keptBlocks(tx, { chain, below, limit: WALK }));
    for (const block of blocks) {
      signal.throwIfAborted();
      if ((await node.hashAt(block.height)) === block.hash) return { kind: 'at', at: block };
      below = block.height;
    }
    if (blocks.length < WALK) return { kind: 'lost' };
  }
}

const WALK = 64;

/** Oldest first; ends early where the chain moves under our feet, and the next poll goes on from there. */
async function readUp(
  poll: Poll,
  { from, tip, traces }: { from: BlockRef; tip: BlockRef; traces: Traces },
): Promise<{ at: BlockRef; blocks: number; payments: number }> {
  const { db, lease, clock, signal } = poll;
  const read = { at: from, blocks: 0, payments: 0 };
  let next = from.height < tip.height ? fetchBlock(poll, from.height + 1, tip) : null;
  while (next !== null) {
    signal.throwIfAborted();
    const block = await next;
    if (block === null) return read;
    await heedTraces(poll, { height: block.height, traces });
    // The next one comes while this one is written.
    next = block.height < tip.height ? fetchBlock(poll, block.height + 1, tip) : null;
    next?.catch(() => {});
    const recorded = await recordBlock(db, lease, { block, now: clock(), settings: poll.settings });
    if (recorded.outcome === 'not_next') return read;
    read.at = { height: block.height, hash: block.hash };
    read.blocks += 1;
    read.payments += recorded.payments;
  }
  return read;
}

/** Whether the chain's nodes have ever told of coins that contracts send on. */
type Traces = { isSeen: boolean };

/**
 * Such payments are known once a node has told of them. A block by a node that does not would take them for gone, and miss
 * the next ones in silence: it is refused, until one that does reads on. Kept before the block is.
 */
async function heedTraces(
  { db, lease, node }: Poll,
  { height, traces }: { height: number; traces: Traces },
): Promise<void> {
  if (node.tracesCalls === true && !traces.isSeen) {
    await underLease(db, lease, (tx) => setChain(tx, lease.chain, { tracesSeen: true }));
    traces.isSeen = true;
  }
  if (node.tracesCalls === false && traces.isSeen) {
    throw new VendorError({
      code: 'vendor_rejected_request',
      message: `${node.name} does not trace calls, and block ${height} is not read without: what contracts send on would be missed. Name a node with debug_traceBlockByHash or trace_block.`,
    });
  }
}

async function fetchBlock({ node }: Poll, height: number, tip: BlockRef): Promise<ChainBlock | null> {
  const hash = height === tip.height ? tip.hash : await node.hashAt(height);
  return hash === null ? null : node.block(hash);
}

/** Blocks that an operator wants read again; a few at a time, so that new ones do not wait. */
async function readAgain(
  poll: Poll,
  { rescanFrom, height, traces }: { rescanFrom: number | null; height: number; traces: Traces },
): Promise<void> {
  const { db, lease, node, clock, signal } = poll;
  const { chain } = lease;
  if (rescanFrom === null) return;
  const last = Math.min(height, rescanFrom + AGAIN_AT_ONCE - 1);
  const heights = Array.from({ length: Math.max(0, last - rescanFrom + 1) }, (_, i) => rescanFrom + i);
  const ours = await withSystem(db, (tx) => keptHashes(tx, { chain, heights }));
  let parent: string | null = null;
  for (const at of heights) {
    signal.throwIfAborted();
    const hash = await node.hashAt(at);
    const block = hash === null ? null : await node.block(hash);
    const isOurs = block !== null && (ours.get(at) ?? block.hash) === block.hash;
    // A reorganisation under way: the next poll finds it first.
    if (!isOurs || (parent !== null && block.parentHash !== parent)) return;
    await heedTraces(poll, { height: at, traces });
    await recordBlockAgain(db, lease, { block, now: clock(), settings: poll.settings });
    parent = block.hash;
  }
  if (last < height) return;
  const end = rescanFrom + heights.length;
  await underLease(db, lease, async (tx, row) => {
    // Somebody may have asked for a lower height in the meantime.
    if (row.rescanFrom === end) await setChain(tx, chain, { rescanFrom: null });
  });
}

const AGAIN_AT_ONCE = 50;

/** Payouts whose transaction was mined before it was told are in a block that has been read already. */
async function followPayouts({ db, lease, node, clock, signal }: Poll, height: number): Promise<void> {
  const { chain } = lease;
  for (const txid of await withSystem(db, (tx) => payoutsToFind(tx, chain, clock()))) {
    signal.throwIfAborted();
    const found = await node.find(txid);
    if (found === null || found.block === null || found.block.height > height) continue;
    const { height: at } = found.block;
    await underLease(db, lease, (tx) => findPayouts(tx, chain, { height: at, transactions: [found] }));
  }
  await underLease(db, lease, (tx) => tellOfConfirmedPayouts(tx, { chain, height, now: clock() }));
}

async function readMempool(poll: Poll): Promise<MempoolRead> {
  const { db, lease, node, mempool, clock, signal } = poll;
  return mempool.read(node, async (fresh) => {
    signal.throwIfAborted();
    const { transactions } = await withSystem(db, (tx) => findTouching(tx, lease.chain, fresh));
    if (transactions.length === 0) return [];
    const { alive, dead } = await sorted(node, transactions);
    if (alive.length > 0) {
      const ancestors: ChainTransaction[] =
        familyOf(lease.chain) === 'bitcoin' ? await unminedAncestors(node, alive) : [];
      await recordMempool(db, lease, {
        transactions: alive,
        ancestors,
        now: clock(),
        settings: poll.settings,
      });
    }
    // A reorganisation may bring them back to life.
    return dead;
  });
}

/** Nodes keep what can no longer be mined: it spends what a block has spent, and may never have been seen alive. */
async function sorted(
  node: ChainNode,
  transactions: readonly ChainTransaction[],
): Promise<{ alive: ChainTransaction[]; dead: string[] }> {
  const used = new Set(await node.used(transactions.flatMap(({ spends }) => spends)));
  const isDead = ({ spends }: ChainTransaction) => spends.some((spend) => used.has(spend));
  return {
    alive: transactions.filter((each) => !isDead(each)),
    dead: transactions.filter(isDead).map(({ txid }) => txid),
  };
}

/** Keeps what the nodes say, and whether the chain can be trusted by it. */
async function learn(
  poll: Poll,
  {
    tip,
    reorgDepth,
    isFinalKept,
    isBehind,
    freshUntil,
  }: {
    tip: BlockRef;
    reorgDepth: number;
    isFinalKept: boolean;
    isBehind: boolean;
    freshUntil?: Date;
  },
): Promise<void> {
  const { db, lease, node, clock } = poll;
  const [agree, feeRate, tipTime] = await Promise.all([
    nodesAgree(poll, tip),
    node.feeRate().catch(() => null),
    isBehind ? null : timeOf(poll, tip),
  ]);
  const now = clock();
  const resumed = await underLease(db, lease, async (tx, chain) => {
    const policy = cryptoPolicyOn(lease.network, poll.settings);
    const trust = nextTrust(
      trustOf(chain),
      {
        family: familyOf(lease.chain),
        height: chain.height ?? tip.height,
        reorgDepth,
        isFinalKept,
        agree,
        tipTime: (tipTime ?? chain.tipTime)?.toISOString() ?? null,
        now: now.toISOString(),
      },
      policy,
    );
    const next: Partial<ChainRow> = {
      ...(!isBehind && { tipHeight: tip.height }),
      ...(tipTime !== null && { tipTime }),
      ...(freshUntil !== undefined && { freshUntil }),
      ...(feeRate !== null && { feeRate }),
      ...(node.tracesCalls != null && { tracesCalls: node.tracesCalls }),
      ...(!isBehind && { node: node.name, failure: null, failingSince: null }),
      ...columnsOf(trust),
    };
    await setChain(tx, lease.chain, next);
    if (freshUntil !== undefined) await pruneBlocks(tx, { ...chain, ...next });
    return chain.pausedAt !== null && trust.pausedAt === null;
  });
  if (resumed) await decideHeldUp(db, lease, { now });
}

/** Null where there is nobody to compare with, or the second one is not that far. */
async function nodesAgree({ node, second }: Poll, tip: BlockRef): Promise<boolean | null> {
  if (second === null) return true;
  const height = tip.height - 1;
  if (height < 0) return null;
  try {
    await second.checkNetwork();
    const [ours, theirs] = await Promise.all([node.hashAt(height), second.hashAt(height)]);
    return ours === null || theirs === null ? null : ours === theirs;
  } catch {
    return null;
  }
}

async function timeOf({ db, lease, node }: Poll, tip: BlockRef): Promise<Date | null> {
  const kept = await withSystem(db, (tx) => keptTime(tx, { chain: lease.chain, ...tip }));
  if (kept !== null) return kept;
  const block = await node.block(tip.hash);
  return block === null ? null : new Date(block.time);
}

function pauseLost({ db, lease, clock }: Poll, { height }: BlockRef): Promise<void> {
  return underLease(db, lease, async (tx, chain) => {
    if (chain.pausedAt !== null) return;
    await setChain(tx, lease.chain, {
      pausedAt: clock(),
      pauseReason: `the node shares no block with what was read up to ${height}`,
      agreedSinceHeight: null,
    });
  });
}

function movedOn(node: ChainNode): VendorError {
  return new VendorError({
    code: 'vendor_unavailable',
    message: `${node.name} has not the block that it has just named as its tip.`,
  });
}

/**
 * How far a chain has been read, and who may read on.
 *
 * Why it is safe to run twice: one watcher holds a chain's lease. Whoever takes it over raises the fence, and every
 * transaction of a watcher begins with the chain's row under its own fence, locked: one that was slow, or thought dead, and
 * comes back writes nothing any more.
 */
import { and, desc, eq, inArray, lt, sql } from 'drizzle-orm';
import { DomainError } from '../../../domain/errors.ts';
import type { BlockRef, ChainBlock } from '../../../domain/payments/chain-node.ts';
import type { ChainTrust } from '../../../domain/payments/chain-trust.ts';
import type { ChainName, CryptoNetwork } from '../../../domain/payments/crypto-chain.ts';
import type { ChainView } from '../../../domain/payments/crypto-invoice.ts';
import { type Database, type SystemTx, type Tx, withSystem } from '../../client.ts';
import { chainBlocks, chains } from '../../schema/crypto.ts';

export type ChainRow = typeof chains.$inferSelect;

export type ChainLease = { chain: ChainName; network: CryptoNetwork; fence: number };

/** Somebody else watches this chain by now; there is nothing to repair and nothing to go on with. */
export class LeaseLostError extends Error {
  constructor(chain: ChainName) {
    super(`Another watcher has taken over ${chain}`);
    this.name = 'LeaseLostError';
  }
}

/** A lease that nobody renews may be taken after so long. */
const LEASE_SECONDS = 30;
const leaseEnd = sql`now() + make_interval(secs => ${LEASE_SECONDS})`;

/**
 * Takes the lease, also a second time for the same holder, with a higher fence. Null while another one's runs. Throws
 * `state_conflict` where the rows are of another network: its heights and hashes mean nothing here.
 */
export function takeLease(
  db: Database,
  { chain, network, holder }: { chain: ChainName; network: CryptoNetwork; holder: string },
): Promise<ChainLease | null> {
  return withSystem(db, async (tx) => {
    await tx.insert(chains).values({ name: chain, network }).onConflictDoNothing();
    const [row] = await tx
      .select({
        network: chains.network,
        fence: chains.fence,
        isTaken: sql<boolean | null>`${chains.leaseHolder} <> ${holder} and ${chains.leaseUntil} > now()`,
      })
      .from(chains)
      .where(eq(chains.name, chain))
      .for('update');
    if (row === undefined) throw new Error(`Chain ${chain} has no row`);
    if (row.network !== network) {
      throw new DomainError({
        code: 'state_conflict',
        reason: 'other_network',
        message: `This database has watched ${chain} on ${row.network}, and CRYPTO_NETWORK says ${network}: use another database for another network.`,
      });
    }
    if (row.isTaken === true) return null;
    const fence = row.fence + 1;
    await tx
      .update(chains)
      .set({ leaseHolder: holder, leaseUntil: leaseEnd, fence, heartbeatAt: sql`now()` })
      .where(eq(chains.name, chain));
    return { chain, network, fence };
  });
}

/** One transaction of the watcher, with the chain's row locked and the lease renewed. Throws `LeaseLostError`. */
export function underLease<T>(
  db: Database,
  lease: ChainLease,
  work: (tx: SystemTx, chain: ChainRow) => Promise<T>,
): Promise<T> {
  return withSystem(db, async (tx) => {
    const [row] = await tx
      .update(chains)
      .set({ leaseUntil: leaseEnd, heartbeatAt: sql`now()` })
      .where(and(eq(chains.name, lease.chain), eq(chains.fence, lease.fence)))
      .returning();
    if (row === undefined) throw new LeaseLostError(lease.chain);
    return work(tx, row);
  });
}

/** For a watcher that waits for its node: it is alive, though nothing was read. Throws `LeaseLostError`. */
export function renewLease(db: Database, lease: ChainLease): Promise<void> {
  return withSystem(db, async (tx) => {
    const renewed = await tx
      .update(chains)
      .set({ leaseUntil: leaseEnd })
      .where(and(eq(chains.name, lease.chain), eq(chains.fence, lease.fence)))
      .returning({ name: chains.name });
    if (renewed.length === 0) throw new LeaseLostError(lease.chain);
  });
}

/** Lets the next watcher begin at once. */
export async function releaseLease(db: Database, lease: ChainLease): Promise<void> {
  await withSystem(db, (tx) =>
    tx
      .update(chains)
      .set({ leaseUntil: null })
      .where(and(eq(chains.name, lease.chain), eq(chains.fence, lease.fence))),
  );
}

/** What a poll has learned of the node, or of the trust in it. */
export async function setChain(
  tx: SystemTx,
  chain: ChainName,
  values: Partial<Omit<ChainRow, 'name' | 'network' | 'fence' | 'leaseHolder' | 'leaseUntil'>>,
): Promise<void> {
  if (Object.keys(values).length > 0) await tx.update(chains).set(values).where(eq(chains.name, chain));
}

/** How far a chain has been read, as decisions see it. */
function viewOf(row: ChainRow): ChainView {
  return {
    chain: row.name,
    tipHeight: row.height ?? 0,
    finalizedHeight: row.finalizedHeight,
    freshUntil: row.freshUntil?.toISOString() ?? null,
    isPaused: row.pausedAt !== null,
    cautiousUntil: row.cautiousUntil?.toISOString() ?? null,
  };
}

/** All chains that were ever watched. */
export async function readChainViews(tx: Tx): Promise<ReadonlyMap<ChainName, ChainView>> {
  const rows = await tx.select().from(chains);
  return new Map(rows.map((row) => [row.name, viewOf(row)]));
}

/** A chain that was never watched: nothing is known of it, and it is never fresh. */
export function unwatched(chain: ChainName): ChainView {
  return {
    chain,
    tipHeight: 0,
    finalizedHeight: null,
    freshUntil: null,
    isPaused: false,
    cautiousUntil: null,
  };
}

/** Those of the blocks that are kept, highest first. */
export function keptBlocks(
  tx: Tx,
  { chain, below, limit }: { chain: ChainName; below: number; limit: number },
): Promise<BlockRef[]> {
  return tx
    .select({ height: chainBlocks.height, hash: chainBlocks.hash })
    .from(chainBlocks)
    .where(and(eq(chainBlocks.chain, chain), lt(chainBlocks.height, below)))
    .orderBy(desc(chainBlocks.height))
    .limit(limit);
}

/** The hashes of these heights, where they are kept. */
export async function keptHashes(
  tx: Tx,
  { chain, heights }: { chain: ChainName; heights: readonly number[] },
): Promise<ReadonlyMap<number, string>> {
  if (heights.length === 0) return new Map();
  const rows = await tx
    .select({ height: chainBlocks.height, hash: chainBlocks.hash })
    .from(chainBlocks)
    .where(and(eq(chainBlocks.chain, chain), inArray(chainBlocks.height, [...heights])));
  return new Map(rows.map(({ height, hash }) => [height, hash]));
}

/** When that block claims to have been made; null where it is none of those that are kept. */
export async function keptTime(
  tx: Tx,
  { chain, height, hash }: BlockRef & { chain: ChainName },
): Promise<Date | null> {
  const [row] = await tx
    .select({ time: chainBlocks.time })
    .from(chainBlocks)
    .where(and(eq(chainBlocks.chain, chain), eq(chainBlocks.height, height), eq(chainBlocks.hash, hash)));
  return row?.time ?? null;
}

/** Begins to read a chain behind this block. `earlier`: some before it, so that a branch around the beginning finds its way. */
export async function rememberStart(
  tx: SystemTx,
  chain: ChainName,
  { block, earlier }: { block: ChainBlock; earlier: readonly ChainBlock[] },
): Promise<void> {
  const rows = [block, ...earlier].map(({ height, hash, parentHash, time }) => ({
    chain,
    height,
    hash,
    parentHash,
    time: new Date(time),
  }));
  await tx.insert(chainBlocks).values(rows);
  await setChain(tx, chain, { startHeight: block.height, height: block.height, hash: block.hash });
}

/** Blocks that are kept without a gap; a deeper reorganisation finds its way by the locator. */
const BLOCKS_KEPT = 300;

/**
 * Forgets blocks that hardly a reorganisation reaches. Kept are the last 300, all from the last final block on, below them
 * ever fewer (four or so for each doubling of the distance), and the one behind which we began.
 */
export async function pruneBlocks(
  tx: SystemTx,
  { name, height, startHeight, finalizedHeight }: ChainRow,
): Promise<void> {
  if (height === null) return;
  const keptFrom = Math.min(height - BLOCKS_KEPT, finalizedHeight ?? height);
  // `h & -h` is the highest power of two that divides a height: four times as far back it is still kept.
  await tx.execute(sql`
    delete from ${chainBlocks}
    where ${chainBlocks.chain} = ${name} and ${chainBlocks.height} < ${keptFrom}
      and ${chainBlocks.height} <> ${startHeight ?? height}
      and ${keptFrom}::int - ${chainBlocks.height} > 4 * (${chainBlocks.height} & -${chainBlocks.height})`);
}

/** Whether the chain is believed, as the row says. */
export function trustOf(chain: ChainRow): ChainTrust {
  return {
    pausedAt: chain.pausedAt?.toISOString() ?? null,
    pauseReason: chain.pauseReason,
    pausedBy: chain.pausedBy,
    disagreeingSince: chain.disagreeingSince?.toISOString() ?? null,
    agreedSinceHeight: chain.agreedSinceHeight,
    cautiousUntil: chain.cautiousUntil?.toISOString() ?? null,
  };
}

/** The same the other way round. */
export function columnsOf(trust: ChainTrust): Partial<ChainRow> {
  const instant = (at: string | null) => (at === null ? null : new Date(at));
  return {
    pausedAt: instant(trust.pausedAt),
    pauseReason: trust.pauseReason,
    pausedBy: trust.pausedBy,
    disagreeingSince: instant(trust.disagreeingSince),
    agreedSinceHeight: trust.agreedSinceHeight,
    cautiousUntil: instant(trust.cautiousUntil),
  };
}

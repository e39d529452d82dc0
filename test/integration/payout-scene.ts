/** What the tests of payouts share: a watcher over a chain that stands still, and what becomes of the books. */
import { pollChain } from '../../activities/payments/chain-poll.ts';
import { createMempoolReader } from '../../activities/payments/mempool-reader.ts';
import { takeLease } from '../../db/queries/payments/chain-cursor.ts';
import type { ChainTransaction } from '../../domain/payments/chain-node.ts';
import type { Json } from '../support/api.ts';
import { bitcoinTransaction, createStillChain, type StillNode } from '../support/still-chain.ts';
import type { CoinScene } from './coin-scene.ts';
import { Death, mortalDatabase } from './mortal.ts';

/** A watcher of Bitcoin over a chain that stands still; it begins at its tip, which is block 120. */
export async function watchBitcoin(
  scene: CoinScene,
): Promise<{ node: StillNode; poll: () => Promise<void> }> {
  await scene.api.sql('DELETE FROM chain_blocks');
  await scene.api.sql(
    "UPDATE chains SET height = NULL, hash = NULL, lease_until = NULL WHERE name = 'bitcoin'",
  );
  const node = createStillChain({ clock: scene.now }).node();
  node.mineEmpty(120);
  const lease = await takeLease(scene.db, { chain: 'bitcoin', network: 'mainnet', holder: 'test' });
  if (lease === null) throw new Error('The lease is taken');
  const mempool = createMempoolReader();
  const { signal } = new AbortController();
  const poll = async () => {
    await pollChain({
      db: scene.db,
      lease,
      node,
      second: null,
      startHeight: null,
      mempool,
      clock: scene.now,
      signal,
    });
  };
  await poll();
  return { node, poll };
}

/** A transaction by which a payout is sent: all of it, or so many units. */
export async function sendingOf(scene: CoinScene, { id }: Json, units?: bigint): Promise<ChainTransaction> {
  const [row] = await scene.api.sql('SELECT target, units FROM crypto_payouts WHERE id = $1', [id]);
  return bitcoinTransaction([{ to: row.target, units: units ?? BigInt(row.units) }]);
}

/** What the watcher has seen of a payout, and whether the invoice's process was told. */
export async function seenOf(scene: CoinScene, { id }: Json) {
  const [row] = await scene.api.sql('SELECT status, height, told_at FROM crypto_payouts WHERE id = $1', [id]);
  return { status: row.status, height: row.height, isTold: row.told_at !== null };
}

export async function creditOf(scene: CoinScene, { customerId }: { customerId: string }): Promise<number> {
  return (await scene.ok('GET', `/v1/customers/${customerId}`)).creditMinor;
}

/** What the work moves between accounts. */
export async function movedBy(
  scene: Pick<CoinScene, 'books'>,
  work: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const before = await scene.books();
  await work();
  const after = await scene.books();
  const accounts = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const changes = accounts.map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)] as const);
  return Object.fromEntries(changes.filter(([, change]) => change !== 0));
}

/** Whether the process died at that moment of its work; it reaches fewer where it did not. */
export function dies(
  { db }: CoinScene,
  dieAt: number,
  work: (db: CoinScene['db']) => Promise<unknown>,
): Promise<boolean> {
  return work(mortalDatabase(db, dieAt)).then(
    () => false,
    (error: unknown) => {
      if (error instanceof Death) return true;
      throw error;
    },
  );
}

/**
 * A chain of coins in a story's world: it moves only when the story moves it, and its watcher looks once in every round in
 * which the world settles, so that every run is the same. Prices are as old as the look.
 */
import { randomBytes } from 'node:crypto';
import { HDKey } from '@scure/bip32';
import { desc, eq } from 'drizzle-orm';
import { pollChain } from '../../activities/payments/chain-poll.ts';
import { createMempoolReader } from '../../activities/payments/mempool-reader.ts';
import { type Database, withSystem } from '../../db/client.ts';
import { takeLease } from '../../db/queries/payments/chain-cursor.ts';
import { savePrices } from '../../db/queries/payments/crypto-prices.ts';
import { cryptoAddresses, cryptoInvoices } from '../../db/schema/crypto.ts';
import type { ChainTransaction } from '../../domain/payments/chain-node.ts';
import { type CryptoAsset, formatCoins } from '../../domain/payments/crypto-asset.ts';
import type { CryptoPrice } from '../../domain/payments/price-source.ts';
import { bitcoinTransaction, createStillChain, type StillNode } from '../support/still-chain.ts';

/** What somebody sent to an invoice's address. */
export type CoinEffect = { at: Date; invoiceId: string; text: string };

export type StoryChain = {
  /** For whatever is not named here; a story that moves it lets the world settle itself. */
  node: StillNode;
  /**
   * Sends coins for an invoice in coins, into the mempool: all that is due, a part of it, or so many units. Returns the
   * transaction; `spends`: what it uses up, where it rivals another one.
   */
  pay(cryptoInvoiceId: string, what?: Payment): Promise<ChainTransaction>;
  /** Mines what waits in one block, and empty ones on top of it. */
  mine(count?: number): Promise<void>;
  /** Takes so many blocks out of the chain and puts others in their place; what was in them waits again. */
  reorganise(depth: number, branch: readonly (readonly ChainTransaction[])[]): Promise<void>;
  /** The payer sends the coins of a transaction elsewhere, into the mempool. Returns what does. */
  replace(transaction: ChainTransaction): Promise<ChainTransaction>;
  /** Such a transaction, kept for a block. */
  rivalOf(transaction: ChainTransaction): ChainTransaction;
  /** The watcher is away: nothing is read, and prices grow old. */
  watch(isWatched: boolean): Promise<void>;
  /** One look, where it is watched. */
  poll(): Promise<void>;
  effects(): readonly CoinEffect[];
  /** What the active chain holds for each invoice in coins, in the smallest unit. */
  received(): Promise<ReadonlyMap<string, bigint>>;
};

export type Payment = { percent?: bigint; units?: bigint; spends?: readonly string[] };

/** Takes the lease of Bitcoin, on a chain with ten blocks. `settle` lets the world come to rest after each act. */
export async function createStoryChain({
  db,
  clock,
  settle,
}: {
  db: Database;
  clock: () => Date;
  settle: () => Promise<void>;
}): Promise<StoryChain> {
  const node = createStillChain({ clock }).node();
  node.mineEmpty(FIRST_BLOCKS);
  const lease = await takeLease(db, { chain: 'bitcoin', network: 'local', holder: 'story' });
  if (lease === null) throw new Error('Somebody else watches the chain of the story');
  const mempool = createMempoolReader();
  const { signal } = new AbortController();
  const effects: CoinEffect[] = [];
  let isWatched = true;

  const send = async (cryptoInvoiceId: string, { percent = 100n, units, spends }: Payment) => {
    const { coins, target } = await offerOf(db, cryptoInvoiceId);
    const sent = units ?? (coins.dueUnits * percent) / 100n;
    const transaction = bitcoinTransaction([{ to: target, units: sent }], spends ? { spends } : {});
    node.send(transaction);
    const { invoiceId, asset } = coins;
    effects.push({ at: clock(), invoiceId, text: `coins ${formatCoins(sent, asset)} sent` });
    return transaction;
  };
  const rivalOf: StoryChain['rivalOf'] = ({ spends, transfers }) =>
    bitcoinTransaction([{ to: ELSEWHERE, units: transfers[0]?.units ?? 1n }], { spends });

  return {
    node,
    async pay(cryptoInvoiceId, what = {}) {
      const transaction = await send(cryptoInvoiceId, what);
      await settle();
      return transaction;
    },
    async mine(count = 1) {
      node.mine(node.waiting());
      node.mineEmpty(count - 1);
      await settle();
    },
    async reorganise(depth, branch) {
      node.reorganise(depth, branch);
      await settle();
    },
    async replace(transaction) {
      const rival = rivalOf(transaction);
      node.send(rival);
      await settle();
      return rival;
    },
    rivalOf,
    async watch(isToBe) {
      isWatched = isToBe;
      await settle();
    },
    async poll() {
      if (!isWatched) return;
      await savePrices(db, { prices: pricesAt(clock()), at: clock() });
      await pollChain({ db, lease, node, second: null, startHeight: null, mempool, clock, signal });
    },
    effects: () => effects,
    async received() {
      const found = new Map<string, bigint>();
      const owners = await ownersOf(db);
      for (let { hash } = node.peek(); ; ) {
        const block = await node.block(hash);
        if (block === null) return found;
        for (const { to, units } of block.transactions.flatMap(({ transfers }) => transfers)) {
          const owner = owners.get(to);
          if (owner !== undefined) found.set(owner, (found.get(owner) ?? 0n) + units);
        }
        hash = block.parentHash;
      }
    },
  };
}

/** The public key of an account that nobody else has, for a chain without value. */
export function localAccountKey(): string {
  const versions = { private: 0x04_5f_18_bc, public: 0x04_5f_1c_f6 };
  return HDKey.fromMasterSeed(randomBytes(32), versions).derive("m/84'/1'/0'").publicExtendedKey;
}

const FIRST_BLOCKS = 10;
const ELSEWHERE = `0014${'e'.repeat(40)}`;

/** US dollars for a coin, at every source. */
const rates: Record<CryptoAsset, string> = { BTC: '60000', ETH: '3000', USDC: '1' };

function pricesAt(at: Date): CryptoPrice[] {
  return Object.entries(rates).flatMap(([asset, rate]) =>
    ['coinbase', 'kraken'].map((source) => ({
      source,
      asset: asset as CryptoAsset,
      currency: 'USD',
      rate,
      side: 'spot' as const,
      at: at.toISOString(),
    })),
  );
}

async function offerOf(db: Database, cryptoInvoiceId: string) {
  const [found] = await withSystem(db, (tx) =>
    tx
      .select({ coins: cryptoInvoices, target: cryptoAddresses.target })
      .from(cryptoInvoices)
      .innerJoin(cryptoAddresses, eq(cryptoAddresses.cryptoInvoiceId, cryptoInvoices.id))
      .where(eq(cryptoInvoices.id, cryptoInvoiceId))
      .orderBy(desc(cryptoAddresses.kind))
      .limit(1),
  );
  if (found === undefined) throw new Error(`There is no invoice in coins ${cryptoInvoiceId}`);
  return found;
}

async function ownersOf(db: Database): Promise<ReadonlyMap<string, string>> {
  const rows = await withSystem(db, (tx) => tx.select().from(cryptoAddresses));
  return new Map(rows.map(({ target, cryptoInvoiceId }) => [target, cryptoInvoiceId]));
}

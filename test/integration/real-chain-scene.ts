/**
 * Invoices in coins on real nodes: real subscriptions and books, addresses of a real account, and a watcher that looks when a
 * test tells it to. The clock is the test's own and begins long before that of the nodes, so that what is seen first counts
 * from the look that saw it; `startClock` sets another beginning.
 */
import { randomBytes } from 'node:crypto';
import { HDKey } from '@scure/bip32';
import { and, asc, eq, like } from 'drizzle-orm';
import { type Poll, type PollResult, pollChain } from '../../activities/payments/chain-poll.ts';
import { createCryptoInvoiceActivities } from '../../activities/payments/crypto-invoice.ts';
import { createMempoolReader, type MempoolReader } from '../../activities/payments/mempool-reader.ts';
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { type ChainRow, takeLease } from '../../db/queries/payments/chain-cursor.ts';
import { addCryptoAccount } from '../../db/queries/payments/crypto-accounts.ts';
import { requestCryptoAct } from '../../db/queries/payments/crypto-acts.ts';
import { addressesOf } from '../../db/queries/payments/crypto-invoices.ts';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import { chains, cryptoEvents, cryptoPayments } from '../../db/schema/crypto.ts';
import { outbox } from '../../db/schema/operations.ts';
import type { ChainNode } from '../../domain/payments/chain-node.ts';
import { readAccountKey } from '../../domain/payments/crypto-account.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import { type ChainFamily, type ChainName, homeOf } from '../../domain/payments/crypto-chain.ts';
import { createScene, type OpenInvoice, type Scene } from './collection-scene.ts';
import { booksOf, offer, rowOf, setPrices, T0 } from './crypto-scene.ts';

/** An invoice over 29 dollars, and the coins it is offered for. */
export type Offered = {
  coins: CryptoInvoiceRow;
  invoice: OpenInvoice;
  /** Bitcoin's second one, for wallets that are older. */
  nested: string;
};

export type Watcher = {
  /** One look; only what differs from a single node and the scene's clock and database. */
  poll(changes?: Partial<Poll>): Promise<PollResult>;
};

export type RealChainScene = Scene & {
  now(): Date;
  /** Turns the clock forward. */
  pass(time: { ms?: number; seconds?: number; minutes?: number; hours?: number }): Promise<void>;
  /** Sets the clock. */
  startClock(at: Date): Promise<void>;
  /** A new process that watches; whoever watched before writes nothing any more. */
  watch(
    node: ChainNode,
    options?: { chain?: ChainName; mempool?: MempoolReader; db?: Database },
  ): Promise<Watcher>;
  /** The chain has to have been looked at. */
  offered(asset?: CryptoAsset): Promise<Offered>;
  chain(name?: ChainName): Promise<ChainRow>;
  /** All that is known of the invoice in coins. Heights count from the block that was read last when it was offered. */
  state(offered: Offered): Promise<InvoiceState>;
  /** Carries out what was decided, as the invoice's process does, twice; what the books then say. */
  books(offered: Offered): Promise<Books>;
  /** What an operator decides, at once. */
  accept(offered: Offered, paymentKeys: string[]): Promise<void>;
  payments(offered: Offered): Promise<(typeof cryptoPayments.$inferSelect)[]>;
};

export type InvoiceState = {
  /** `settled [over, late]` */
  is: string;
  units: { credited: bigint; confirmed: bigint; late: bigint; excess: bigint };
  /** `<units> <status>[ late][ +<blocks>]`, by the time at which they count. */
  payments: string[];
  /** Kinds, oldest first. */
  events: string[];
  /** How often its process was told to look. */
  signals: number;
};

export type Books = {
  /** `paid 2900/2900` */
  invoice: string;
  subscription: string | undefined;
  /** `<minor> (<allocated>)[ <why it was taken back>]` */
  payments: string[];
  creditMinor: number | undefined;
  cashMinor: number;
  /** Of all entries of the tenant. */
  sumMinor: number;
  /** Those about coins. */
  mails: string[];
};

/** Nothing has happened. */
export const untouchedUnits = { credited: 0n, confirmed: 0n, late: 0n, excess: 0n };

export async function createRealChainScene(): Promise<RealChainScene> {
  const scene = await createScene();
  const { db } = scene;
  const bases = new Map<string, number>();
  let nowMs = Date.parse(T0);
  let watchers = 0;
  const now = () => new Date(nowMs);
  const startClock = async (at: Date) => {
    nowMs = at.getTime();
    await setPrices(scene, { at: at.toISOString() });
  };
  await startClock(now());
  const chain = (name: ChainName = 'bitcoin') =>
    withSystem(db, async (tx) => {
      const [row] = await tx.select().from(chains).where(eq(chains.name, name));
      if (row === undefined) throw new Error(`${name} was never watched`);
      return row;
    });
  const paymentsOf = ({ coins }: Offered) =>
    withTenant(db, coins.tenantId, (tx) =>
      tx
        .select()
        .from(cryptoPayments)
        .where(eq(cryptoPayments.cryptoInvoiceId, coins.id))
        .orderBy(asc(cryptoPayments.effectiveAt), asc(cryptoPayments.createdAt), asc(cryptoPayments.key)),
    );

  return {
    ...scene,
    now,
    startClock,
    chain,
    payments: paymentsOf,
    pass: ({ ms = 0, seconds = 0, minutes = 0, hours = 0 }) =>
      startClock(new Date(nowMs + ms + ((hours * 60 + minutes) * 60 + seconds) * 1000)),
    async watch(node, options = {}) {
      const { chain: name = 'bitcoin', mempool = createMempoolReader(), db: own = db } = options;
      watchers += 1;
      await withSystem(db, (tx) => tx.update(chains).set({ leaseUntil: null }).where(eq(chains.name, name)));
      const lease = await takeLease(db, { chain: name, network: 'local', holder: `watcher-${watchers}` });
      if (lease === null) throw new Error(`${name} is watched by somebody else`);
      const signal = new AbortController().signal;
      const usual = { db: own, lease, node, second: null, startHeight: null, mempool, clock: now, signal };
      return { poll: (changes = {}) => pollChain({ ...usual, ...changes }) };
    },
    async offered(asset = 'BTC') {
      const invoice = await scene.openInvoice();
      const family = asset === 'BTC' ? 'bitcoin' : 'evm';
      await addLocalAccount(db, invoice.tenantId, { family, at: now() });
      const coins = await offer(scene, invoice, { asset, at: now().toISOString() });
      const all = await withTenant(db, coins.tenantId, (tx) => addressesOf(tx, [coins.id]));
      const nested = all.get(coins.id)?.find(({ kind }) => kind === 'p2sh_p2wpkh')?.address ?? '';
      bases.set(coins.id, (await chain(homeOf(asset))).height ?? 0);
      return { coins, invoice, nested };
    },
    async state(offered) {
      const { coins } = offered;
      const row = await rowOf(scene, coins);
      const base = bases.get(coins.id) ?? 0;
      const payments = (await paymentsOf(offered)).map(({ units, status, isLate, height }) => {
        const where = height === null ? '' : ` +${height - base}`;
        return `${units} ${status}${isLate ? ' late' : ''}${where}`;
      });
      return {
        is: row.flags.length === 0 ? row.status : `${row.status} [${row.flags.join(', ')}]`,
        units: {
          credited: row.creditedUnits,
          confirmed: row.confirmedUnits,
          late: row.lateUnits,
          excess: row.excessUnits,
        },
        payments,
        events: await eventKinds(db, coins),
        signals: await signalsOf(db, coins),
      };
    },
    async books({ coins, invoice }) {
      const { decideCryptoInvoice } = createCryptoInvoiceActivities({ db });
      const { tenantId, id } = coins;
      for (let i = 0; i < 2; i += 1) {
        await decideCryptoInvoice({ tenantId, cryptoInvoiceId: id, at: now().toISOString() });
      }
      const { mails, ...books } = await booksOf(scene, invoice);
      const { payments, creditMinor, cashMinor, sumMinor, subscription } = books;
      const ofCoins = mails.filter((mail) => mail.startsWith('crypto_'));
      return {
        invoice: books.invoice,
        subscription,
        payments,
        creditMinor,
        cashMinor,
        sumMinor,
        mails: ofCoins,
      };
    },
    async accept({ coins }, paymentKeys) {
      const wish = { cryptoInvoiceId: coins.id, reason: 'kept', actor: 'test', at: now() };
      await withTenant(db, coins.tenantId, (tx) =>
        requestCryptoAct(tx, { ...wish, kind: 'accept', paymentKeys, rate: 'locked' }),
      );
    },
  };
}

/** A key of a test network; whoever pays to it pays nobody. */
async function addLocalAccount(
  db: Database,
  tenantId: string,
  { family, at }: { family: ChainFamily; at: Date },
): Promise<void> {
  const testnet = { private: 0x04358394, public: 0x043587cf };
  const path = family === 'bitcoin' ? "m/84'/1'/0'" : "m/44'/60'/0'";
  const text = HDKey.fromMasterSeed(randomBytes(32), testnet).derive(path).publicExtendedKey;
  const read = readAccountKey(text, { family, network: 'local' });
  if (!read.ok) throw new Error(read.message);
  const key = read.account;
  await withTenant(db, tenantId, (tx) => addCryptoAccount(tx, { tenantId, key, actor: 'test', at }));
}

function eventKinds(db: Database, { id, tenantId }: CryptoInvoiceRow): Promise<string[]> {
  return withTenant(db, tenantId, async (tx) => {
    const rows = await tx
      .select({ kind: cryptoEvents.kind })
      .from(cryptoEvents)
      .where(eq(cryptoEvents.cryptoInvoiceId, id))
      .orderBy(asc(cryptoEvents.id));
    return rows.map(({ kind }) => kind);
  });
}

function signalsOf(db: Database, { id, tenantId }: CryptoInvoiceRow): Promise<number> {
  return withSystem(db, async (tx) => {
    const rows = await tx
      .select({ envelope: outbox.envelope })
      .from(outbox)
      .where(and(eq(outbox.tenantId, tenantId), like(outbox.topic, 'workflow.signal%')));
    return rows.filter(({ envelope }) => JSON.stringify(envelope).includes(id)).length;
  });
}

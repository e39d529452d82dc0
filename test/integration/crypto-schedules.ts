/**
 * Random lives of invoices in coins on a real chain, and the proof that nothing of them depends on who watched when: the same
 * chain, read once from its beginning into a new database, leads to the same end.
 */
import { eq, sql } from 'drizzle-orm';
import pg from 'pg';
import { pollChain } from '../../activities/payments/chain-poll.ts';
import { createCryptoInvoiceActivities } from '../../activities/payments/crypto-invoice.ts';
import { createMempoolReader } from '../../activities/payments/mempool-reader.ts';
import { createDatabase, type Database, withSystem, withTenant } from '../../db/client.ts';
import { takeLease } from '../../db/queries/payments/chain-cursor.ts';
import { recordMempool } from '../../db/queries/payments/record-observation.ts';
import { decideCryptoInvoices } from '../../db/queries/payments/save-decision.ts';
import { cryptoInvoices, cryptoPayments } from '../../db/schema/crypto.ts';
import { ledgerEntries, payments } from '../../db/schema/payments.ts';
import { DomainError } from '../../domain/errors.ts';
import type { ChainNode, ChainTransaction } from '../../domain/payments/chain-node.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { CryptoInvoiceFlag } from '../../domain/payments/crypto-invoice.ts';
import { coinsWorth } from '../../domain/payments/crypto-worth.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import type { ChainDriver, Payee, Sent } from './crypto-drivers.ts';
import { setPrices } from './crypto-scene.ts';
import { Death, mortalFetch } from './mortal.ts';
import type { Offered, RealChainScene, Watcher } from './real-chain-scene.ts';

export type Act =
  | { do: 'pay'; which: number; part: 'exact' | 'half' | 'over' | 'dust'; isWrong: boolean }
  | { do: 'bump' | 'send_away'; which: number }
  | { do: 'mine'; blocks: number }
  | { do: 'reorganise'; depth: number; keeps: number }
  | { do: 'double_spend'; which: number; depth: number; isSeen: boolean }
  | { do: 'pass'; minutes: number }
  | { do: 'look' | 'carry_out' }
  | { do: 'die'; at: number; of: 'watcher' | 'process' }
  | { do: 'accept'; which: number };

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ACTS_MAX = 14;
/** Together they stay below the time for which an expired invoice is still watched. */
const MINUTES_MAX = 12;

export function randomActs(random: () => number): Act[] {
  const upTo = (most: number) => 1 + Math.floor(random() * most);
  const one = <T>(...of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const which = () => Math.floor(random() * 2);
  const kinds: (() => Act)[] = [
    () => pay(),
    () => pay(),
    () => pay(),
    () => ({ do: 'bump', which: upTo(9) }),
    () => ({ do: 'send_away', which: upTo(9) }),
    () => ({ do: 'mine', blocks: upTo(4) }),
    () => ({ do: 'mine', blocks: upTo(4) }),
    () => ({ do: 'reorganise', depth: upTo(5), keeps: random() }),
    () => ({ do: 'double_spend', which: which(), depth: upTo(5), isSeen: random() < 0.7 }),
    () => ({ do: 'pass', minutes: upTo(MINUTES_MAX) }),
    () => ({ do: 'look' }),
    () => ({ do: 'look' }),
    () => ({ do: 'carry_out' }),
    () => ({ do: 'die', at: upTo(24), of: one('watcher', 'watcher', 'watcher', 'process') }),
    () => ({ do: 'die', at: upTo(24), of: 'watcher' }),
    () => ({ do: 'accept', which: which() }),
  ];
  const pay = (): Act => ({
    do: 'pay',
    which: which(),
    part: one('exact', 'exact', 'exact', 'half', 'half', 'over', 'dust'),
    isWrong: random() < 0.1,
  });
  return [pay(), ...Array.from({ length: 5 + upTo(ACTS_MAX - 5) }, () => one(...kinds)())];
}

export type Stage = {
  scene: RealChainScene;
  driver: ChainDriver;
  /** What the watcher sees of the node; the node itself unless told otherwise. */
  seenThrough?: (node: ChainNode) => ChainNode;
};

/** Plays the acts with two invoices. Returns what is wrong in the end: nothing. */
export async function faultsOf(stage: Stage, acts: readonly Act[]): Promise<string[]> {
  const play = await begin(stage);
  for (const act of acts) await play.perform(act);
  await play.comeToRest();
  const replayed = await replay(stage, play);
  const ids = play.offers.map(({ coins }) => coins.id);
  const lived = await outcomesOf(stage.scene.db, ids);
  const differences = ids.flatMap((id) => {
    const [was, is] = [replayed.get(id), lived.get(id)];
    return was === is ? [] : [`lived:    ${is}\nreplayed: ${was}`];
  });
  const books = await Promise.all(play.offers.map((offered) => faultsInBooks(stage.scene, offered)));
  return [...differences, ...books.flat()];
}

/** When a transaction was first known to us. */
type Sight = { transaction: ChainTransaction; at: Date };

type Play = {
  offers: Offered[];
  /** The last block that was read before. */
  base: number;
  sights: Sight[];
  perform(act: Act): Promise<void>;
  /** What waits is mined, pauses end, and what can still happen by the clock happens. */
  comeToRest(): Promise<void>;
};

async function begin({ scene, driver, seenThrough = (node) => node }: Stage): Promise<Play> {
  const { chain } = driver;
  const delivered = new Map<string, ChainTransaction>();
  const node = seenThrough(noting(driver.node, delivered));
  let watcher: Watcher = await scene.watch(node, { chain });
  await watcher.poll();
  const offers: Offered[] = [];
  for (let i = 0; i < 2; i += 1) {
    offers.push(await scene.offered(driver.assets[i % driver.assets.length]));
  }
  const base = (await scene.chain(chain)).height ?? 0;
  const sights = new Map<string, Sight>();
  const sent: Sent[] = [];
  let mined = 0;

  const note = async () => {
    for (const txid of await knownTxids(scene.db, offers)) {
      const transaction = delivered.get(txid);
      if (transaction !== undefined && !sights.has(txid)) sights.set(txid, { transaction, at: scene.now() });
    }
  };
  const look = async () => {
    await watcher.poll();
    await note();
  };
  const offeredAt = (which: number) => offers[which % offers.length] as Offered;
  const payeeOf = (which: number, units: bigint | null, asset: CryptoAsset): Payee => {
    const { address, dueUnits } = offeredAt(which).coins;
    return { to: address, units: units ?? dueUnits, asset };
  };
  const mine = async (blocks: number) => {
    await driver.mine(blocks);
    mined += blocks;
  };
  const carryOut = async (db: Database) => {
    const { decideCryptoInvoice } = createCryptoInvoiceActivities({ db });
    for (const { coins } of offers) {
      const { tenantId, id } = coins;
      await decideCryptoInvoice({ tenantId, cryptoInvoiceId: id, at: scene.now().toISOString() });
    }
  };

  const perform = async (act: Act): Promise<void> => {
    switch (act.do) {
      case 'pay': {
        const { asset, dueUnits } = offeredAt(act.which).coins;
        const isWrong = act.isWrong && driver.assets.length > 1;
        const paidIn = isWrong ? (driver.assets.find((each) => each !== asset) ?? asset) : asset;
        const due = isWrong ? null : dueUnits;
        const units = partOf(act.part, due ?? wrongUnits[paidIn], driver.dust[paidIn]);
        sent.push(await driver.pay(payeeOf(act.which, units, paidIn)));
        return;
      }
      case 'bump': {
        const again = await sent[act.which % Math.max(1, sent.length)]?.bump();
        if (again) sent.push(again);
        return;
      }
      case 'send_away':
        await sent[act.which % Math.max(1, sent.length)]?.sendAway();
        return;
      case 'mine':
        return mine(act.blocks);
      case 'reorganise': {
        const depth = Math.min(act.depth, mined);
        const keeps = randomFrom(Math.floor(act.keeps * 2 ** 32));
        if (depth > 0) await driver.reorganise(depth, () => keeps() < 0.6);
        return;
      }
      case 'double_spend': {
        const { asset } = offeredAt(act.which).coins;
        const whenMined = () => (act.isSeen ? look() : Promise.resolve());
        await driver.doubleSpend(payeeOf(act.which, null, asset), act.depth, whenMined);
        mined += act.depth;
        return;
      }
      case 'pass':
        return scene.pass({ minutes: act.minutes });
      case 'look':
        return look();
      case 'carry_out':
        return carryOut(scene.db);
      case 'die': {
        const { db } = mortalFetch(scene, act.at);
        const killed = act.of === 'watcher' ? await scene.watch(node, { chain, db }) : null;
        await unlessDead(() => killed?.poll() ?? carryOut(db));
        await note();
        watcher = await scene.watch(node, { chain });
        return;
      }
      case 'accept':
        return acceptLate(scene, offeredAt(act.which));
      default:
        return act satisfies never;
    }
  };

  return {
    offers,
    base,
    get sights() {
      return [...sights.values()];
    },
    perform,
    async comeToRest() {
      await look();
      // Enough for the end of a pause, and for one deep rival.
      await mine(8);
      await look();
      await mine(1);
      await look();
      await scene.pass({ hours: REST_HOURS });
      await mine(20);
      await look();
      await look();
      for (let i = 0; i < 2; i += 1) await carryOut(scene.db);
    },
  };
}

/** More than 72, after which a transaction that nobody sees any more is given up. */
const REST_HOURS = 80;

const wrongUnits: Record<CryptoAsset, bigint> = {
  BTC: 48_334n,
  ETH: 9_666_666_666_666_667n,
  USDC: 29_000_000n,
};

function partOf(part: 'exact' | 'half' | 'over' | 'dust', due: bigint, dust: bigint): bigint {
  if (part === 'dust') return dust;
  if (part === 'half') return due / 2n + 1n;
  return part === 'over' ? (due * 3n) / 2n : due;
}

async function unlessDead(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Death)) throw error;
  }
}

/** What is late, if anything is. */
async function acceptLate(scene: RealChainScene, offered: Offered): Promise<void> {
  const alive = ['seen', 'mined', 'confirmed'];
  const late = (await scene.payments(offered)).filter((each) => each.isLate && alive.includes(each.status));
  if (late.length === 0) return;
  try {
    await scene.accept(
      offered,
      late.map(({ key }) => key),
    );
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
  }
}

/** Keeps every transaction that the watcher is told. */
function noting(node: ChainNode, delivered: Map<string, ChainTransaction>): ChainNode {
  const note = (transactions: readonly ChainTransaction[]) => {
    for (const transaction of transactions) delivered.set(transaction.txid, transaction);
  };
  return {
    ...node,
    async pending(txids) {
      const transactions = await node.pending(txids);
      note(transactions);
      return transactions;
    },
    async block(hash) {
      const block = await node.block(hash);
      note(block?.transactions ?? []);
      return block;
    },
  };
}

/** The payments' transactions, and those that took their place. */
function knownTxids(db: Database, offers: readonly Offered[]): Promise<Set<string>> {
  return withSystem(db, async (tx) => {
    const known = new Set<string>();
    for (const { coins } of offers) {
      const rows = await tx
        .select({ txid: cryptoPayments.txid, rival: cryptoPayments.rivalTxid })
        .from(cryptoPayments)
        .where(eq(cryptoPayments.cryptoInvoiceId, coins.id));
      for (const { txid, rival } of rows) {
        known.add(txid);
        if (rival !== null) known.add(rival);
      }
    }
    return known;
  });
}

/** A new database in which the invoices have just been made; the sights come as they came, and then the chain as it is. */
async function replay(
  { scene, driver }: Stage,
  { offers, base, sights }: Play,
): Promise<Map<string, string>> {
  const database = await createTestDatabase();
  const db = createDatabase({ url: database.url, max: 3 });
  try {
    const ids = offers.map(({ coins }) => coins.id);
    await copyInvoices(scene.db, database, offers);
    const { chain, node } = driver;
    const lease = await takeLease(db, { chain, network: 'local', holder: 'replay' });
    if (lease === null) throw new Error('A new chain is watched by somebody');
    for (const { transaction, at } of sights) {
      await setPrices({ db }, { at: at.toISOString() });
      await recordMempool(db, lease, { transactions: [transaction], ancestors: [], now: at });
    }
    await setPrices({ db }, { at: scene.now().toISOString() });
    const signal = new AbortController().signal;
    const mempool = createMempoolReader();
    const startHeight = base + 1;
    await pollChain({ db, lease, node, second: null, startHeight, mempool, clock: scene.now, signal });
    await withSystem(db, (tx) => decideCryptoInvoices(tx, { ids, now: scene.now().toISOString() }));
    return await outcomesOf(db, ids);
  } finally {
    await db.close();
    await database.drop();
  }
}

/** What people agreed and decided goes along, and nothing that was decided from the chain. */
async function copyInvoices(from: Database, to: TestDatabase, offers: readonly Offered[]): Promise<void> {
  const admin = new pg.Client({ connectionString: to.adminUrl });
  await admin.connect();
  try {
    await admin.query('set session_replication_role = replica');
    for (const { coins } of offers) {
      for (const table of ['tenants', 'crypto_invoices', 'crypto_addresses', 'crypto_acts']) {
        const column = { tenants: 'id', crypto_invoices: 'id' }[table] ?? 'crypto_invoice_id';
        const value = table === 'tenants' ? coins.tenantId : coins.id;
        const { rows } = await withTenant(from, coins.tenantId, (tx) =>
          // As text: what is counted in wei does not fit into a number.
          tx.execute<{ row: string }>(
            sql`select to_jsonb(t)::text as row from ${sql.identifier(table)} t where ${sql.identifier(column)} = ${value}`,
          ),
        );
        await admin.query(`insert into ${table} select * from jsonb_populate_recordset(null::${table}, $1)`, [
          `[${rows.map(({ row }) => row).join(',')}]`,
        ]);
      }
    }
    await admin.query(`
      update crypto_invoices set version = 0, status = 'awaiting', flags = '[]', credited_units = 0,
        confirmed_units = 0, late_units = 0, excess_units = 0, booked_units = 0, required_depth = null,
        wake_height = null, progress_at = null, status_since = quoted_at, settled_at = null, reversals = 0`);
  } finally {
    await admin.end();
  }
}

/** What has to be the same however it came about, as text, by invoice. */
async function outcomesOf(db: Database, ids: readonly string[]): Promise<Map<string, string>> {
  return withSystem(db, async (tx) => {
    const outcomes = new Map<string, string>();
    for (const id of ids) {
      const [row] = await tx.select().from(cryptoInvoices).where(eq(cryptoInvoices.id, id));
      if (row === undefined) throw new Error(`No invoice ${id}`);
      const rows = await tx.select().from(cryptoPayments).where(eq(cryptoPayments.cryptoInvoiceId, id));
      const { creditedUnits, confirmedUnits, lateUnits, excessUnits } = row;
      const found = rows.map(
        ({ key, units, status, isLate, effectiveAt }) =>
          `${key.slice(0, 12)}${key.slice(64)} ${units} ${status}${isLate ? ' late' : ''} ${effectiveAt.toISOString()}`,
      );
      const units = [creditedUnits, confirmedUnits, lateUnits, excessUnits].join('/');
      const flags = row.flags.filter((flag) => lasting.has(flag));
      outcomes.set(id, [endOf(row), `[${flags}]`, units, ...found.toSorted()].join(' | '));
    }
    return outcomes;
  });
}

/** Who reads the chain later never sees the settlement that was reversed: for him nothing was ever paid. */
function endOf({ status, reversals }: typeof cryptoInvoices.$inferSelect): string {
  return status === 'invalid' && reversals > 0 ? 'expired' : status;
}

const lasting: ReadonlySet<CryptoInvoiceFlag> = new Set<CryptoInvoiceFlag>([
  'within_tolerance',
  'over',
  'late',
  'wrong_asset',
  'dust',
  'marked',
]);

/** Whether the books say exactly what was decided, once. */
async function faultsInBooks(scene: RealChainScene, offered: Offered): Promise<string[]> {
  const { coins, invoice } = offered;
  const state = await scene.state(offered);
  const row = await withTenant(scene.db, coins.tenantId, async (tx) => {
    const [found] = await tx.select().from(cryptoInvoices).where(eq(cryptoInvoices.id, coins.id));
    return found ?? coins;
  });
  const { received, entries } = await withTenant(scene.db, coins.tenantId, async (tx) => ({
    received: await tx.select().from(payments).where(eq(payments.rail, 'crypto')),
    entries: await tx.select().from(ledgerEntries),
  }));
  const books = await scene.books(offered);
  const isSettled = row.status === 'settled' || row.status === 'final';
  const worthMinor = isSettled ? coinsWorth(row.confirmedUnits, row) : 0;
  const standing = received.filter(({ returnedAt }) => returnedAt === null);
  // What is reversed before anything of it was booked leaves no trace in the books.
  const isTakenBack = standing.length < received.length;
  const sumOf = (rows: readonly { amountMinor: number }[]) =>
    rows.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  const count = (kind: string) => state.events.filter((each) => each === kind).length;
  const paying = standing.filter(({ allocatedMinor }) => allocatedMinor > 0);
  const { settled, reversed } = { settled: count('settled'), reversed: count('settlement_reversed') };
  const checks: [what: string, is: unknown, wanted: unknown][] = [
    ['the ledger adds up to', sumOf(entries), 0],
    ['cash is', books.cashMinor, worthMinor],
    ['payments that stand are', sumOf(standing), worthMinor],
    ['payments that pay the invoice are', paying.length, isSettled ? 1 : 0],
    ['booked units are', row.bookedUnits, isSettled ? row.confirmedUnits : 0n],
    ['the invoice is', books.invoice.split(' ')[0], isSettled ? 'paid' : 'open'],
    ['the subscription is', books.subscription, !isSettled && isTakenBack ? 'past_due' : 'active'],
    ['settlements that stand are', settled - reversed, isSettled ? 1 : 0],
    ['reversals are', reversed, row.reversals],
  ];
  return checks
    .filter(([, is, wanted]) => is !== wanted)
    .map(([what, is, wanted]) => `${invoice.invoiceId} ${state.is}: ${what} ${is}, not ${wanted}`);
}

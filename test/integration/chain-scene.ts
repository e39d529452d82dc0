/**
 * Invoices in coins without the invoices they are for, a chain that tests move, and a watcher that looks when it is told to.
 * The clock stands still until a test turns it.
 */
import { asc, eq, like } from 'drizzle-orm';
import pg from 'pg';
import { type Poll, type PollResult, pollChain } from '../../activities/payments/chain-poll.ts';
import { createMempoolReader, type MempoolReader } from '../../activities/payments/mempool-reader.ts';
import { createDatabase, type Database, withSystem } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { type ChainLease, type ChainRow, takeLease } from '../../db/queries/payments/chain-cursor.ts';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import { chainBlocks, chains, cryptoEvents, cryptoInvoices, cryptoPayments } from '../../db/schema/crypto.ts';
import { outbox } from '../../db/schema/operations.ts';
import { createTenant } from '../../db/seed/tenant.ts';
import type { ChainNode } from '../../domain/payments/chain-node.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import { type ChainName, type CryptoNetwork, familyOf } from '../../domain/payments/crypto-chain.ts';
import { type CryptoPolicy, cryptoPolicyOn } from '../../domain/payments/crypto-policy.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

/** 0.001 BTC at 100,000 US dollars: $100. */
export const DUE = 100_000n;

/** An invoice that waits to be paid, and the address for it. */
export type Offer = { id: string; target: string; chain: ChainName };

export type OfferFields = {
  chain?: ChainName;
  asset?: CryptoAsset;
  dueUnits?: bigint;
  usdMinor?: number;
  /** Minutes from now. */
  expiresIn?: number;
  policy?: Partial<CryptoPolicy>;
};

export type Watcher = {
  lease: ChainLease;
  /** One look. Only what differs from a single node and the scene's clock. */
  poll(changes?: Partial<Poll>): Promise<PollResult>;
};

export type ChainScene = {
  database: TestDatabase;
  db: Database;
  tenantId: string;
  now(): Date;
  /** Turns the clock forward. */
  pass(time: { seconds?: number; minutes?: number; hours?: number }): void;
  offer(fields?: OfferFields): Promise<Offer>;
  /** Many at once; their addresses only. */
  offers(count: number, fields?: OfferFields): Promise<Offer[]>;
  /** What sources say a coin costs in US dollars, from now on. */
  price(asset: CryptoAsset, rate: string): Promise<void>;
  /** Takes the chain's lease, with the memory of a process that has just begun. */
  watch(node: ChainNode, options?: { chain?: ChainName; mempool?: MempoolReader }): Promise<Watcher>;
  chain(name?: ChainName): Promise<ChainRow>;
  invoice(id: string): Promise<CryptoInvoiceRow>;
  /** `settled [late, review]` */
  standing(id: string): Promise<string>;
  /** `<units> <status>[ late][ on <chain>][ @<height>]`, by the time at which they count. */
  payments(id: string): Promise<string[]>;
  rows(id: string): Promise<(typeof cryptoPayments.$inferSelect)[]>;
  /** Kinds of the invoice's events, oldest first. */
  events(id: string): Promise<string[]>;
  /** How often its workflow was told to look. */
  signals(id: string): Promise<number>;
  /** Everything that is kept of chain and payments, for a comparison with what it was. */
  everything(): Promise<unknown>;
  sql(statement: string, values?: unknown[]): Promise<void>;
  close(): Promise<void>;
};

const sceneStart = '2026-03-01T12:00:00.000Z';

/** On a chain without value a tip is never too old: `network` is another one where that matters. */
export async function createChainScene({
  network = 'local',
}: {
  network?: CryptoNetwork;
} = {}): Promise<ChainScene> {
  const database = await createTestDatabase();
  const db = createDatabase({ url: database.url });
  const admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
  const tenantId = await createTenant(db, { name: 'Acme' });
  let nowMs = Date.parse(sceneStart);
  let offered = 0;
  let watchers = 0;
  const now = () => new Date(nowMs);

  const rowOf = (fields: OfferFields) => {
    offered += 1;
    const { chain = 'bitcoin', asset = 'BTC', dueUnits = DUE, usdMinor = 10_000, expiresIn = 15 } = fields;
    const digits = offered.toString(16).padStart(40, '0');
    const target = familyOf(chain) === 'bitcoin' ? `0014${digits}` : `0x${digits}`;
    const row: typeof cryptoInvoices.$inferInsert = {
      id: newId('cin'),
      tenantId,
      customerId: `cus_${offered}`,
      invoiceId: `inv_${offered}`,
      accountId: 'cacc_1',
      addressIndex: offered,
      checkoutToken: `checkout-${offered}`,
      chain,
      network,
      asset,
      address: target,
      status: 'awaiting',
      dueMinor: usdMinor,
      currency: 'USD',
      usdMinor,
      rate: '100000',
      rateSources: [],
      rateAt: now(),
      dueUnits,
      minDueUnits: (dueUnits * 98n) / 100n,
      quotedAt: now(),
      expiresAt: new Date(nowMs + expiresIn * 60_000),
      policy: { ...cryptoPolicyOn(network), ...fields.policy },
      statusSince: now(),
    };
    return { row, target, chain };
  };

  const offers = async (count: number, fields: OfferFields = {}): Promise<Offer[]> => {
    const made = Array.from({ length: count }, () => rowOf(fields));
    // The invoices, customers and accounts they belong to matter to nobody here.
    await admin.query('set session_replication_role = replica');
    for (let from = 0; from < made.length; from += 1_000) {
      const chunk = made.slice(from, from + 1_000);
      await insert(
        admin,
        'crypto_invoices',
        chunk.map(({ row }) => row),
      );
      const addresses = chunk.map(({ row, target, chain }) => ({
        family: familyOf(chain),
        target,
        tenantId,
        cryptoInvoiceId: row.id,
        kind: familyOf(chain) === 'bitcoin' ? 'p2wpkh' : 'evm',
        address: target,
      }));
      await insert(admin, 'crypto_addresses', addresses);
    }
    await admin.query('set session_replication_role = origin');
    return made.map(({ row, target, chain }) => ({ id: row.id, target, chain }));
  };

  const rows = (id: string) =>
    withSystem(db, (tx) =>
      tx
        .select()
        .from(cryptoPayments)
        .where(eq(cryptoPayments.cryptoInvoiceId, id))
        .orderBy(asc(cryptoPayments.effectiveAt), asc(cryptoPayments.txid), asc(cryptoPayments.key)),
    );
  const invoice = (id: string) =>
    withSystem(db, async (tx) => {
      const [row] = await tx.select().from(cryptoInvoices).where(eq(cryptoInvoices.id, id));
      if (row === undefined) throw new Error(`No invoice ${id}`);
      return row;
    });

  return {
    database,
    db,
    tenantId,
    now,
    pass({ seconds = 0, minutes = 0, hours = 0 }) {
      nowMs += ((hours * 60 + minutes) * 60 + seconds) * 1000;
    },
    async offer(fields = {}) {
      const [offer] = await offers(1, fields);
      if (offer === undefined) throw new Error('Nothing was offered');
      return offer;
    },
    offers,
    async price(asset, rate) {
      for (const source of ['coinbase', 'kraken']) {
        await admin.query(
          `insert into crypto_prices (source, asset, currency, rate, side, at, fetched_at)
           values ($1, $2, 'USD', $3, 'spot', $4, $4)
           on conflict (source, asset, currency) do update set rate = $3, at = $4, fetched_at = $4`,
          [source, asset, rate, now()],
        );
      }
    },
    async watch(node, { chain = 'bitcoin', mempool = createMempoolReader() } = {}) {
      watchers += 1;
      await admin.query('update chains set lease_until = null where name = $1', [chain]);
      const lease = await takeLease(db, { chain, network, holder: `watcher-${watchers}` });
      if (lease === null) throw new Error(`${chain} is watched by somebody else`);
      const signal = new AbortController().signal;
      const usual: Poll = { db, lease, node, second: null, startHeight: null, mempool, clock: now, signal };
      return { lease, poll: (changes = {}) => pollChain({ ...usual, ...changes }) };
    },
    chain: (name = 'bitcoin') =>
      withSystem(db, async (tx) => {
        const [row] = await tx.select().from(chains).where(eq(chains.name, name));
        if (row === undefined) throw new Error(`${name} was never watched`);
        return row;
      }),
    invoice,
    async standing(id) {
      const { status, flags } = await invoice(id);
      return flags.length === 0 ? status : `${status} [${flags.join(', ')}]`;
    },
    async payments(id) {
      const { chain: home } = await invoice(id);
      return (await rows(id)).map(({ units, status, isLate, chain, height }) => {
        const where = chain === home ? '' : ` on ${chain}`;
        return `${units} ${status}${isLate ? ' late' : ''}${where}${height === null ? '' : ` @${height}`}`;
      });
    },
    rows,
    events: (id) =>
      withSystem(db, async (tx) => {
        const found = await tx
          .select({ kind: cryptoEvents.kind })
          .from(cryptoEvents)
          .where(eq(cryptoEvents.cryptoInvoiceId, id))
          .orderBy(asc(cryptoEvents.id));
        return found.map(({ kind }) => kind);
      }),
    signals: (id) =>
      withSystem(db, async (tx) => {
        const found = await tx.select().from(outbox).where(like(outbox.topic, 'workflow.signal%'));
        return found.filter(({ envelope }) => JSON.stringify(envelope).includes(id)).length;
      }),
    everything: () =>
      withSystem(db, async (tx) => ({
        chains: (await tx.select().from(chains).orderBy(asc(chains.name))).map(({ name, height, hash }) => ({
          name,
          height,
          hash,
        })),
        blocks: await tx.select().from(chainBlocks).orderBy(asc(chainBlocks.height)),
        invoices: await tx.select().from(cryptoInvoices).orderBy(asc(cryptoInvoices.id)),
        payments: await tx
          .select()
          .from(cryptoPayments)
          .orderBy(asc(cryptoPayments.chain), asc(cryptoPayments.key)),
        events: await tx.select().from(cryptoEvents).orderBy(asc(cryptoEvents.id)),
      })),
    async sql(statement, values = []) {
      await admin.query(statement, values);
    },
    async close() {
      await admin.end();
      await db.close();
      await database.drop();
    },
  };
}

/** Rows as JSON, by names of columns in snake case. */
async function insert(admin: pg.Client, table: string, rows: readonly object[]): Promise<void> {
  const named = rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [snake(name), plain(value)])),
  );
  const columns = Object.keys(named[0] ?? {}).join(', ');
  await admin.query(
    `insert into ${table} (${columns}) select ${columns} from jsonb_populate_recordset(null::${table}, $1)`,
    [JSON.stringify(named)],
  );
}

function plain(value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

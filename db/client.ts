/**
 * The database connection and its units of work. Every connection steps down to `perennial_app`, which owns
 * nothing; a unit of work is a transaction that names its tenant first, and row-level security does the rest.
 */
import { sql } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { withoutValues } from './failed-query.ts';
import { together } from './together.ts';

export type Database = {
  drizzle: NodePgDatabase;
  pool: pg.Pool;
  url: string;
  /** One transaction without a tenant; units of work use `withTenant` and `withSystem`. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

/** A transaction of one tenant. Queries take it as their first argument. */
export type Tx = Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0];

/** A transaction across tenants that sees the outbox, the inbox, schedules and the list of tenants only. */
export type SystemTx = Tx & { readonly system: true };

/** Opens a pool. `max` is the number of connections. */
export function createDatabase({ url, max = 10 }: { url: string; max?: number }): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    options: '-c role=perennial_app -c timezone=UTC',
    connectionTimeoutMillis: 5_000,
    application_name: 'perennial',
    // Statements that do not wait for each other share a round trip; see `together`.
    pipeline: true,
  });
  // A connection that breaks, idle or in the middle of a transaction, fails its next query and is replaced; without
  // these listeners it would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => void client.on('error', () => {}));
  return {
    drizzle: drizzle(pool, { casing: 'snake_case' }),
    pool,
    url,
    transaction: (work) => transaction(pool, work),
    close: () => pool.end(),
  };
}

/** Runs `work` in one transaction that sees this tenant only. */
export function withTenant<T>(db: Database, tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    // `execute` sends it at once: the first statements of `work` follow right behind it, without waiting.
    const named = tx.execute(sql`select set_config('app.tenant_id', ${tenantId}, true)`).execute();
    const [, result] = await together([named, work(tx)]);
    return result;
  });
}

/** Runs `work` in one transaction across tenants, on the tables `perennial_system` may see. */
export function withSystem<T>(db: Database, work: (tx: SystemTx) => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    const stepped = tx.execute(sql`set local role perennial_system`).execute();
    const [, result] = await together([stepped, work(tx as SystemTx)]);
    return result;
  });
}

/**
 * One transaction on one connection. The connection is taken and given back here, because drizzle does not give it
 * back when BEGIN fails: each connection that Postgres has cut would then be lost to the pool for ever.
 */
async function transaction<T>(pool: pg.Pool, work: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    return await drizzle(client, { casing: 'snake_case' }).transaction(work);
  } catch (error) {
    throw withoutValues(error);
  } finally {
    client.release();
  }
}

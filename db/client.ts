/**
 * The database connection and its units of work. Every connection steps down to `perennial_app`, which owns
 * nothing; a unit of work is a transaction that names its tenant first, and row-level security does the rest.
 */
import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { NodePgDatabase, NodePgSession } from 'drizzle-orm/node-postgres';
import { PgDialect } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { withoutValues } from './failed-query.ts';
import { together } from './together.ts';

export type Database = {
  pool: pg.Pool;
  url: string;
  /** One transaction without a tenant; units of work use `withTenant` and `withSystem`. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

/** A transaction of one tenant. Queries take it as their first argument. It is not nested. */
export type Tx = Omit<NodePgDatabase, 'transaction'>;

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

/** One for all, because it remembers the names of the columns. */
const dialect = new PgDialect({ casing: 'snake_case' });

function on(client: pg.PoolClient): Tx {
  return new NodePgDatabase(dialect, new NodePgSession(prepared(client), dialect, undefined), undefined);
}

/** Statements are named by their text, so that a connection parses and plans each of them once. */
function prepared(client: pg.PoolClient): pg.PoolClient {
  const query = (config: pg.QueryConfig, values: unknown[]) =>
    client.query({ ...config, name: nameOf(config.text), values });
  return Object.assign(Object.create(client) as pg.PoolClient, { query });
}

function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) {
    name = createHash('sha256').update(text).digest('base64url');
    names.set(text, name);
  }
  return name;
}

const names = new Map<string, string>();

/**
 * One transaction on one connection. BEGIN flies with the first statements of `work`; had it failed, these would fail
 * too: the tenant is named for a transaction only, and without a tenant no row is seen or written.
 */
async function transaction<T>(pool: pg.Pool, work: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  const tx = on(client);
  let broken: Error | undefined;
  try {
    const [, result] = await together([tx.execute(sql`begin`).execute(), work(tx)]);
    const { command } = await tx.execute(sql`commit`);
    if (command !== 'COMMIT')
      throw new Error('A statement failed unnoticed: Postgres rolled the transaction back');
    return result;
  } catch (error) {
    // A connection that cannot even take everything back is of no further use.
    await tx.execute(sql`rollback`).catch((failure: Error) => {
      broken = failure;
    });
    throw withoutValues(error);
  } finally {
    client.release(broken);
  }
}

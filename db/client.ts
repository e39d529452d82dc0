/**
 * The database connection and its units of work. Every connection steps down to `perennial_app`, which owns
 * nothing; a unit of work is a transaction that names its tenant first, and row-level security does the rest.
 */
import { sql } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { withoutValues } from './failed-query.ts';

export type Database = { drizzle: NodePgDatabase; pool: pg.Pool; url: string; close(): Promise<void> };

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
  });
  // An idle connection that breaks is replaced on its next use; without a listener it would end the process.
  pool.on('error', () => {});
  return { drizzle: drizzle(pool, { casing: 'snake_case' }), pool, url, close: () => pool.end() };
}

/** Runs `work` in one transaction that sees this tenant only. */
export function withTenant<T>(db: Database, tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> {
  return transaction(db, async (tx) => {
    await tx.execute(sql`select set_config('app.tenant_id', ${tenantId}, true)`);
    return work(tx);
  });
}

/** Runs `work` in one transaction across tenants, on the tables `perennial_system` may see. */
export function withSystem<T>(db: Database, work: (tx: SystemTx) => Promise<T>): Promise<T> {
  return transaction(db, async (tx) => {
    await tx.execute(sql`set local role perennial_system`);
    return work(tx as SystemTx);
  });
}

function transaction<T>(db: Database, work: (tx: Tx) => Promise<T>): Promise<T> {
  return db.drizzle.transaction(work).catch((error: unknown) => {
    throw withoutValues(error);
  });
}

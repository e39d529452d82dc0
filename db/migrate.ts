/**
 * Brings the database to the current schema. Runs as the owner; concurrent runs wait for each other on an advisory
 * lock. Safe to repeat: applied migrations are remembered by name and hash.
 */
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { loadConfig } from '../config/env.ts';

const migrationsFolder = fileURLToPath(new URL('./migrations', import.meta.url));
const migrationLock = 715_301_204;

/** Applies what is missing. Throws when the database cannot be reached or a migration fails. */
export async function migrateDatabase({ adminUrl }: { adminUrl: string }): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    await migrate(drizzle(client, { casing: 'snake_case' }), { migrationsFolder });
  } finally {
    await client.end();
  }
}

if (import.meta.main) {
  const config = loadConfig();
  await migrateDatabase({ adminUrl: config.database.adminUrl });
}

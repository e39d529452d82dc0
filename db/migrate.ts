/**
 * Brings the database to the current schema and lets the application in. Runs as the owner; concurrent runs wait for
 * each other on an advisory lock. Safe to repeat: applied migrations are remembered.
 */
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { loadConfig } from '../config/env.ts';

const migrationsFolder = fileURLToPath(new URL('./migrations', import.meta.url));
const migrationLock = 715_301_204;

/**
 * Applies what is missing. Where the application logs in as somebody else than the owner, that login is created (or
 * given its password) and made a member of the two application roles. Throws when the database cannot be reached or
 * a migration fails.
 */
export async function migrateDatabase({
  adminUrl,
  appUrl = adminUrl,
}: {
  adminUrl: string;
  appUrl?: string;
}): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    await migrate(drizzle(client, { casing: 'snake_case' }), { migrationsFolder });
    await admitLogin(client, { adminUrl, appUrl });
  } finally {
    await client.end();
  }
}

async function admitLogin(
  client: pg.Client,
  { adminUrl, appUrl }: { adminUrl: string; appUrl: string },
): Promise<void> {
  const login = decodeURIComponent(new URL(appUrl).username);
  const password = decodeURIComponent(new URL(appUrl).password);
  if (login === '' || login === decodeURIComponent(new URL(adminUrl).username)) return;
  const role = client.escapeIdentifier(login);
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [login]);
  if (rowCount === 0) await client.query(`CREATE ROLE ${role} LOGIN`);
  if (password !== '') await client.query(`ALTER ROLE ${role} PASSWORD ${client.escapeLiteral(password)}`);
  await client.query(`GRANT perennial_app, perennial_system TO ${role}`);
}

if (import.meta.main) {
  const { database } = loadConfig();
  await migrateDatabase({ adminUrl: database.adminUrl, appUrl: database.url });
}

/** Whether the database has the schema this code was written for. */
import { readFile } from 'node:fs/promises';
import { sql } from 'drizzle-orm';
import type { Database } from '../db/client.ts';

/** Names of migrations that are not applied yet. A database that is ahead (during a deployment) is fine. */
export async function pendingMigrations(db: Database): Promise<string[]> {
  const { entries } = JSON.parse(await readFile(journal, 'utf8')) as {
    entries: { when: number; tag: string }[];
  };
  const { rows } = await db.drizzle.execute<{ last: string | null }>(
    sql`select max(created_at) as last from drizzle.__drizzle_migrations`,
  );
  const applied = Number(rows[0]?.last ?? 0);
  return entries.filter(({ when }) => when > applied).map(({ tag }) => tag);
}

const journal = new URL('../db/migrations/meta/_journal.json', import.meta.url);

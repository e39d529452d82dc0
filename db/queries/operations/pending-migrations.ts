/** Whether the database has the schema this code was written for. */
import { readFile } from 'node:fs/promises';
import type { Database } from '../../client.ts';

/** Names of migrations that are not applied yet. A database that is ahead (during a deployment) is fine. */
export async function pendingMigrations({ pool }: Database): Promise<string[]> {
  const { entries } = JSON.parse(await readFile(journal, 'utf8')) as {
    entries: { when: number; tag: string }[];
  };
  const { rows } = await pool.query<{ last: string | null }>(
    'SELECT max(created_at) AS last FROM drizzle.__drizzle_migrations',
  );
  const applied = Number(rows[0]?.last ?? 0);
  return entries.filter(({ when }) => when > applied).map(({ tag }) => tag);
}

const journal = new URL('../../migrations/meta/_journal.json', import.meta.url);

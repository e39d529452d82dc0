/** Statements as the owner of the database, who sees the rows of every tenant. */
import pg from 'pg';

export async function asOwner<Row extends object = Record<string, unknown>>(
  adminUrl: string,
  statement: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    return (await client.query(statement, values)).rows as Row[];
  } finally {
    await client.end();
  }
}

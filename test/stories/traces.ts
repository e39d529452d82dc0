/** Where a text still occurs in the whole database: every text and JSON column of every table, as its owner sees it. */
import pg from 'pg';

/** `table.column` of each place that holds one of the words, in any case of letters. Part of a longer word is none: ids are random. */
export async function tracesOf(adminUrl: string, words: readonly string[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const places: string[] = [];
    for (const { table, column } of await textColumns(client)) {
      const { rows } = await client.query(
        `select 1 from ${pg.escapeIdentifier(table)} where ${pg.escapeIdentifier(column)}::text ~* $1 limit 1`,
        [`\\m(${words.join('|')})\\M`],
      );
      if (rows.length > 0) places.push(`${table}.${column}`);
    }
    return places.sort();
  } finally {
    await client.end();
  }
}

/** Everything that can hold words: whatever is no number, date or truth value. */
async function textColumns(client: pg.Client): Promise<{ table: string; column: string }[]> {
  const { rows } = await client.query<{ table: string; column: string }>(
    `select c.table_name as "table", c.column_name as "column"
       from information_schema.columns c
       join information_schema.tables t using (table_schema, table_name)
      where c.table_schema = 'public' and t.table_type = 'BASE TABLE'
        and c.data_type not in ('integer', 'bigint', 'smallint', 'real', 'boolean', 'timestamp with time zone')`,
  );
  return rows;
}

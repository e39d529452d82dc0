/**
 * Movements of a CSV under the names that they have once it is read with a corrected mapping. A name says what the mapping made of
 * a line, so that without this a line would be another movement, and its money there twice.
 *
 * Why it is safe to run twice: who has the name already is not found under the one before.
 */
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { bankTransactions } from '../../schema/banking.ts';
import { copyStatuses } from './movement-copies.ts';

/**
 * From each name to the one it has now; those are told by `statementId` from now on. Returns names of what another movement has
 * taken the place of: one that was told under that name before, and is no copy of it. Call under the account's lock.
 */
export async function renameMovements(
  tx: Tx,
  {
    accountId,
    statementId,
    names,
  }: { accountId: string; statementId: string; names: ReadonlyMap<string, string> },
): Promise<string[]> {
  const isOwn = and(eq(bankTransactions.accountId, accountId), eq(bankTransactions.source, 'csv'));
  const isOneOf = (all: Iterable<string>) =>
    sql`${bankTransactions.externalId} = any(${sql.param([...all])}::text[])`;
  const { id, externalId, copyOfId, status } = bankTransactions;
  const rows = await tx
    .select({ id, externalId })
    .from(bankTransactions)
    .where(and(isOwn, isOneOf(names.keys())))
    .orderBy(asc(id))
    .for('update');
  const moving = rows.map((row) => ({ id: row.id, name: names.get(row.externalId) ?? row.externalId }));
  // Two may change places: none has a name that another one waits for.
  await setNames(tx, { statementId, named: moving.map((row) => ({ id: row.id, name: heldName(row.id) })) });

  const others = await tx
    .select({ externalId, copyOfId, status })
    .from(bankTransactions)
    .where(and(isOwn, isOneOf(moving.map(({ name }) => name))));
  const taken = new Map(others.map((row) => [row.externalId, row]));
  await setNames(tx, { statementId, named: moving.filter(({ name }) => !taken.has(name)) });
  const replaced = moving.filter((row) => {
    const other = taken.get(row.name);
    return other !== undefined && !(other.copyOfId === row.id && copyStatuses.includes(other.status));
  });
  return replaced.map((row) => heldName(row.id));
}

/** No file names a movement so. */
function heldName(id: string): string {
  return `replaced:${id}`;
}

async function setNames(
  tx: Tx,
  { statementId, named }: { statementId: string; named: readonly { id: string; name: string }[] },
): Promise<void> {
  if (named.length === 0) return;
  await tx.execute(sql`
    update ${bankTransactions} kept set external_id = named.name, statement_id = ${statementId}
    from jsonb_to_recordset(${JSON.stringify(named)}::jsonb) as named(id text, name text)
    where kept.id = named.id`);
}

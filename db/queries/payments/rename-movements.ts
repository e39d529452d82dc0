/**
 * Movements of a CSV that is read with a corrected mapping: they get the names they have now, and say what this mapping makes of
 * them and nothing else. Without it a line would be another movement, and its money there twice.
 *
 * Why it is safe to run twice: who has the name already is not found under the one before.
 */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { bankTransactions } from '../../schema/banking.ts';
import { lockChanging } from './keep-movements.ts';
import { copyStatuses } from './movement-copies.ts';

/** `names`: from each name to the one it has now, null for what is not booked any more. `now`: all names there are now. */
export type Renamed = { names: ReadonlyMap<string, string | null>; now: readonly string[] };

/**
 * Call under the account's lock, and keep what is told then. Returns names of what is to be removed: what is not booked any more,
 * and what another movement stands for that was told under the same name and is no copy of it. What the file told, and cannot be
 * found by its names, belongs to no file any more, so that what is told now is compared with it.
 */
export async function renameMovements(
  tx: Tx,
  { account, statementId, names, now }: Renamed & { account: { id: string }; statementId: string },
): Promise<string[]> {
  const isOwn = and(eq(bankTransactions.accountId, account.id), eq(bankTransactions.source, 'csv'));
  const locked = await lockChanging(tx, { account, source: 'csv', externalIds: [...names.keys()] });
  const moving = [...names].flatMap(([before, name]) => {
    const row = locked.get(before);
    return row === undefined ? [] : [{ id: row.id, name }];
  });
  // Two may change places: none has a name that another one waits for.
  await setNames(tx, { statementId, named: moving.map(({ id }) => ({ id, name: heldName(id) })) });

  const wanted = moving.flatMap(({ id, name }) => (name === null ? [] : [{ id, name }]));
  const { externalId, copyOfId, status } = bankTransactions;
  const others = await tx
    .select({ externalId, copyOfId, status })
    .from(bankTransactions)
    .where(and(isOwn, isNamed(wanted.map(({ name }) => name))));
  const taken = new Map(others.map((row) => [row.externalId, row]));
  await setNames(tx, { statementId, named: wanted.filter(({ name }) => !taken.has(name)) });

  await tx
    .update(bankTransactions)
    .set({ statementId: null })
    .where(
      and(
        eq(bankTransactions.statementId, statementId),
        sql`not ${isNamed([...now, ...moving.map(({ id }) => heldName(id))])}`,
      ),
    );
  await tx
    .update(bankTransactions)
    .set({ texts: [], payerName: null, payerAccount: null, bankReference: null })
    .where(and(isOwn, isNamed(now), isNull(bankTransactions.erasedAt)));

  return moving.flatMap(({ id, name }) => {
    if (name === null) return [heldName(id)];
    const other = taken.get(name);
    const isCopy = other?.copyOfId === id && copyStatuses.includes(other.status);
    return other === undefined || isCopy ? [] : [heldName(id)];
  });
}

/** Hashed, however many they are. */
function isNamed(names: readonly string[]): SQL {
  return sql`${bankTransactions.externalId} in (select unnest(${sql.param([...names])}::text[]))`;
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

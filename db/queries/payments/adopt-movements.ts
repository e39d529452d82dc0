/**
 * A bank that was connected anew tells its movements again, under other names. Those that say the very same as known ones are
 * these: they get their new names, before whatever is told is kept, and what was decided about them stands. What nearly says
 * the same is suspected to be a copy, and a person says. What was pending when the connection before it ended comes under
 * another name, or never.
 *
 * Why it is safe to run twice: a movement has one name, and remembers which connection has told it last; one that this
 * connection has told is never given another name by it.
 */
import { and, asc, between, eq, isNull, ne, or, sql } from 'drizzle-orm';
import { COPY_DAYS_MAX, suspectedCopies } from '../../../domain/payments/bank-overlap.ts';
import { type BankTransaction, FEED } from '../../../domain/payments/bank-transaction.ts';
import { byText } from '../../../domain/payments/match-facts.ts';
import { sameMovements } from '../../../domain/payments/retold-elsewhere.ts';
import type { Tx } from '../../client.ts';
import { bankTransactions } from '../../schema/banking.ts';
import { isNamed, movementOf } from './bank-movements.ts';
import { eraseCopies } from './erase-movements.ts';

type Account = { id: string };

/**
 * Gives known movements the names they have now. Returns those that are told for the first time and may be copies of others
 * (by their name, the row of the other), and the names of pending ones that nobody tells of any more, where the whole account
 * was told (`isWhole`). Call it before the movements are kept, and `noteTellers` after.
 */
export async function adoptMovements(
  tx: Tx,
  { account, connectionId, told, isWhole }: AdoptInput,
): Promise<{ copies: ReadonlyMap<string, string>; forgotten: string[] }> {
  const others = await toldElsewhere(tx, { account, connectionId, told, isWhole });
  if (others.length === 0) return { copies: new Map(), forgotten: [] };
  const known = await knownNames(tx, account, told);
  const elsewhere = others.filter(({ externalId }) => !known.has(externalId));
  const unknown = told.filter(({ externalId }) => !known.has(externalId));
  const names = sameMovements(unknown, elsewhere);
  await rename(tx, { account, connectionId, names, told });

  const left = elsewhere.filter(({ externalId }) => !names.has(externalId));
  const adopted = new Set(names.values());
  const isNew = unknown.filter(({ externalId, pending }) => !pending && !adopted.has(externalId));
  const idOf = new Map(left.map(({ externalId, id }) => [externalId, id]));
  const likely = suspectedCopies(
    isNew,
    left.filter(({ pending }) => !pending),
  );
  return {
    copies: new Map([...likely].map(([name, other]) => [name, idOf.get(other) ?? ''])),
    forgotten: isWhole ? left.filter(({ pending }) => pending).map(({ externalId }) => externalId) : [],
  };
}

type AdoptInput = {
  account: Account;
  connectionId: string;
  told: readonly BankTransaction[];
  isWhole: boolean;
};

/** What another connection has told last, around the days that are told now. */
async function toldElsewhere(
  tx: Tx,
  { account, connectionId, told, isWhole }: AdoptInput,
): Promise<(BankTransaction & { id: string })[]> {
  const days = told.map(({ bookedOn }) => bookedOn).toSorted(byText);
  const [first = NO_DAY, last = NO_DAY] = [days.at(0), days.at(-1)];
  const around = between(
    bankTransactions.bookedOn,
    sql`${first}::date - ${COPY_DAYS_MAX}::int`,
    sql`${last}::date + ${COPY_DAYS_MAX}::int`,
  );
  const rows = await tx
    .select()
    .from(bankTransactions)
    .where(
      and(
        eq(bankTransactions.accountId, account.id),
        isWhole ? or(around, eq(bankTransactions.status, 'pending')) : around,
        eq(bankTransactions.source, FEED),
        or(isNull(bankTransactions.connectionId), ne(bankTransactions.connectionId, connectionId)),
        isNull(bankTransactions.removedAt),
      ),
    )
    .orderBy(asc(bankTransactions.id));
  return rows.map((row) => ({ ...movementOf(row), id: row.id }));
}

const NO_DAY = '1970-01-01';

async function knownNames(
  tx: Tx,
  account: Account,
  told: readonly BankTransaction[],
): Promise<ReadonlySet<string>> {
  const names = told.map(({ externalId }) => externalId);
  const rows = await tx
    .select({ externalId: bankTransactions.externalId })
    .from(bankTransactions)
    .where(isNamed(account.id, FEED, names));
  return new Set(rows.map(({ externalId }) => externalId));
}

async function rename(
  tx: Tx,
  {
    account,
    connectionId,
    names,
    told,
  }: Omit<AdoptInput, 'isWhole'> & { names: ReadonlyMap<string, string> },
): Promise<void> {
  if (names.size === 0) return;
  const pendingNames = new Map(
    told.map(({ externalId, pendingExternalId }) => [externalId, pendingExternalId]),
  );
  const pairs = [...names].map(([before, name]) => ({
    before,
    name,
    pending: pendingNames.get(name) ?? null,
  }));
  await tx.execute(sql`
    update ${bankTransactions} kept
    set external_id = pair.name, pending_external_id = pair.pending, connection_id = ${connectionId}
    from jsonb_to_recordset(${JSON.stringify(pairs)}::jsonb) as pair(before text, name text, pending text)
    where kept.account_id = ${account.id} and kept.source = ${FEED} and kept.external_id = pair.before`);
}

/** What this connection has told last is its own; likely copies of what another one has told wait for a person. */
export async function noteTellers(
  tx: Tx,
  {
    account,
    connectionId,
    names,
    copies,
  }: {
    account: Account;
    connectionId: string;
    names: readonly string[];
    copies: ReadonlyMap<string, string>;
  },
): Promise<void> {
  await tx
    .update(bankTransactions)
    .set({ connectionId })
    .where(
      and(
        isNamed(account.id, FEED, names),
        or(isNull(bankTransactions.connectionId), ne(bankTransactions.connectionId, connectionId)),
      ),
    );
  if (copies.size === 0) return;
  const pairs = [...copies].map(([name, of]) => ({ name, of }));
  await tx.execute(sql`
    update ${bankTransactions} kept set status = 'copy_suspected', copy_of_id = pair.of
    from jsonb_to_recordset(${JSON.stringify(pairs)}::jsonb) as pair(name text, of text)
    where kept.account_id = ${account.id} and kept.source = ${FEED} and kept.external_id = pair.name
      and kept.status = 'new'`);
  await eraseCopies(tx, [...copies.values()]);
}

/**
 * Names of what this connection has told as pending, where the whole account was told and they were not: what has gone is not
 * told in a reading from the beginning.
 */
export async function untoldPendings(
  tx: Tx,
  { account, connectionId, told }: Omit<AdoptInput, 'isWhole'>,
): Promise<string[]> {
  const names = new Set(told.map(({ externalId }) => externalId));
  const rows = await tx
    .select({ externalId: bankTransactions.externalId })
    .from(bankTransactions)
    .where(
      and(
        eq(bankTransactions.accountId, account.id),
        eq(bankTransactions.source, FEED),
        eq(bankTransactions.connectionId, connectionId),
        eq(bankTransactions.pending, true),
        isNull(bankTransactions.removedAt),
      ),
    );
  return rows.map(({ externalId }) => externalId).filter((externalId) => !names.has(externalId));
}

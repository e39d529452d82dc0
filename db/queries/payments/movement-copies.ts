/**
 * Movements that another source of the same account has told too, as it seems: a person says whether they are copies. A file
 * that was read with another mapping, or by another version of the readers, is another source, for it may name the same
 * movements otherwise. Only booked ones are looked at, and of each source a known one has one copy at most.
 */
import { and, eq, inArray, sql } from 'drizzle-orm';
import type { BankMovementStatus } from '../../../domain/payments/bank-movement.ts';
import { COPY_DAYS_MAX, suspectedCopies } from '../../../domain/payments/bank-overlap.ts';
import type { BankSource, BankTransaction } from '../../../domain/payments/bank-transaction.ts';
import type { Tx } from '../../client.ts';
import { isOneOf } from '../../is-one-of.ts';
import { bankStatements, bankTransactions } from '../../schema/banking.ts';
import { eraseCopies } from './erase-movements.ts';

/**
 * Looks at these, which stand as `new`, and marks the likely copies among them. Returns how many those are. Of those that one
 * file tells together (`toldTogether`) none is a copy of another.
 */
export async function suspectCopies(
  tx: Tx,
  {
    accountId,
    freshIds,
    toldTogether = [],
  }: { accountId: string; freshIds: readonly string[]; toldTogether?: readonly string[] },
): Promise<number> {
  if (freshIds.length === 0) return 0;
  const fresh = await tx
    .select({ ...columns, ...tellerColumns })
    .from(bankTransactions)
    .leftJoin(bankStatements, eq(bankStatements.id, bankTransactions.statementId))
    .where(isOneOf(bankTransactions.id, freshIds));
  const ofThisFile = new Set(toldTogether);
  let suspected = 0;
  for (const told of Map.groupBy(fresh, tellerOf).values()) {
    const [teller] = told;
    if (teller === undefined) continue;
    const others = await knownOfOthers(tx, { accountId, teller, told });
    const known = others.filter(({ id, source }) => source !== teller.source || !ofThisFile.has(id));
    if (known.length === 0) continue;
    const idOf = new Map([...told, ...known].map((row) => [nameOf(row), row.id]));
    const copies = suspectedCopies(told.map(asTold), known.map(asTold));
    const pairs = [...copies].map(([copy, original]) => ({ id: idOf.get(copy), of: idOf.get(original) }));
    if (pairs.length === 0) continue;
    await tx.execute(sql`
      update ${bankTransactions} copy set status = 'copy_suspected', copy_of_id = pair.of
      from jsonb_to_recordset(${JSON.stringify(pairs)}::jsonb) as pair(id text, of text) where copy.id = pair.id`);
    await eraseCopies(
      tx,
      pairs.flatMap(({ of }) => of ?? []),
    );
    suspected += pairs.length;
  }
  return suspected;
}

/**
 * What stood as a copy of these, and may be money of its own now that these are not what they were. Returns the ids; they
 * stand as `new`.
 */
export async function withoutCopies(
  tx: Tx,
  originalIds: readonly string[],
  statuses: readonly ('copy_suspected' | 'copy')[],
): Promise<string[]> {
  if (originalIds.length === 0) return [];
  const rows = await tx
    .update(bankTransactions)
    .set({ status: 'new', copyOfId: null, copyJudgedAt: null })
    .where(
      and(isOneOf(bankTransactions.copyOfId, originalIds), inArray(bankTransactions.status, [...statuses])),
    )
    .returning({ id: bankTransactions.id });
  return rows.map(({ id }) => id);
}

const columns = {
  id: bankTransactions.id,
  externalId: bankTransactions.externalId,
  amountMinor: bankTransactions.amountMinor,
  currency: bankTransactions.currency,
  bookedOn: bankTransactions.bookedOn,
  texts: bankTransactions.texts,
};

/** With the statement, which a feed has none of. */
const tellerColumns = {
  source: bankTransactions.source,
  csvMapping: sql<string | null>`${bankStatements.csvMapping}::text`,
  reader: bankStatements.reader,
};

type Row = Pick<BankTransaction, 'externalId' | 'amountMinor' | 'currency' | 'bookedOn' | 'texts'> & {
  id: string;
  source: BankSource;
};

/** `csvMapping` is null for all but a CSV, `reader` for a feed. */
type Teller = { source: BankSource; csvMapping: string | null; reader: number | null };

function tellerOf({ source, csvMapping, reader }: Teller): string {
  return `${source} ${reader} ${csvMapping ?? ''}`;
}

/**
 * Booked movements of other sources that a copy among `told` may be of, and that have none of this source yet. Looked up amount
 * by amount, for an account may have many in these days: the fence says so, and that the account is compared as an expression
 * leaves the database no index but that of amounts, also where it has no statistics of the table yet.
 */
async function knownOfOthers(
  tx: Tx,
  { accountId, teller, told }: { accountId: string; teller: Teller; told: readonly Row[] },
): Promise<Row[]> {
  const wanted = told.map(({ amountMinor, currency, bookedOn }) => ({
    amount: amountMinor,
    currency,
    day: bookedOn,
  }));
  const { rows } = await tx.execute<Row>(sql`
    select distinct known.* from (
      select distinct * from jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb)
        as told(amount bigint, currency char(3), day date)
    ) wanted cross join lateral (
      select id, source, external_id as "externalId", amount_minor as "amountMinor", currency,
        booked_on::text as "bookedOn", texts
      from ${bankTransactions}
      where currency = wanted.currency and amount_minor = wanted.amount
        and booked_on between wanted.day - ${COPY_DAYS_MAX}::int and wanted.day + ${COPY_DAYS_MAX}::int
        and account_id || '' = ${accountId} and not pending and removed_at is null
        and status not in ('copy_suspected', 'copy')
        and (source <> ${teller.source} or (statement_id is null and source = 'csv') or statement_id in (
          select id from ${bankStatements}
          where account_id = ${accountId}
            and (csv_mapping is distinct from ${teller.csvMapping}::jsonb or reader <> ${teller.reader})))
      offset 0
    ) known`);
  const known = rows.map((row) => ({ ...row, amountMinor: Number(row.amountMinor) }));
  const taken = await copiedBy(tx, teller, known);
  return known.filter(({ id }) => !taken.has(id));
}

/** Those of which this source has told a copy. */
async function copiedBy(tx: Tx, teller: Teller, known: readonly Row[]): Promise<Set<string>> {
  if (known.length === 0) return new Set();
  const copies = await tx
    .select({
      copyOfId: bankTransactions.copyOfId,
      ...tellerColumns,
      status: bankTransactions.status,
    })
    .from(bankTransactions)
    .leftJoin(bankStatements, eq(bankStatements.id, bankTransactions.statementId))
    .where(
      isOneOf(
        bankTransactions.copyOfId,
        known.map(({ id }) => id),
      ),
    );
  const own = copies.filter(
    (copy) => tellerOf(copy) === tellerOf(teller) && copyStatuses.includes(copy.status),
  );
  return new Set(own.map(({ copyOfId }) => copyOfId).filter((id) => id !== null));
}

export const copyStatuses: readonly BankMovementStatus[] = ['copy_suspected', 'copy'];

/** Two sources may use the same name. */
function nameOf({ source, externalId }: Row): string {
  return `${source} ${externalId}`;
}

function asTold(row: Row): BankTransaction {
  const { amountMinor, currency, bookedOn, texts } = row;
  return {
    externalId: nameOf(row),
    amountMinor,
    currency,
    bookedOn,
    texts,
    authorisedOn: null,
    pending: false,
    pendingExternalId: null,
    payer: { name: null, account: null },
    bankReference: null,
  };
}

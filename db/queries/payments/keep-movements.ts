/**
 * Movements on a bank account, kept as a feed or a statement file tells them.
 *
 * Why it is safe to run twice: a movement is one row by account, source and the source's name of it. Told again with nothing
 * new it changes nothing; told otherwise, the row says what was told last, `version` counts the change, and what was decided
 * about it stays until the matching has looked. All of it is in the caller's transaction, under the account's lock, so that
 * two who tell the same movement at once, or a copy of it, come one after the other.
 */
import { and, asc, eq, inArray, isNull, or, type SQL, sql } from 'drizzle-orm';
import type { BankMovementStatus } from '../../../domain/payments/bank-movement.ts';
import type { BankSource } from '../../../domain/payments/bank-transaction.ts';
import {
  isOtherMoney,
  type KeptMovement,
  keepable,
  type Retold,
  retold,
  type ToldMovement,
} from '../../../domain/payments/retold-movement.ts';
import { lookForMatches } from '../../../workflows/payments/bank-matching.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { isOneOf } from '../../is-one-of.ts';
import { bankAccounts, bankTransactions } from '../../schema/banking.ts';
import { together } from '../../together.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { isNamed, payerOf } from './bank-movements.ts';
import { suspectCopies, withoutCopies } from './movement-copies.ts';

export type KeepMovementsInput = {
  tenantId: string;
  account: { id: string };
  source: BankSource;
  /** In any order. Of two with the same name the later one holds. */
  told: Iterable<ToldMovement> | AsyncIterable<ToldMovement>;
  /** The file they are from; null for a feed. */
  statementId: string | null;
  at: Date;
};

/** Movements that were told and said nothing new, that are new, that have changed; of both, those that may be copies. */
export type KeptCounts = { known: number; added: number; changed: number; suspectedCopies: number };

/** Reads as it writes: of what is told, no more than `MOVEMENTS_AT_ONCE` are held. The matching hears of it once. */
export async function keepMovements(tx: Tx, input: KeepMovementsInput): Promise<KeptCounts> {
  await lockAccount(tx, input.account.id);
  await planAnew(tx);
  const total: KeptCounts = { known: 0, added: 0, changed: 0, suspectedCopies: 0 };
  for await (const batch of batched(input.told, MOVEMENTS_AT_ONCE)) {
    const counts = await keepBatch(tx, input, batch);
    for (const name of countNames) total[name] += counts[name];
  }
  if (total.added + total.changed > 0) await signalMatching(tx, input.tenantId);
  return total;
}

export const MOVEMENTS_AT_ONCE = 1000;

const countNames = ['known', 'added', 'changed', 'suspectedCopies'] as const;

export type RemoveMovementsInput = {
  tenantId: string;
  account: { id: string };
  source: BankSource;
  externalIds: readonly string[];
  at: Date;
};

/**
 * Movements of which their source says that they never happened, or that came back under another name. Unknown ones and
 * those that are gone are passed over. What is matched keeps its status until the matching has taken it back.
 */
export async function removeMovements(tx: Tx, input: RemoveMovementsInput): Promise<{ removed: number }> {
  const { tenantId, account, source, externalIds, at } = input;
  if (externalIds.length === 0) return { removed: 0 };
  await lockAccount(tx, account.id);
  await lockChanging(tx, { account, source, externalIds });
  const removed = await markRemoved(tx, { account, source, externalIds, at, onlyPending: false });
  if (removed.length === 0) return { removed: 0 };
  const freshIds = await withoutCopies(tx, removed, ['copy_suspected', 'copy']);
  await suspectCopies(tx, { accountId: account.id, freshIds });
  await signalMatching(tx, tenantId);
  return { removed: removed.length };
}

function signalMatching(tx: Tx, tenantId: string): Promise<unknown> {
  return appendOutbox(tx, tenantId, [lookForMatches({ tenantId })]);
}

/** New rows of the account may refer to it meanwhile; nobody else tells movements of it. */
async function lockAccount(tx: Tx, accountId: string): Promise<void> {
  await tx
    .select({ id: bankAccounts.id })
    .from(bankAccounts)
    .where(eq(bankAccounts.id, accountId))
    .for('no key update');
}

/** A plan that was made when there were no movements yet would read all of them for each batch, once there are many. */
async function planAnew(tx: Tx): Promise<void> {
  await tx.execute(sql`set local plan_cache_mode = force_custom_plan`);
}

async function* batched<T>(all: Iterable<T> | AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const one of all) {
    batch.push(one);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function keepBatch(
  tx: Tx,
  { tenantId, account, source, statementId, at }: KeepMovementsInput,
  batch: readonly ToldMovement[],
): Promise<KeptCounts> {
  const told = [...new Map(batch.map((one) => [one.externalId, one])).values()];
  const names = told.map(({ externalId }) => externalId);
  const pending = told.map(({ pendingExternalId }) => pendingExternalId).filter((name) => name !== null);
  const [known, replaced] = await together([
    keptAmong(tx, isNamed(account.id, source, names)),
    replacedAmong(tx, account.id, source, told),
  ]);
  const changeOf = (row: KeptMovement, movement: ToldMovement) =>
    retold(row, movement, { isReplaced: replaced.has(movement.externalId) });
  const otherwise = told.filter((each) => {
    const row = known.get(each.externalId);
    return row !== undefined && changeOf(row, keepable(each, row)) !== null;
  });
  const changing = [...otherwise.map(({ externalId }) => externalId), ...pending];
  const kept = new Map([...known, ...(await lockChanging(tx, { account, source, externalIds: changing }))]);
  const added: MovementChange[] = [];
  const changed: (MovementChange & { isOtherMoney: boolean })[] = [];
  for (const each of told) {
    const row = kept.get(each.externalId);
    const movement = keepable(each, row);
    if (row === undefined) {
      added.push({ id: newId('btx'), movement, ...firstTold(movement, replaced.has(movement.externalId)) });
      continue;
    }
    const change = changeOf(row, movement);
    if (change === null) continue;
    changed.push({ id: row.id, movement, ...change, isOtherMoney: isOtherMoney(row, movement) });
  }
  await insertMovements(tx, added, { tenantId, accountId: account.id, source, statementId, at });
  await updateMovements(tx, changed, at);
  await markRemoved(tx, { account, source, externalIds: pending, at, onlyPending: true });

  const others = changed.filter((change) => change.isOtherMoney).map(({ id }) => id);
  const fresh = [...added, ...changed].filter(({ isFresh }) => isFresh).map(({ id }) => id);
  const orphans = await withoutCopies(tx, others, ['copy_suspected']);
  const suspected = await suspectCopies(tx, {
    accountId: account.id,
    freshIds: [...fresh, ...orphans],
    toldTogether: [...told.flatMap(({ externalId }) => kept.get(externalId) ?? []), ...added].map(
      ({ id }) => id,
    ),
  });
  return {
    known: told.length - added.length - changed.length,
    added: added.length,
    changed: changed.length,
    suspectedCopies: suspected,
  };
}

type MovementChange = Retold & { id: string; movement: ToldMovement };

function firstTold({ pending }: ToldMovement, isReplaced: boolean): Retold {
  if (pending) return { status: isReplaced ? 'removed' : 'pending', isFresh: false };
  return { status: 'new', isFresh: true };
}

type Kept = KeptMovement & { id: string };
type Named = { account: { id: string }; source: BankSource; externalIds: readonly string[] };

async function keptAmong(tx: Tx, which: SQL | undefined): Promise<Map<string, Kept>> {
  return byName(await tx.select(keptColumns).from(bankTransactions).where(which));
}

/**
 * Those that are about to change, locked with their copies in the order in which everybody locks movements (`match-locks.ts`).
 * Nobody waits for what is told as it is known, however long a file is read. The array lets the database look the copies up;
 * for a set it would read every movement there is.
 */
export async function lockChanging(
  tx: Tx,
  { account, source, externalIds }: Named,
): Promise<Map<string, Kept>> {
  if (externalIds.length === 0) return new Map();
  const { id, copyOfId } = bankTransactions;
  const isChanging = isNamed(account.id, source, externalIds);
  const originals = tx.select({ id }).from(bankTransactions).where(isChanging);
  const rows = await tx
    .select(keptColumns)
    .from(bankTransactions)
    .where(or(isChanging, sql`${copyOfId} = any(array(${originals}))`))
    .orderBy(asc(id))
    .for('update');
  return byName(rows.filter((row) => row.source === source));
}

const keptColumns = {
  id: bankTransactions.id,
  externalId: bankTransactions.externalId,
  source: bankTransactions.source,
  amountMinor: bankTransactions.amountMinor,
  currency: bankTransactions.currency,
  bookedOn: bankTransactions.bookedOn,
  authorisedOn: bankTransactions.authorisedOn,
  pending: bankTransactions.pending,
  pendingExternalId: bankTransactions.pendingExternalId,
  texts: bankTransactions.texts,
  payerName: bankTransactions.payerName,
  payerAccount: bankTransactions.payerAccount,
  bankReference: bankTransactions.bankReference,
  roundedFrom: bankTransactions.roundedFrom,
  status: bankTransactions.status,
  copyOfId: bankTransactions.copyOfId,
  copyJudgedAt: bankTransactions.copyJudgedAt,
  removedAt: bankTransactions.removedAt,
  erasedAt: bankTransactions.erasedAt,
};

type KeptRow = Omit<Kept, 'payer'> & { payerName: string | null; payerAccount: string | null };

function byName(rows: readonly KeptRow[]): Map<string, Kept> {
  return new Map(rows.map((row) => [row.externalId, { ...row, payer: payerOf(row) }]));
}

/** Names of pending movements whose booked ones are known already, or are told with them. */
async function replacedAmong(
  tx: Tx,
  accountId: string,
  source: BankSource,
  told: readonly ToldMovement[],
): Promise<Set<string>> {
  const pending = told.filter((movement) => movement.pending).map(({ externalId }) => externalId);
  if (pending.length === 0) return new Set();
  const rows = await tx
    .select({ name: bankTransactions.pendingExternalId })
    .from(bankTransactions)
    .where(
      and(
        eq(bankTransactions.accountId, accountId),
        eq(bankTransactions.source, source),
        isNull(bankTransactions.removedAt),
        isOneOf(bankTransactions.pendingExternalId, pending),
      ),
    );
  const names = [...rows.map(({ name }) => name), ...told.map(({ pendingExternalId }) => pendingExternalId)];
  return new Set(names.filter((name) => name !== null));
}

async function insertMovements(
  tx: Tx,
  added: readonly MovementChange[],
  {
    tenantId,
    accountId,
    source,
    statementId,
    at,
  }: { tenantId: string; accountId: string; source: BankSource; statementId: string | null; at: Date },
): Promise<void> {
  if (added.length === 0) return;
  await tx.execute(sql`
    insert into ${bankTransactions} (id, tenant_id, account_id, source, external_id, statement_id, status, removed_at,
      ${toldColumns})
    select id, ${tenantId}, ${accountId}, ${source}, external_id, ${statementId}, status,
      case when status = 'removed' then ${at}::timestamptz end, ${toldColumns}
    from ${recordsOf(added)}`);
}

async function updateMovements(tx: Tx, changed: readonly MovementChange[], at: Date): Promise<void> {
  if (changed.length === 0) return;
  await tx.execute(sql`
    update ${bankTransactions} kept set (${toldColumns}) = (select ${prefixed('told')}),
      status = told.status, version = kept.version + 1,
      removed_at = case when told.status = 'removed' then ${at}::timestamptz end,
      copy_of_id = case when told.is_fresh then null else kept.copy_of_id end,
      copy_judged_at = case when told.is_fresh then null else kept.copy_judged_at end
    from ${recordsOf(changed)} where kept.id = told.id`);
}

const told = [
  ['amount_minor', 'bigint'],
  ['currency', 'char(3)'],
  ['booked_on', 'date'],
  ['authorised_on', 'date'],
  ['pending', 'boolean'],
  ['pending_external_id', 'text'],
  ['texts', 'text[]'],
  ['payer_name', 'text'],
  ['payer_account', 'text'],
  ['bank_reference', 'text'],
  ['rounded_from', 'text'],
] as const;

const toldColumns = sql.raw(told.map(([name]) => name).join(', '));

function prefixed(table: string) {
  return sql.raw(told.map(([name]) => `${table}.${name}`).join(', '));
}

const recordShape = sql.raw(
  [['id', 'text'], ['external_id', 'text'], ['status', 'text'], ['is_fresh', 'boolean'], ...told]
    .map(([name, type]) => `${name} ${type}`)
    .join(', '),
);

/** As one parameter, however many they are. */
function recordsOf(changes: readonly MovementChange[]) {
  const records = changes.map(({ id, status, isFresh, movement }) => ({
    id,
    external_id: movement.externalId,
    status,
    is_fresh: isFresh,
    amount_minor: movement.amountMinor,
    currency: movement.currency,
    booked_on: movement.bookedOn,
    authorised_on: movement.authorisedOn,
    pending: movement.pending,
    pending_external_id: movement.pendingExternalId,
    texts: movement.texts,
    payer_name: movement.payer.name,
    payer_account: movement.payer.account,
    bank_reference: movement.bankReference,
    rounded_from: movement.roundedFrom ?? null,
  }));
  return sql`jsonb_to_recordset(${JSON.stringify(records)}::jsonb) as told(${recordShape})`;
}

/** Ids of those that are gone now. What rests on them is for the matching to take back. */
async function markRemoved(
  tx: Tx,
  { account, source, externalIds, at, onlyPending }: Named & { at: Date; onlyPending: boolean },
): Promise<string[]> {
  if (externalIds.length === 0) return [];
  const { status } = bankTransactions;
  const rows = await tx
    .update(bankTransactions)
    .set({
      removedAt: at,
      version: sql`${bankTransactions.version} + 1`,
      status: sql`case when ${inArray(status, [...acted])} then ${status} else 'removed' end`,
    })
    .where(
      and(
        isNamed(account.id, source, externalIds),
        isNull(bankTransactions.removedAt),
        onlyPending ? eq(bankTransactions.pending, true) : undefined,
      ),
    )
    .returning({ id: bankTransactions.id });
  return rows.map(({ id }) => id);
}

/** Something rests on them, or may: money that was booked, or a credit that was taken back. */
const acted: readonly BankMovementStatus[] = ['matched', 'partly_matched', 'reversed', 'ignored'];

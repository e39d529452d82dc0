/** Movements on bank accounts as the matching reads them: those that wait for it, and those that it is about to decide. */
import { and, asc, eq, gt, inArray, type SQL, sql } from 'drizzle-orm';
import type { BankSource, BankTransaction } from '../../../domain/payments/bank-transaction.ts';
import type { Tx } from '../../client.ts';
import { isOneOf } from '../../is-one-of.ts';
import { bankTransactions } from '../../schema/banking.ts';
import { notFound } from '../billing/subscriptions.ts';

export type BankMovementRow = typeof bankTransactions.$inferSelect;

export function movementOf(row: BankMovementRow): BankTransaction {
  const { externalId, amountMinor, currency, bookedOn, authorisedOn, pending } = row;
  const { pendingExternalId, texts, bankReference } = row;
  return {
    externalId,
    amountMinor,
    currency,
    bookedOn,
    authorisedOn,
    pending,
    pendingExternalId,
    texts,
    payer: payerOf(row),
    bankReference,
  };
}

export function payerOf({
  payerName,
  payerAccount,
}: Pick<BankMovementRow, 'payerName' | 'payerAccount'>): BankTransaction['payer'] {
  return { name: payerName, account: payerAccount };
}

/** Those that a source has told of an account under one of these names. */
export function isNamed(accountId: string, source: BankSource, names: readonly string[]): SQL | undefined {
  return and(
    eq(bankTransactions.accountId, accountId),
    eq(bankTransactions.source, source),
    isOneOf(bankTransactions.externalId, names),
  );
}

/** The first of those that wait, in the order in which they are decided (`inDecisionOrder`). */
export function waitingMovements(tx: Tx, limit: number): Promise<BankMovementRow[]> {
  const { isWaiting, bookedOn, amountMinor, externalId, id } = bankTransactions;
  return tx
    .select()
    .from(bankTransactions)
    .where(sql`${isWaiting}`)
    .orderBy(asc(bookedOn), sql`${amountMinor} < 0`, sql`${externalId} collate "C"`, asc(id))
    .limit(limit);
}

/** In the order of their ids, whatever their status. */
export function readMovementsAfter(
  tx: Tx,
  { after, limit }: { after: string; limit: number },
): Promise<BankMovementRow[]> {
  return tx
    .select()
    .from(bankTransactions)
    .where(gt(bankTransactions.id, after))
    .orderBy(asc(bankTransactions.id))
    .limit(limit);
}

/**
 * Locks movements, always in the order of their ids. Whoever also locks customers does that first. Those that do not exist are
 * left out.
 */
export function lockMovements(tx: Tx, ids: readonly string[]): Promise<BankMovementRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return tx
    .select()
    .from(bankTransactions)
    .where(inArray(bankTransactions.id, [...ids]))
    .orderBy(asc(bankTransactions.id))
    .for('update');
}

/** Throws `not_found`. */
export async function readMovement(tx: Tx, id: string): Promise<BankMovementRow> {
  const [row] = await tx.select().from(bankTransactions).where(eq(bankTransactions.id, id));
  if (row === undefined) throw notFound('bank transaction', id);
  return row;
}

/** As it is then. Throws `not_found`. */
export async function updateMovement(
  tx: Tx,
  id: string,
  set: Partial<Omit<BankMovementRow, 'isWaiting' | 'payerAccountKey' | 'bankReferenceKey'>>,
): Promise<BankMovementRow> {
  const [row] = await tx.update(bankTransactions).set(set).where(eq(bankTransactions.id, id)).returning();
  if (row === undefined) throw notFound('bank transaction', id);
  return row;
}

/**
 * They are decided as their sources tell them now. `status`: where they stand then; null for where they stood. `isToldAnew`:
 * operators hear of them as of new ones.
 */
export async function markDecided(
  tx: Tx,
  ids: readonly string[],
  status: BankMovementRow['status'] | null,
  { isToldAnew = false }: { isToldAnew?: boolean } = {},
): Promise<void> {
  if (ids.length === 0) return;
  await tx
    .update(bankTransactions)
    .set({
      decidedVersion: sql`${bankTransactions.version}`,
      ...(status !== null && { status }),
      ...(isToldAnew && { queuedAt: null }),
    })
    .where(isOneOf(bankTransactions.id, ids));
}

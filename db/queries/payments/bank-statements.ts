/**
 * Statement files that were read.
 *
 * Why it is safe to run twice: a file is known by the account and the hash of its bytes, and is read under the account's lock,
 * so that of two that come at once the second finds the first. Its movements are kept in the same transaction: a file is there
 * whole or not at all, and movements that another file has told already stay what they are. A CSV whose mapping was corrected
 * is read once more: each of its lines is the movement that it was before, under the name it has now.
 */
import { isDeepStrictEqual } from 'node:util';
import { and, count, desc, eq, lt } from 'drizzle-orm';
import { STATEMENT_READER } from '../../../domain/payments/bank-overlap.ts';
import type { BankSource } from '../../../domain/payments/bank-transaction.ts';
import type { ToldMovement } from '../../../domain/payments/retold-movement.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { bankStatements, bankTransactions } from '../../schema/banking.ts';
import { notFound } from '../billing/subscriptions.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import type { BankAccountRow } from './bank-accounts.ts';
import { keepMovements, removeMovements } from './keep-movements.ts';
import { type Renamed, renameMovements } from './rename-movements.ts';

export type BankStatementRow = typeof bankStatements.$inferSelect;

/** The file, if it was read before. Call under the account's lock. */
export async function findStatementFile(
  tx: Tx,
  { accountId, sha256 }: { accountId: string; sha256: string },
): Promise<BankStatementRow | null> {
  const [row] = await tx
    .select()
    .from(bankStatements)
    .where(and(eq(bankStatements.accountId, accountId), eq(bankStatements.sha256, sha256)));
  return row ?? null;
}

/** Whether it is a CSV, and the account has another mapping by now. */
export function isReadOtherwise(
  { source, csvMapping }: BankStatementRow,
  account: Pick<BankAccountRow, 'csvMapping'>,
): boolean {
  return (
    source === 'csv' && account.csvMapping !== null && !isDeepStrictEqual(csvMapping, account.csvMapping)
  );
}

type StatementToKeep = {
  account: BankAccountRow;
  movements: AsyncIterable<ToldMovement>;
  /** Once all are read: names of those that the file says never were, or are no more. */
  leftOut: () => readonly string[];
  /** Whether its balances have to add up; for the audit log. */
  balances: 'check' | 'ignore';
  actor: string;
  at: Date;
};

/** Keeps a file and all its movements, which are read as they are written. Call under the account's lock. */
export async function keepStatement(
  tx: Tx,
  { source, sha256, ...read }: StatementToKeep & { source: BankSource; sha256: string },
): Promise<BankStatementRow> {
  const { id: accountId, tenantId } = read.account;
  const none = { movements: 0, added: 0, suspectedCopies: 0 };
  const [row] = await tx
    .insert(bankStatements)
    .values({ id: newId('bst'), tenantId, accountId, sha256, source, actor: read.actor, ...none })
    .returning();
  if (row === undefined) throw new Error('A kept statement was not returned');
  return keepRead(tx, row, { ...read, isAgain: false });
}

/**
 * Keeps a CSV that was read before, as the mapping that the account has now reads it. `names`: from what the mapping before made
 * of each line to what this one makes of it, null for what is not booked any more; `now`: all names that it makes. Call under
 * the account's lock.
 */
export async function keepStatementAgain(
  tx: Tx,
  row: BankStatementRow,
  { names, now, ...read }: StatementToKeep & Renamed,
): Promise<BankStatementRow> {
  const { account, at } = read;
  const { tenantId } = account;
  const replaced = await renameMovements(tx, { account, statementId: row.id, names, now });
  await removeMovements(tx, { tenantId, account, source: row.source, externalIds: replaced, at });
  return keepRead(tx, row, { ...read, isAgain: true });
}

async function keepRead(
  tx: Tx,
  { id, source, ...before }: BankStatementRow,
  { account, movements, leftOut, balances, actor, at, isAgain }: StatementToKeep & { isAgain: boolean },
): Promise<BankStatementRow> {
  const { tenantId, id: accountId } = account;
  const csvMapping = source === 'csv' ? account.csvMapping : null;
  await tx
    .update(bankStatements)
    .set({ csvMapping, reader: STATEMENT_READER })
    .where(eq(bankStatements.id, id));
  const about = { tenantId, account, source, at };
  const kept = await keepMovements(tx, { ...about, told: movements, statementId: id });
  await removeMovements(tx, { ...about, externalIds: leftOut() });
  const { known, added, changed, suspectedCopies } = kept;
  const counts = {
    movements: known + added + changed,
    added: before.added + added,
    suspectedCopies: isAgain ? await countSuspected(tx, id) : suspectedCopies,
  };
  const [row] = await tx.update(bankStatements).set(counts).where(eq(bankStatements.id, id)).returning();
  if (row === undefined) throw new Error('A kept statement was not returned');
  await writeAudit(tx, {
    tenantId,
    actor,
    action: isAgain ? 'bank_statement.read_again' : 'bank_statement.read',
    entityType: 'bank_statement',
    entityId: id,
    details: { accountId, source, balances, ...counts },
    at,
  });
  return row;
}

/** One that was suspected before, and is again, is one. */
async function countSuspected(tx: Tx, statementId: string): Promise<number> {
  const [row] = await tx
    .select({ count: count(bankTransactions.copyOfId) })
    .from(bankTransactions)
    .where(eq(bankTransactions.statementId, statementId));
  return row?.count ?? 0;
}

/** Throws `not_found`. */
export async function readBankStatement(tx: Tx, statementId: string): Promise<BankStatementRow> {
  const [row] = await tx.select().from(bankStatements).where(eq(bankStatements.id, statementId));
  if (row === undefined) throw notFound('bank statement', statementId);
  return row;
}

/** Newest first. */
export function listBankStatements(
  tx: Tx,
  { accountId, cursor, limit }: { accountId: string | undefined; cursor: string | undefined; limit: number },
): Promise<BankStatementRow[]> {
  return tx
    .select()
    .from(bankStatements)
    .where(
      and(
        accountId === undefined ? undefined : eq(bankStatements.accountId, accountId),
        cursor === undefined ? undefined : lt(bankStatements.id, cursor),
      ),
    )
    .orderBy(desc(bankStatements.id))
    .limit(limit);
}

/**
 * Statement files that were read.
 *
 * Why it is safe to run twice: a file is known by the account and the hash of its bytes, a CSV also by the mapping it was
 * read with, and is read under the account's lock, so that of two that come at once the second finds the first. Its movements are kept in the same transaction: a file
 * is there whole or not at all, and movements that another file has told already stay what they are.
 */
import { and, desc, eq, isNull, lt, or } from 'drizzle-orm';
import type { BankSource } from '../../../domain/payments/bank-transaction.ts';
import type { ToldMovement } from '../../../domain/payments/retold-movement.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { bankStatements } from '../../schema/banking.ts';
import { notFound } from '../billing/subscriptions.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import type { BankAccountRow } from './bank-accounts.ts';
import { keepMovements } from './keep-movements.ts';

export type BankStatementRow = typeof bankStatements.$inferSelect;

/** The file, if it was read before, a CSV with the mapping that the account has now. Call under the account's lock. */
export async function findStatementFile(
  tx: Tx,
  { account: { id, csvMapping }, sha256 }: { account: BankAccountRow; sha256: string },
): Promise<BankStatementRow | null> {
  const asItIsReadNow =
    csvMapping === null
      ? undefined
      : or(isNull(bankStatements.csvMapping), eq(bankStatements.csvMapping, csvMapping));
  const [row] = await tx
    .select()
    .from(bankStatements)
    .where(and(eq(bankStatements.accountId, id), eq(bankStatements.sha256, sha256), asItIsReadNow))
    .orderBy(desc(bankStatements.id))
    .limit(1);
  return row ?? null;
}

/** Keeps a file and all its movements, which are read as they are written. Call under the account's lock. */
export async function keepStatement(
  tx: Tx,
  {
    account,
    source,
    sha256,
    movements,
    balances,
    actor,
    at,
  }: {
    account: BankAccountRow;
    source: BankSource;
    sha256: string;
    movements: AsyncIterable<ToldMovement>;
    /** Whether its balances have to add up; for the audit log. */
    balances: 'check' | 'ignore';
    actor: string;
    at: Date;
  },
): Promise<BankStatementRow> {
  const { tenantId, id: accountId } = account;
  const id = newId('bst');
  const none = { movements: 0, added: 0, suspectedCopies: 0 };
  const csvMapping = source === 'csv' ? account.csvMapping : null;
  await tx
    .insert(bankStatements)
    .values({ id, tenantId, accountId, sha256, source, csvMapping, actor, ...none });
  const { known, added, changed, suspectedCopies } = await keepMovements(tx, {
    tenantId,
    account,
    source,
    told: movements,
    statementId: id,
    at,
  });
  const counts = { movements: known + added + changed, added, suspectedCopies };
  const [row] = await tx.update(bankStatements).set(counts).where(eq(bankStatements.id, id)).returning();
  if (row === undefined) throw new Error('A kept statement was not returned');
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'bank_statement.read',
    entityType: 'bank_statement',
    entityId: id,
    details: { accountId, source, balances, ...counts },
    at,
  });
  return row;
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

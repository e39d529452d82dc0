/** The tenant's own accounts at banks whose movements are kept, by statement files or by a feed. */
import { asc, eq } from 'drizzle-orm';
import { endOf } from '../../../domain/payments/statement-account.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { bankAccounts } from '../../schema/banking.ts';
import { notFound } from '../billing/subscriptions.ts';
import { writeAudit } from '../tenants/audit-log.ts';

export type BankAccountRow = typeof bankAccounts.$inferSelect;

export type BankAccountFields = Partial<
  Pick<BankAccountRow, 'name' | 'isReceiving' | 'mask' | 'statementAccount' | 'csvMapping'>
>;

/** Throws a unique violation where an account that is in use has the same `statementAccount` in the same currency. */
export async function addBankAccount(
  tx: Tx,
  {
    tenantId,
    account,
    actor,
    at,
  }: {
    tenantId: string;
    account: BankAccountFields & Pick<BankAccountRow, 'name' | 'currency' | 'isReceiving'>;
    actor: string;
    at: Date;
  },
): Promise<BankAccountRow> {
  const id = newId('bac');
  const mask = account.mask ?? maskOf(account.statementAccount);
  const [row] = await tx
    .insert(bankAccounts)
    .values({ id, tenantId, ...account, mask })
    .returning();
  if (row === undefined) throw new Error('An added account was not returned');
  const { currency, isReceiving } = row;
  const details = { currency, isReceiving };
  await audit(tx, row, { action: 'bank_account.added', actor, details, at });
  return row;
}

/** What is not named stays. Throws `not_found`. */
export async function changeBankAccount(
  tx: Tx,
  {
    accountId,
    fields,
    isClosed,
    actor,
    at,
  }: {
    accountId: string;
    fields: BankAccountFields;
    isClosed: boolean | undefined;
    actor: string;
    at: Date;
  },
): Promise<BankAccountRow> {
  const account = await lockBankAccount(tx, accountId);
  const { statementAccount } = fields;
  // The feed's own is what the account is found again by.
  const hasFeeds = account.connectionId !== null && account.mask !== null;
  const ofNewNumber =
    statementAccount && fields.mask === undefined && !hasFeeds ? { mask: maskOf(statementAccount) } : {};
  const closing = isClosed === undefined ? {} : { closedAt: isClosed ? (account.closedAt ?? at) : null };
  const changes = { ...fields, ...ofNewNumber, ...closing };
  if (Object.keys(changes).length === 0) return account;
  const [row = account] = await tx
    .update(bankAccounts)
    .set(changes)
    .where(eq(bankAccounts.id, accountId))
    .returning();
  const details = { fields: Object.keys(changes) };
  await audit(tx, row, { action: 'bank_account.changed', actor, details, at });
  return row;
}

/** Until the end of the transaction nobody else keeps movements of it. Throws `not_found`. */
export async function lockBankAccount(tx: Tx, accountId: string): Promise<BankAccountRow> {
  const [row] = await tx
    .select()
    .from(bankAccounts)
    .where(eq(bankAccounts.id, accountId))
    .for('no key update');
  if (row === undefined) throw notFound('bank account', accountId);
  return row;
}

/** Throws `not_found`. */
export async function readBankAccount(tx: Tx, accountId: string): Promise<BankAccountRow> {
  const [row] = await tx.select().from(bankAccounts).where(eq(bankAccounts.id, accountId));
  if (row === undefined) throw notFound('bank account', accountId);
  return row;
}

/** All of the tenant's, the first one first. */
export function listBankAccounts(tx: Tx): Promise<BankAccountRow[]> {
  return tx.select().from(bankAccounts).orderBy(asc(bankAccounts.id));
}

function maskOf(statementAccount: string | null | undefined): string | null {
  return statementAccount ? endOf(statementAccount) : null;
}

function audit(
  tx: Tx,
  { id, tenantId }: BankAccountRow,
  entry: { action: string; actor: string; details: Record<string, unknown>; at: Date },
): Promise<void> {
  return writeAudit(tx, { ...entry, tenantId, entityType: 'bank_account', entityId: id });
}

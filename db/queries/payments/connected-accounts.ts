/**
 * The accounts behind a connection. An account is one row for good, whoever reads it: connected anew it moves to the newer
 * connection, and an account that was read from statement files so far is the same account. Otherwise what moves on it would
 * be kept twice, and a payment counted twice.
 *
 * Why it is safe to run twice: an account is found again by its name within the connection; only what is not there is made.
 */
import { and, desc, eq, inArray, ne } from 'drizzle-orm';
import type { FeedAccount, FeedConnection } from '../../../domain/payments/bank-feed.ts';
import { type KnownAccount, sameAccount } from '../../../domain/payments/connected-account.ts';
import { hasEnd, tellingEnd } from '../../../domain/payments/statement-account.ts';
import type { AccountNumbers } from '../../../domain/payments/transfer-configuration.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { bankConnections } from '../../schema/bank-connections.ts';
import { bankAccounts, bankDetails } from '../../schema/banking.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import type { BankAccountRow } from './bank-accounts.ts';
import { type BankConnectionRow, unlinkConnection } from './bank-connections.ts';

/** By the feed's names. */
export async function accountsOf(tx: Tx, connectionId: string): Promise<Map<string, BankAccountRow>> {
  const rows = await tx
    .select()
    .from(bankAccounts)
    .where(eq(bankAccounts.connectionId, connectionId))
    .orderBy(bankAccounts.id);
  return new Map(rows.map((row) => [row.externalId ?? '', row]));
}

/** Of several connections, by their ids; one without accounts has no entry. */
export async function accountsByConnection(
  tx: Tx,
  connectionIds: readonly string[],
): Promise<Map<string, BankAccountRow[]>> {
  if (connectionIds.length === 0) return new Map();
  const rows = await tx
    .select()
    .from(bankAccounts)
    .where(inArray(bankAccounts.connectionId, [...connectionIds]))
    .orderBy(bankAccounts.id);
  return Map.groupBy(rows, ({ connectionId }) => connectionId ?? '');
}

/** Names of those that `keepAccounts` will have this connection read, and that it does not read yet. */
export async function accountsToGain(
  tx: Tx,
  { id }: Pick<BankConnectionRow, 'id'>,
  {
    item: { institutionId },
    accounts,
  }: { item: Pick<FeedConnection, 'institutionId'>; accounts: readonly FeedAccount[] },
): Promise<Set<string>> {
  const known = await knownAccounts(tx);
  const gained = accounts.filter((told) => {
    if (told.currency === null) return false;
    const found = sameAccount(told, { connection: { id, institutionId }, known, accounts });
    return found === null || found.readBy === 'older' || found.readBy === 'nobody';
  });
  return new Set(gained.map(({ externalId }) => externalId));
}

/**
 * Keeps the accounts that the feed names; those in a currency that we keep no amounts in are left out. Returns the names of
 * those that a newer connection reads. Call it under `lockBanks`.
 */
export async function keepAccounts(
  tx: Tx,
  connection: BankConnectionRow,
  { accounts, at }: { accounts: readonly FeedAccount[]; at: Date },
): Promise<{ elsewhere: ReadonlySet<string> }> {
  const elsewhere = new Set<string>();
  const left = new Set<string>();
  for (const told of accounts) {
    if (told.currency === null) continue;
    const { id, institutionId } = connection;
    const known = await knownAccounts(tx);
    const found = sameAccount(told, { connection: { id, institutionId }, known, accounts });
    if (found === null) await addAccount(tx, connection, { told, currency: told.currency, at });
    else if (found.readBy === 'newer') elsewhere.add(told.externalId);
    else {
      const before = await moveAccount(tx, connection, { told, accountId: found.accountId, at });
      if (before !== null) left.add(before);
    }
  }
  for (const connectionId of left) await unlinkEmpty(tx, connectionId, at);
  return { elsewhere };
}

async function knownAccounts(tx: Tx): Promise<KnownAccount[]> {
  const rows = await tx
    .select({ account: bankAccounts, connection: bankConnections })
    .from(bankAccounts)
    .leftJoin(bankConnections, eq(bankConnections.id, bankAccounts.connectionId))
    .orderBy(bankAccounts.id);
  return rows.map(({ account, connection }) => ({
    id: account.id,
    name: account.name,
    currency: account.currency,
    mask: account.mask,
    statementAccount: account.statementAccount,
    externalId: account.externalId,
    persistentId: account.persistentId,
    isClosed: account.closedAt !== null,
    connection: connection && {
      id: connection.id,
      institutionId: connection.institutionId,
      isRead: connection.status === 'active' || connection.status === 'needs_reauth',
    },
  }));
}

async function addAccount(
  tx: Tx,
  { id: connectionId, tenantId, actor }: BankConnectionRow,
  { told, currency, at }: { told: FeedAccount; currency: string; at: Date },
): Promise<void> {
  const id = newId('bac');
  const { name, mask, externalId, persistentId } = told;
  const isReceiving = await isToldToCustomers(tx, { mask, currency });
  const row = { id, tenantId, name, currency, isReceiving, mask, connectionId, externalId, persistentId };
  await tx.insert(bankAccounts).values(row);
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'bank_account.added',
    entityType: 'bank_account',
    entityId: id,
    details: { connectionId, isReceiving },
    at,
  });
}

/** Returns the connection that has read it until now, if another one has. */
async function moveAccount(
  tx: Tx,
  { id: connectionId, tenantId, actor }: BankConnectionRow,
  { told, accountId, at }: { told: FeedAccount; accountId: string; at: Date },
): Promise<string | null> {
  const [before] = await tx.select().from(bankAccounts).where(eq(bankAccounts.id, accountId)).for('update');
  if (before === undefined) throw new Error('An account that was found is gone');
  await tx
    .update(bankAccounts)
    .set({
      connectionId,
      externalId: told.externalId,
      persistentId: told.persistentId ?? before.persistentId,
      mask: told.mask ?? before.mask,
    })
    .where(eq(bankAccounts.id, accountId));
  if (before.connectionId === connectionId) return null;
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'bank_account.connected',
    entityType: 'bank_account',
    entityId: accountId,
    details: { connectionId, before: before.connectionId },
    at,
  });
  return before.connectionId;
}

/** A connection whose accounts are all read by others is read for nothing. */
async function unlinkEmpty(tx: Tx, connectionId: string, at: Date): Promise<void> {
  const [account] = await tx
    .select({ id: bankAccounts.id })
    .from(bankAccounts)
    .where(eq(bankAccounts.connectionId, connectionId))
    .limit(1);
  if (account !== undefined) return;
  const [left] = await tx
    .select({ id: bankConnections.id })
    .from(bankConnections)
    .where(and(eq(bankConnections.id, connectionId), ne(bankConnections.status, 'unlinked')));
  if (left === undefined) return;
  await unlinkConnection(tx, {
    connectionId,
    actor: 'system',
    reason: 'another connection reads its accounts',
    at,
  });
}

/** Customers are told to pay to an account with these last digits. */
async function isToldToCustomers(
  tx: Tx,
  { mask, currency }: { mask: string | null; currency: string },
): Promise<boolean> {
  if (tellingEnd(mask) === null) return false;
  const [details] = await tx
    .select({ configuration: bankDetails.configuration })
    .from(bankDetails)
    .orderBy(desc(bankDetails.version))
    .limit(1);
  const accounts = details?.configuration.accounts ?? [];
  return accounts.some(
    (account) =>
      account.currency === currency && numbersOf(account.numbers).some((number) => hasEnd(number, mask)),
  );
}

function numbersOf(numbers: AccountNumbers): string[] {
  if (numbers.scheme === 'iban') return [numbers.iban];
  const { accountNumber } = numbers;
  return numbers.scheme === 'uk' && numbers.iban !== null ? [accountNumber, numbers.iban] : [accountNumber];
}

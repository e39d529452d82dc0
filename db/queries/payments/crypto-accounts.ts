/**
 * The tenant's accounts from which addresses are derived: public keys only. An address is the account and an index; which
 * index comes next stands in the account's row.
 *
 * Why it is safe to run twice: an index is taken by one statement that raises the counter and returns what it was, so two
 * callers never have the same one. One whose transaction fails afterwards is free again, and nobody has seen it. A key is
 * unique across all tenants and for ever: an account that comes back goes on where it was.
 */
import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import type { AccountKey } from '../../../domain/payments/crypto-account.ts';
import type { ChainFamily } from '../../../domain/payments/crypto-chain.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { cryptoAccounts, cryptoInvoices, cryptoPayments } from '../../schema/crypto.ts';
import { notFound } from '../billing/subscriptions.ts';
import { writeAudit } from '../tenants/audit-log.ts';

export type CryptoAccountRow = typeof cryptoAccounts.$inferSelect;

/** How an account's addresses are used, as the owner's wallet has to search for them. */
export type AccountUse = {
  account: CryptoAccountRow;
  /** Of the last address that was handed out; null before the first. */
  maxIndex: number | null;
  /** How many of the last addresses, one after the other, nothing was paid to. */
  unpaidRun: number;
  /** The longest such run anywhere: a wallet must search on for more than that. */
  longestUnpaidRun: number;
};

/**
 * The tenant's account of the key's family: a new one, the same once more, or one that had been retired. Throws
 * `state_conflict` with the reasons `crypto_account_current` (another key is in use) and `crypto_key_taken` (somebody else
 * has it: one of the two would be paid for the other).
 */
export async function addCryptoAccount(
  tx: Tx,
  { tenantId, key, actor, at }: { tenantId: string; key: AccountKey; actor: string; at: Date },
): Promise<{ account: CryptoAccountRow; isNew: boolean }> {
  const { family, network, publicKey, fingerprint } = key;
  const known = await sameKey(tx, key);
  if (known !== undefined && known.retiredAt === null) return { account: known, isNew: false };
  const current = await findCurrentAccount(tx, family);
  if (current !== null) {
    throw stateConflict(
      'crypto_account_current',
      `Another account is in use (${current.id}); retire it first. What is paid to its addresses is found all the same.`,
    );
  }
  const [account] =
    known === undefined
      ? await tx
          .insert(cryptoAccounts)
          .values({ id: newId('cacc'), tenantId, family, network, publicKey, fingerprint })
          .onConflictDoNothing()
          .returning()
      : await tx
          .update(cryptoAccounts)
          .set({ retiredAt: null })
          .where(eq(cryptoAccounts.id, known.id))
          .returning();
  if (account === undefined) {
    // Of two requests at the same moment one has made it.
    const made = await sameKey(tx, key);
    if (made !== undefined) return { account: made, isNew: false };
    throw stateConflict(
      'crypto_key_taken',
      'This key is in use already; give the key of an account of its own.',
    );
  }
  await audit(tx, account, { action: 'crypto_account.added', actor, at });
  return { account, isNew: true };
}

/** No address of it is handed out any more; those that were stay watched. Throws `not_found`. */
export async function retireCryptoAccount(
  tx: Tx,
  { accountId, actor, at }: { accountId: string; actor: string; at: Date },
): Promise<CryptoAccountRow> {
  const [retired] = await tx
    .update(cryptoAccounts)
    .set({ retiredAt: at })
    .where(and(eq(cryptoAccounts.id, accountId), isNull(cryptoAccounts.retiredAt)))
    .returning();
  if (retired !== undefined) {
    await audit(tx, retired, { action: 'crypto_account.retired', actor, at });
    return retired;
  }
  const [known] = await tx.select().from(cryptoAccounts).where(eq(cryptoAccounts.id, accountId));
  if (known === undefined) throw notFound('crypto account', accountId);
  return known;
}

/** Takes the next index of the account in use; null where there is none. */
export async function takeAddress(
  tx: Tx,
  { tenantId, family }: { tenantId: string; family: ChainFamily },
): Promise<{ account: CryptoAccountRow; index: number } | null> {
  const [account] = await tx
    .update(cryptoAccounts)
    .set({ nextIndex: sql`${cryptoAccounts.nextIndex} + 1` })
    .where(
      and(
        eq(cryptoAccounts.tenantId, tenantId),
        eq(cryptoAccounts.family, family),
        isNull(cryptoAccounts.retiredAt),
      ),
    )
    .returning();
  return account === undefined ? null : { account, index: account.nextIndex - 1 };
}

async function findCurrentAccount(tx: Tx, family: ChainFamily): Promise<CryptoAccountRow | null> {
  const [row] = await tx
    .select()
    .from(cryptoAccounts)
    .where(and(eq(cryptoAccounts.family, family), isNull(cryptoAccounts.retiredAt)));
  return row ?? null;
}

/** All of the tenant's, the first one first. */
export async function listAccountUse(tx: Tx): Promise<AccountUse[]> {
  const accounts = await tx.select().from(cryptoAccounts).orderBy(asc(cryptoAccounts.id));
  const uses: AccountUse[] = [];
  for (const account of accounts) uses.push(await useOf(tx, account));
  return uses;
}

export async function useOf(tx: Tx, account: CryptoAccountRow): Promise<AccountUse> {
  const paid = tx
    .selectDistinct({ index: cryptoInvoices.addressIndex })
    .from(cryptoInvoices)
    .innerJoin(cryptoPayments, eq(cryptoPayments.cryptoInvoiceId, cryptoInvoices.id))
    .where(eq(cryptoInvoices.accountId, account.id))
    .as('paid');
  const runs = tx
    .select({
      index: paid.index,
      run: sql<number>`${paid.index} - lag(${paid.index}, 1, -1) over (order by ${paid.index}) - 1`.as('run'),
    })
    .from(paid)
    .as('runs');
  const [found] = await tx
    .select({
      lastPaid: sql<number>`coalesce(max(${runs.index}), -1)`.mapWith(Number),
      longest: sql<number>`coalesce(max(${runs.run}), 0)`.mapWith(Number),
    })
    .from(runs);
  const unpaidRun = account.nextIndex - 1 - (found?.lastPaid ?? -1);
  return {
    account,
    maxIndex: account.nextIndex === 0 ? null : account.nextIndex - 1,
    unpaidRun,
    longestUnpaidRun: Math.max(unpaidRun, found?.longest ?? 0),
  };
}

async function sameKey(
  tx: Tx,
  { family, network, fingerprint }: AccountKey,
): Promise<CryptoAccountRow | undefined> {
  const [row] = await tx
    .select()
    .from(cryptoAccounts)
    .where(
      and(
        eq(cryptoAccounts.family, family),
        eq(cryptoAccounts.network, network),
        eq(cryptoAccounts.fingerprint, fingerprint),
      ),
    );
  return row;
}

function audit(
  tx: Tx,
  { id, tenantId, family, network }: CryptoAccountRow,
  entry: { action: string; actor: string; at: Date },
): Promise<void> {
  const details = { family, network };
  return writeAudit(tx, { ...entry, tenantId, entityType: 'crypto_account', entityId: id, details });
}

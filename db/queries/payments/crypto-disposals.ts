/**
 * Coins that left a wallet, and the lots they came out of.
 *
 * Why it is safe to run twice: a disposal is unique by its reference, and the lots it takes from are locked while it does;
 * all of it is one transaction, so that two disposals at once never use the same coins.
 */
import { and, asc, eq, gt, inArray } from 'drizzle-orm';
import { DomainError } from '../../../domain/errors.ts';
import { type CryptoAsset, formatCoins } from '../../../domain/payments/crypto-asset.ts';
import { dispose, type LotMethod, type LotPart } from '../../../domain/payments/crypto-lot.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { cryptoAccounts } from '../../schema/crypto.ts';
import { cryptoDisposalParts, cryptoDisposals, cryptoLots } from '../../schema/crypto-lots.ts';

export type CryptoDisposalRow = typeof cryptoDisposals.$inferSelect;
export type DisposedCoins = CryptoDisposalRow & { parts: LotPart[] };

export type NewDisposal = {
  tenantId: string;
  accountId: string;
  asset: CryptoAsset;
  units: bigint;
  /** Cents of US dollars, fees taken off. */
  proceedsMinor: number;
  method: LotMethod;
  lotIds: readonly string[];
  reference: string;
  at: Date;
};

/**
 * Throws `not_found` for the account, and `state_conflict` with the reasons `lots_insufficient`, `lot_unknown` and
 * `reference_already_booked`. Nothing is written then.
 */
export async function recordDisposal(tx: Tx, disposal: NewDisposal): Promise<DisposedCoins> {
  const { tenantId, accountId, asset, units, proceedsMinor, method, lotIds, reference, at } = disposal;
  await lockAccount(tx, accountId);
  const lots = await lockLots(tx, { accountId, asset });
  const parts = dispose(lots, { units, proceedsMinor, at: at.toISOString() }, { method, lotIds });
  if (!Array.isArray(parts)) throw refusal(parts, disposal);
  const row = await insertDisposal(tx, {
    id: newId('cdis'),
    tenantId,
    accountId,
    asset,
    units,
    proceedsMinor,
    method,
    reference,
    disposedAt: at,
  });
  const rows = parts.map(({ lotId, units: taken, costMinor, proceedsMinor: got, isLongTerm }, position) => ({
    id: newId('cdp'),
    tenantId,
    disposalId: row.id,
    position,
    lotId,
    units: taken,
    costMinor,
    proceedsMinor: got,
    isLongTerm,
  }));
  await tx.insert(cryptoDisposalParts).values(rows);
  for (const { lotId, units: taken } of parts) {
    const lot = lots.find(({ id }) => id === lotId);
    if (lot === undefined)
      throw new Error(`The disposal takes from lot ${lotId}, which is none of the wallet's`);
    await tx
      .update(cryptoLots)
      .set({ remainingUnits: lot.remainingUnits - taken })
      .where(eq(cryptoLots.id, lotId));
  }
  return { ...row, parts };
}

/** In the order they were recorded. */
export async function listDisposals(
  tx: Tx,
  { cursor, limit }: { cursor: string | undefined; limit: number },
): Promise<DisposedCoins[]> {
  const rows = await tx
    .select()
    .from(cryptoDisposals)
    .where(cursor === undefined ? undefined : gt(cryptoDisposals.id, cursor))
    .orderBy(asc(cryptoDisposals.id))
    .limit(limit);
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const parts = await tx
    .select({ part: cryptoDisposalParts, acquiredAt: cryptoLots.acquiredAt })
    .from(cryptoDisposalParts)
    .innerJoin(cryptoLots, eq(cryptoLots.id, cryptoDisposalParts.lotId))
    .where(inArray(cryptoDisposalParts.disposalId, ids))
    .orderBy(asc(cryptoDisposalParts.disposalId), asc(cryptoDisposalParts.position));
  return rows.map((row) => ({
    ...row,
    parts: parts
      .filter(({ part }) => part.disposalId === row.id)
      .map(({ part: { lotId, units, costMinor, proceedsMinor, isLongTerm }, acquiredAt }) => ({
        lotId,
        acquiredAt: acquiredAt.toISOString(),
        units,
        costMinor,
        proceedsMinor,
        gainMinor: proceedsMinor - costMinor,
        isLongTerm,
      })),
  }));
}

async function lockAccount(tx: Tx, accountId: string): Promise<void> {
  const [account] = await tx
    .select({ id: cryptoAccounts.id })
    .from(cryptoAccounts)
    .where(eq(cryptoAccounts.id, accountId))
    .for('update');
  if (account === undefined) {
    throw new DomainError({
      code: 'not_found',
      reason: 'crypto_account',
      message: `There is no account ${accountId}. GET /v1/crypto_accounts lists yours.`,
    });
  }
}

async function lockLots(tx: Tx, { accountId, asset }: { accountId: string; asset: CryptoAsset }) {
  const rows = await tx
    .select()
    .from(cryptoLots)
    .where(
      and(
        eq(cryptoLots.accountId, accountId),
        eq(cryptoLots.asset, asset),
        gt(cryptoLots.remainingUnits, 0n),
      ),
    )
    .orderBy(asc(cryptoLots.id))
    .for('update');
  return rows.map((row) => ({ ...row, acquiredAt: row.acquiredAt.toISOString() }));
}

async function insertDisposal(tx: Tx, row: typeof cryptoDisposals.$inferInsert): Promise<CryptoDisposalRow> {
  const [inserted] = await tx.insert(cryptoDisposals).values(row).onConflictDoNothing().returning();
  if (inserted === undefined) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'reference_already_booked',
      message: `The reference ${row.reference} stands for another disposal. Use one of its own for each, such as the order's number at the exchange.`,
    });
  }
  return inserted;
}

function refusal(
  refused: Exclude<ReturnType<typeof dispose>, LotPart[]>,
  { asset, method }: NewDisposal,
): DomainError {
  if (refused.refused === 'lot_unknown') {
    return new DomainError({
      code: 'state_conflict',
      reason: 'lot_unknown',
      message: `Lot ${refused.lotId} has no ${asset} left in this account, or came after the disposal. GET /v1/crypto_lots lists what is there.`,
    });
  }
  const among = method === 'specific' ? 'in the lots that you name' : 'in this account on that day';
  return new DomainError({
    code: 'state_conflict',
    reason: 'lots_insufficient',
    message: `Only ${formatCoins(refused.availableUnits, asset)} are left ${among}.`,
  });
}

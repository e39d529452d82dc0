/**
 * Lots of coins, one for each payment that was confirmed.
 *
 * Why it is safe to run twice: a payment has one lot, whoever records it and how often; one that the chain took back is empty
 * from then on. Both happen in the transaction that decides the payment.
 */
import { and, asc, eq, gt, isNull, or, sql } from 'drizzle-orm';
import { type CryptoAsset, unitsPerCoin } from '../../../domain/payments/crypto-asset.ts';
import type { ChainName } from '../../../domain/payments/crypto-chain.ts';
import { fraction, rounded, times } from '../../../domain/reporting/fraction.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { cryptoLots } from '../../schema/crypto-lots.ts';

export type CryptoLotRow = typeof cryptoLots.$inferSelect;

export type ReceivedCoins = {
  tenantId: string;
  accountId: string;
  cryptoInvoiceId: string;
  chain: ChainName;
  paymentKey: string;
  txid: string;
  asset: CryptoAsset;
  units: bigint;
  acquiredAt: Date;
  /** US dollars for one whole coin, an exact decimal. */
  rate: string;
  rateSource: string;
};

/** Adds the lot of a confirmed payment, once. One that was reversed before, and came back, is whole again. */
export async function recordLot(tx: Tx, coins: ReceivedCoins): Promise<void> {
  await tx
    .insert(cryptoLots)
    .values({ id: newId('clot'), ...coins, remainingUnits: coins.units, costMinor: dollarsFor(coins) })
    .onConflictDoUpdate({
      target: [cryptoLots.chain, cryptoLots.paymentKey],
      set: { remainingUnits: sql`${cryptoLots.units}`, reversedAt: null },
      setWhere: sql`${cryptoLots.reversedAt} is not null`,
    });
}

/** Empties the lot of a payment that the chain took back. */
export async function reverseLot(
  tx: Tx,
  { chain, paymentKey, at }: { chain: ChainName; paymentKey: string; at: Date },
): Promise<void> {
  await tx
    .update(cryptoLots)
    .set({ remainingUnits: 0n, reversedAt: at })
    .where(
      and(eq(cryptoLots.chain, chain), eq(cryptoLots.paymentKey, paymentKey), isNull(cryptoLots.reversedAt)),
    );
}

/** Oldest first; of one wallet or asset where they are named. */
export function listLots(
  tx: Tx,
  {
    accountId,
    asset,
    after,
    limit,
  }: {
    accountId: string | undefined;
    asset: CryptoAsset | undefined;
    after: { at: string; id: string } | undefined;
    limit: number;
  },
): Promise<CryptoLotRow[]> {
  return tx
    .select()
    .from(cryptoLots)
    .where(
      and(
        accountId === undefined ? undefined : eq(cryptoLots.accountId, accountId),
        asset === undefined ? undefined : eq(cryptoLots.asset, asset),
        after === undefined
          ? undefined
          : or(
              gt(cryptoLots.acquiredAt, new Date(after.at)),
              and(eq(cryptoLots.acquiredAt, new Date(after.at)), gt(cryptoLots.id, after.id)),
            ),
      ),
    )
    .orderBy(asc(cryptoLots.acquiredAt), asc(cryptoLots.id))
    .limit(limit);
}

function dollarsFor({ units, asset, rate }: Pick<ReceivedCoins, 'units' | 'asset' | 'rate'>): number {
  const [whole = '', behind = ''] = rate.split('.');
  const price = fraction(BigInt(whole + behind), 10n ** BigInt(behind.length));
  return rounded(times(times(price, fraction(units, unitsPerCoin(asset))), CENTS));
}

/** Of a dollar. */
const CENTS = fraction(10n ** 2n);

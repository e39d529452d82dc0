/**
 * Keeps the last word of each price source.
 *
 * Why it is safe to run twice: a price is kept by its source, asset and currency, and an older one never takes the place of a
 * newer one; whoever fetches at the same time writes the same.
 */
import { max, sql } from 'drizzle-orm';
import type { CryptoPrice } from '../../../domain/payments/price-source.ts';
import { type Database, withSystem } from '../../client.ts';
import { cryptoPrices } from '../../schema/crypto.ts';

export async function savePrices(
  db: Database,
  { prices, at }: { prices: readonly CryptoPrice[]; at: Date },
): Promise<void> {
  if (prices.length === 0) return;
  const rows = prices.map((price) => ({ ...price, at: new Date(price.at), fetchedAt: at }));
  const excluded = (name: string) => sql.raw(`excluded.${name}`);
  await withSystem(db, (tx) =>
    tx
      .insert(cryptoPrices)
      .values(rows)
      .onConflictDoUpdate({
        target: [cryptoPrices.source, cryptoPrices.asset, cryptoPrices.currency],
        set: {
          rate: excluded('rate'),
          side: excluded('side'),
          at: excluded('at'),
          fetchedAt: excluded('fetched_at'),
        },
        setWhere: sql`${cryptoPrices.at} <= excluded.at`,
      }),
  );
}

/** When prices were fetched last, by whichever process; null before the first time. */
export function pricesFetchedAt(db: Database): Promise<Date | null> {
  return withSystem(db, async (tx) => {
    const [row] = await tx.select({ at: max(cryptoPrices.fetchedAt) }).from(cryptoPrices);
    return row?.at ?? null;
  });
}

/**
 * Keeps the prices of coins fresh: one fetch for all invoices, by whichever process finds that it is due. No workflow takes part,
 * because each of its steps would cost more than the look is worth.
 *
 * Why it is safe to run twice: it only remembers what was published, and an older price takes no newer one's place. Two
 * processes that look at the same moment ask twice, which the sources allow for.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '../../config/logger.ts';
import type { Database } from '../../db/client.ts';
import { pricesFetchedAt, savePrices } from '../../db/queries/payments/crypto-prices.ts';
import { cryptoAssets } from '../../domain/payments/crypto-asset.ts';
import type { PriceFeed, PriceRefresh } from './crypto-prices.ts';

/** Each currency costs a request for each asset at some sources; an invoice in another one is not offered in coins. */
export const quotedCurrencies = ['USD', 'EUR', 'GBP'] as const;

/** Fetches once and keeps what came. Throws only where the database cannot be reached. */
export async function refreshPrices(db: Database, feed: PriceFeed, at = new Date()): Promise<PriceRefresh> {
  const refreshed = await feed.refresh({ assets: cryptoAssets, currencies: quotedCurrencies });
  await savePrices(db, { prices: refreshed.prices, at });
  return refreshed;
}

/** Looks until `signal`; no failure ends it. A rate may be five minutes old, so that several looks may fail. */
export async function keepPrices({
  db,
  feed,
  log,
  signal,
  everyMs = EVERY_MS,
}: {
  db: Database;
  feed: PriceFeed;
  log: Logger;
  signal: AbortSignal;
  everyMs?: number;
}): Promise<void> {
  while (!signal.aborted) {
    try {
      const last = await pricesFetchedAt(db);
      if (last === null || Date.now() - last.getTime() >= everyMs) await refreshPrices(db, feed);
    } catch (err) {
      log.warn({ err }, 'the prices of coins were not kept; the next look is soon');
    }
    await wait(everyMs, undefined, { signal }).catch(() => {});
  }
}

const EVERY_MS = 30_000;

/**
 * Bids by Kraken, all pairs in one question. Without a key, and read only. A pair that Kraken does not have makes it refuse the
 * whole question; then each is asked for alone, one after the other, and the unknown ones are not asked for again for an hour.
 */
import { VendorError } from '../../domain/errors.ts';
import type { CryptoPrice, PriceSource } from '../../domain/payments/price-source.ts';
import {
  askForPrices,
  PRICE_TIMEOUT_MS,
  type PriceConnection,
  refusedPrices,
  unreadablePrices,
} from '../market-prices/ask.ts';
import {
  isRateLimit,
  isUnknownPair,
  KRAKEN,
  type KrakenAnswer,
  type KrakenPair,
  pairCode,
  throttledForMs,
  toKrakenPrices,
} from './transform.ts';

const vendor = 'Kraken';
const UNKNOWN_FOR_MS = 3_600_000;

export function createKrakenPrices({
  baseUrl,
  timeoutMs = PRICE_TIMEOUT_MS,
  clock = () => new Date(),
}: PriceConnection): PriceSource {
  const unknownUntil = new Map<string, number>();
  const isKnown = (pair: KrakenPair) => clock().getTime() >= (unknownUntil.get(pairCode(pair)) ?? 0);

  /** Null where one of the pairs is unknown. */
  const ask = async (pairs: readonly KrakenPair[], signal: AbortSignal): Promise<CryptoPrice[] | null> => {
    const url = `${baseUrl}/0/public/Ticker?pair=${pairs.map(pairCode).join(',')}`;
    const response = await askForPrices({ vendor, url, signal });
    if (!response.ok) throw refusedPrices(vendor, response, clock());
    let found: KrakenAnswer;
    try {
      found = toKrakenPrices(response.text, pairs, clock());
    } catch (cause) {
      throw unreadablePrices(vendor, cause);
    }
    if ('prices' in found) return found.prices;
    if (isUnknownPair(found.errors)) return null;
    const retryAfterMs = throttledForMs(found.errors, clock());
    throw new VendorError({
      code: isRateLimit(found.errors) ? 'rate_limited' : 'vendor_unavailable',
      message: `${vendor}: ${found.errors.join(', ')}`,
      ...(retryAfterMs !== null && { retryAfterMs }),
    });
  };

  return {
    name: KRAKEN,
    async prices({ assets, currencies }) {
      const signal = AbortSignal.timeout(timeoutMs);
      const pairs = assets.flatMap((asset) => currencies.map((currency) => ({ asset, currency })));
      const known = pairs.filter(isKnown);
      if (known.length === 0) return [];
      const together = await ask(known, signal);
      if (together) return together;

      const found: CryptoPrice[] = [];
      for (const pair of known) {
        const alone = known.length === 1 ? null : await ask([pair], signal);
        if (alone) found.push(...alone);
        else unknownUntil.set(pairCode(pair), clock().getTime() + UNKNOWN_FOR_MS);
      }
      return found;
    },
  };
}

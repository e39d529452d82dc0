/** Spot prices by Coinbase, one pair a question, all at once. Without a key, and read only. */
import type { PriceSource } from '../../domain/payments/price-source.ts';
import {
  askForPrices,
  PRICE_TIMEOUT_MS,
  type PriceConnection,
  refusedPrices,
  unreadablePrices,
} from '../market-prices/ask.ts';
import { COINBASE, type CoinbasePair, pathOf, toCoinbasePrice } from './transform.ts';

const vendor = 'Coinbase';

/** A pair that fails fails the look: what is wrong with one is wrong with all. A pair that Coinbase does not have is left out. */
export function createCoinbasePrices({
  baseUrl,
  timeoutMs = PRICE_TIMEOUT_MS,
  clock = () => new Date(),
}: PriceConnection): PriceSource {
  const priceOf = async (pair: CoinbasePair, signal: AbortSignal) => {
    const answer = await askForPrices({ vendor, url: baseUrl + pathOf(pair), signal });
    if (answer.status === NOT_FOUND || answer.status === BAD_REQUEST) return null;
    if (!answer.ok) throw refusedPrices(vendor, answer, clock());
    try {
      return toCoinbasePrice(answer.text, pair, clock());
    } catch (cause) {
      throw unreadablePrices(vendor, cause);
    }
  };
  return {
    name: COINBASE,
    async prices({ assets, currencies }) {
      const signal = AbortSignal.timeout(timeoutMs);
      const pairs = assets.flatMap((asset) => currencies.map((currency) => ({ asset, currency })));
      // All are waited for, so that none is still under way when the next look begins.
      const results = await Promise.allSettled(pairs.map((pair) => priceOf(pair, signal)));
      const failure = results.find((result) => result.status === 'rejected');
      if (failure) throw failure.reason;
      return results.flatMap((result) => (result.status === 'fulfilled' ? (result.value ?? []) : []));
    },
  };
}

/** A currency or a coin that it does not know, and a pair that it does not trade. */
const NOT_FOUND = 404;
const BAD_REQUEST = 400;

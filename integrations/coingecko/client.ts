/** Prices by CoinGecko, all coins in all currencies in one question. Works without a key, with few questions a minute; read only. */
import type { PriceSource } from '../../domain/payments/price-source.ts';
import {
  askForPrices,
  PRICE_TIMEOUT_MS,
  type PriceConnection,
  refusedPrices,
  unreadablePrices,
} from '../market-prices/ask.ts';
import { COINGECKO, pathOf, toCoingeckoPrices } from './transform.ts';

const vendor = 'CoinGecko';

export function createCoingeckoPrices({
  baseUrl,
  apiKey,
  timeoutMs = PRICE_TIMEOUT_MS,
  clock = () => new Date(),
}: PriceConnection & { apiKey?: string | undefined }): PriceSource {
  const headers: Record<string, string> = apiKey === undefined ? {} : { [keyHeader(baseUrl)]: apiKey };
  return {
    name: COINGECKO,
    async prices(wanted) {
      if (wanted.assets.length === 0 || wanted.currencies.length === 0) return [];
      const signal = AbortSignal.timeout(timeoutMs);
      const answer = await askForPrices({ vendor, url: baseUrl + pathOf(wanted), headers, signal });
      if (!answer.ok) throw refusedPrices(vendor, answer, clock());
      try {
        return toCoingeckoPrices(answer.text, wanted, clock());
      } catch (cause) {
        throw unreadablePrices(vendor, cause);
      }
    },
  };
}

/** Paid keys are sent to a server of their own, under a name of their own. */
function keyHeader(baseUrl: string): string {
  return new URL(baseUrl).hostname.startsWith('pro-api.') ? 'x-cg-pro-api-key' : 'x-cg-demo-api-key';
}

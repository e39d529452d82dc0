/** All sources of market prices, as the settings say where they are. */
import type { Config } from '../../config/env.ts';
import type { PriceSource } from '../../domain/payments/price-source.ts';
import { createCoinbasePrices } from '../coinbase/client.ts';
import { createCoingeckoPrices } from '../coingecko/client.ts';
import { createKrakenPrices } from '../kraken/client.ts';
import type { PriceConnection } from './ask.ts';

export function createPriceSources(
  { coinbaseUrl, krakenUrl, coingeckoUrl, coingeckoApiKey }: Config['marketPrices'],
  options: Omit<PriceConnection, 'baseUrl'> = {},
): PriceSource[] {
  return [
    createCoinbasePrices({ ...options, baseUrl: coinbaseUrl }),
    createKrakenPrices({ ...options, baseUrl: krakenUrl }),
    createCoingeckoPrices({ ...options, baseUrl: coingeckoUrl, apiKey: coingeckoApiKey }),
  ];
}

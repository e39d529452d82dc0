/** The markets' sandbox and the clients that read it, as tests start them. */
import type { PriceSource } from '../../domain/payments/price-source.ts';
import {
  type MarketPricesSandbox,
  startMarketPricesSandbox,
} from '../../integrations/market-prices/sandbox.ts';
import { createPriceSources } from '../../integrations/market-prices/sources.ts';

/** On a port of its own, by whose clock the clients go. Answers that come later than `timeoutMs` are lost. */
export async function startTestMarkets({ timeoutMs = 10_000 } = {}): Promise<{
  markets: MarketPricesSandbox;
  priceSources: PriceSource[];
}> {
  const markets = await startMarketPricesSandbox({ port: 0 });
  return { markets, priceSources: priceSourcesAt(markets, { timeoutMs }) };
}

export function priceSourcesAt(
  { url, clock }: Pick<MarketPricesSandbox, 'url' | 'clock'>,
  { timeoutMs = 10_000 } = {},
): PriceSource[] {
  const urls = { coinbaseUrl: url, krakenUrl: url, coingeckoUrl: url, coingeckoApiKey: undefined };
  return createPriceSources({ ...urls, sandboxPort: 0, sandboxed: true }, { timeoutMs, clock: clock.now });
}

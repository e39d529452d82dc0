/** What a coin costs, as a market says it. */
import type { CryptoAsset } from './crypto-asset.ts';

/** One source's word. A rate is an exact decimal above 0: whole units of `currency` for one whole coin. */
export type CryptoPrice = {
  source: string;
  asset: CryptoAsset;
  currency: string;
  rate: string;
  /** Which side of the market: what a seller asks, a buyer bids, the last trade, or a spot price. */
  side: 'ask' | 'bid' | 'last' | 'spot';
  /** Of the price itself where the source says so, else of the answer. UTC instant. */
  at: string;
};

export type PriceSource = {
  /** `coinbase`, `kraken`, `coingecko` */
  name: string;
  /** All assets in all these currencies, in as few requests as the source allows; pairs it does not have are left out. Throws a `VendorError`. */
  prices(wanted: { assets: readonly CryptoAsset[]; currencies: readonly string[] }): Promise<CryptoPrice[]>;
};

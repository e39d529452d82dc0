/**
 * Coinbase's spot price in our words. Amounts are strings there, and stay the digits that were sent.
 * https://docs.cdp.coinbase.com/coinbase-app/track-apis/prices
 */
import { z } from 'zod';
import { readCoinRate } from '../../domain/payments/coin-rate.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { CryptoPrice } from '../../domain/payments/price-source.ts';

export const COINBASE = 'coinbase';

export type CoinbasePair = { asset: CryptoAsset; currency: string };

/** Coinbase's codes of coins are ours. */
export function pathOf({ asset, currency }: CoinbasePair): string {
  return `/v2/prices/${asset}-${currency}/spot`;
}

const answer = z.object({ data: z.object({ amount: z.string(), base: z.string(), currency: z.string() }) });

/**
 * Null where the amount is no price (`NaN`, 0) or is of another pair than was asked for. Throws where the text is no such
 * answer, as with errors that come with a success. Coinbase does not say when the price was made: it is as old as the answer.
 */
export function toCoinbasePrice(text: string, pair: CoinbasePair, answeredAt: Date): CryptoPrice | null {
  const { amount, base, currency } = answer.parse(JSON.parse(text)).data;
  const rate = readCoinRate(amount);
  if (rate === null || base !== pair.asset || currency !== pair.currency) return null;
  return { source: COINBASE, ...pair, rate, side: 'spot', at: answeredAt.toISOString() };
}

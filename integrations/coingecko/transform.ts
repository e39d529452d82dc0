/**
 * CoinGecko's prices in our words. They are JSON numbers, which are taken as the digits that were sent. Coins have names of
 * their own there, and currencies are written in lower case.
 * https://docs.coingecko.com/reference/simple-price
 */
import { z } from 'zod';
import { readCoinRate } from '../../domain/payments/coin-rate.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { CryptoPrice } from '../../domain/payments/price-source.ts';
import { parseExactJson } from '../exact-json.ts';

export const COINGECKO = 'coingecko';

export type Wanted = { assets: readonly CryptoAsset[]; currencies: readonly string[] };

const ids: Record<CryptoAsset, string> = { BTC: 'bitcoin', ETH: 'ethereum', USDC: 'usd-coin' };

export function pathOf({ assets, currencies }: Wanted): string {
  const query = new URLSearchParams({
    ids: assets.map((asset) => ids[asset]).join(','),
    vs_currencies: currencies.map((currency) => currency.toLowerCase()).join(','),
    include_last_updated_at: 'true',
    precision: 'full',
  });
  return `/api/v3/simple/price?${query}`;
}

const answer = z.record(z.string(), z.record(z.string(), z.unknown()));

/**
 * Each price is as old as CoinGecko says; one without an age is left out, as is what is missing or no price. Throws where the
 * text is no such answer, as with an error that comes with a success.
 */
export function toCoingeckoPrices(text: string, wanted: Wanted, answeredAt: Date): CryptoPrice[] {
  const parsed = answer.parse(parseExactJson(text));
  if (parsed['status'] && 'error_code' in parsed['status']) {
    throw new Error(`CoinGecko answered with error ${String(parsed['status']['error_code'])}`);
  }
  return wanted.assets.flatMap((asset) => {
    const coin = parsed[ids[asset]] ?? {};
    const at = instantOf(coin['last_updated_at'], answeredAt);
    if (at === null) return [];
    return wanted.currencies.flatMap((currency) => {
      const number = coin[currency.toLowerCase()];
      const rate = typeof number === 'string' ? readCoinRate(number) : null;
      return rate === null ? [] : [{ source: COINGECKO, asset, currency, rate, side: 'spot' as const, at }];
    });
  });
}

/** Never later than the answer: what says that it is of the future would seem fresh for longer than it is. */
function instantOf(seconds: unknown, answeredAt: Date): string | null {
  if (typeof seconds !== 'string' || !/^\d{1,11}$/.test(seconds)) return null;
  return new Date(Math.min(Number(seconds) * 1000, answeredAt.getTime())).toISOString();
}

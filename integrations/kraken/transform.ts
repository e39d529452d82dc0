/**
 * Kraken's ticker in our words. Its prices are strings and stay the digits that were sent. Its names are its own: bitcoin is
 * XBT, and an answer calls old coins and currencies by a letter more (XXBTZUSD for XBTUSD), so that a pair is looked up under
 * every name it may come back with. Errors come with status 200.
 * https://docs.kraken.com/api/docs/rest-api/get-ticker-information
 */
import { z } from 'zod';
import { readCoinRate } from '../../domain/payments/coin-rate.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { CryptoPrice } from '../../domain/payments/price-source.ts';

export const KRAKEN = 'kraken';

export type KrakenPair = { asset: CryptoAsset; currency: string };

const codes: Record<CryptoAsset, string> = { BTC: 'XBT', ETH: 'ETH', USDC: 'USDC' };

/** As it is asked for: `XBTUSD`. */
export function pairCode({ asset, currency }: KrakenPair): string {
  return `${codes[asset]}${currency}`;
}

const answer = z.object({
  error: z.array(z.string()),
  result: z.record(z.string(), z.object({ b: z.tuple([z.string()], z.string()) })).optional(),
});

export type KrakenAnswer = { prices: CryptoPrice[] } | { errors: string[] };

/**
 * The pairs of an answer, or its errors; a warning is none. The price is the bid, what the coins can be sold for now: the last
 * trade may be hours old where a pair is hardly traded. Pairs that are missing, and bids that are no price, are left out.
 * Throws where the text is no such answer.
 */
export function toKrakenPrices(text: string, pairs: readonly KrakenPair[], answeredAt: Date): KrakenAnswer {
  const { error, result } = answer.parse(JSON.parse(text));
  const errors = error.filter((each) => each.startsWith('E'));
  if (errors.length > 0) return { errors };
  if (!result) throw new Error('Kraken answered with neither a result nor an error');
  const prices = pairs.flatMap((pair) => {
    const name = namesOf(pair).find((each) => Object.hasOwn(result, each));
    const rate = name === undefined ? null : readCoinRate(result[name]?.b[0] ?? '');
    if (rate === null) return [];
    return [{ source: KRAKEN, ...pair, rate, side: 'bid' as const, at: answeredAt.toISOString() }];
  });
  return { prices };
}

function namesOf({ asset, currency }: KrakenPair): string[] {
  const code = codes[asset];
  return [`X${code}Z${currency}`, `${code}${currency}`, `X${code}${currency}`, `${code}Z${currency}`];
}

/** Of several pairs in one question, one that it does not have makes it refuse all of them. */
export function isUnknownPair(errors: readonly string[]): boolean {
  return errors.every((error) => error.startsWith('EQuery:Unknown asset pair'));
}

/** Where Kraken says until when it takes no questions (`EService:Throttled: 1893456000`): how long that is. Null elsewhere. */
export function throttledForMs(errors: readonly string[], now: Date): number | null {
  for (const error of errors) {
    const [, until] = /^EService:Throttled:\s*(\d{1,11})$/.exec(error) ?? [];
    if (until !== undefined) return Math.max(0, Number(until) * 1000 - now.getTime());
  }
  return null;
}

export function isRateLimit(errors: readonly string[]): boolean {
  return errors.some((error) => /rate limit|too many requests|throttled/i.test(error));
}

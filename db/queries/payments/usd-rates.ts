/** What a coin was worth in US dollars, from the last words of the sources. */
import { eq } from 'drizzle-orm';
import { compareRates } from '../../../domain/payments/coin-rate.ts';
import type { CryptoAsset } from '../../../domain/payments/crypto-asset.ts';
import type { CryptoPolicy } from '../../../domain/payments/crypto-policy.ts';
import { areAgreed } from '../../../domain/payments/crypto-quote.ts';
import type { Tx } from '../../client.ts';
import { cryptoPrices } from '../../schema/crypto.ts';

/**
 * US dollars for a whole coin at that instant; null where no source's price is that fresh. `isAgreed`: null as well where so few
 * sources have one, or they are so far apart, that nobody would be quoted by them.
 */
export type UsdRateAt = (asset: CryptoAsset, at: string, options?: { isAgreed: boolean }) => string | null;

type Limits = Pick<CryptoPolicy, 'rateMaxAgeSeconds' | 'rateSources' | 'rateSpreadBps'>;

/** A price holds for `rateMaxAgeSeconds` before and after its own instant. Of several the middle one counts. */
export async function readUsdRates(tx: Tx, limits: Limits): Promise<UsdRateAt> {
  const prices = await tx
    .select({ asset: cryptoPrices.asset, rate: cryptoPrices.rate, at: cryptoPrices.at })
    .from(cryptoPrices)
    .where(eq(cryptoPrices.currency, 'USD'));
  return (asset, at, { isAgreed } = { isAgreed: false }) => {
    const fresh = prices
      .filter((price) => price.asset === asset)
      .filter((price) => Math.abs(price.at.getTime() - Date.parse(at)) <= limits.rateMaxAgeSeconds * 1000)
      .sort((a, b) => compareRates(a.rate, b.rate));
    if (isAgreed && !areAgreed(fresh, limits)) return null;
    // Of an even number the lower one: a payment is not worth more than a source says.
    return fresh[Math.floor((fresh.length - 1) / 2)]?.rate ?? null;
  };
}

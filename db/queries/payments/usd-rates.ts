/** What a coin was worth in US dollars, from the last words of the sources. */
import { eq } from 'drizzle-orm';
import { compareRates } from '../../../domain/payments/coin-rate.ts';
import type { CryptoAsset } from '../../../domain/payments/crypto-asset.ts';
import type { Tx } from '../../client.ts';
import { cryptoPrices } from '../../schema/crypto.ts';

/** US dollars for a whole coin at that instant; null where no source's price is that fresh. */
export type UsdRateAt = (asset: CryptoAsset, at: string) => string | null;

/** `maxAgeSeconds`: a price holds for so long before and after its own instant. Of several the middle one counts. */
export async function readUsdRates(tx: Tx, { maxAgeSeconds }: { maxAgeSeconds: number }): Promise<UsdRateAt> {
  const prices = await tx
    .select({ asset: cryptoPrices.asset, rate: cryptoPrices.rate, at: cryptoPrices.at })
    .from(cryptoPrices)
    .where(eq(cryptoPrices.currency, 'USD'));
  return (asset, at) => {
    const fresh = prices
      .filter((price) => price.asset === asset)
      .filter((price) => Math.abs(price.at.getTime() - Date.parse(at)) <= maxAgeSeconds * 1000)
      .map(({ rate }) => rate)
      .sort(compareRates);
    // Of an even number the lower one: a payment is not worth more than a source says.
    return fresh[Math.floor((fresh.length - 1) / 2)] ?? null;
  };
}

/** What coins of an invoice are worth in its own currency, at the rate that was agreed. */
import type { CryptoAsset } from './crypto-asset.ts';
import { fiatValueOf } from './crypto-quote.ts';

export type AgreedRate = {
  asset: CryptoAsset;
  currency: string;
  rate: string;
  dueUnits: bigint;
  dueMinor: number;
};

/** Minor units. What is due is worth what was billed, to the cent; less is never worth more than that, and more never less. */
export function coinsWorth(units: bigint, { asset, currency, rate, dueUnits, dueMinor }: AgreedRate): number {
  if (units >= dueUnits) return dueMinor + fiatValueOf(units - dueUnits, rate, asset, currency);
  return Math.min(dueMinor, fiatValueOf(units, rate, asset, currency));
}

/**
 * Cents of US dollars by the rate that was agreed, rounded up: what coins are rounded down to must not fall below a limit that
 * the amount reaches.
 */
export function quotedUsdMinor(
  units: bigint,
  { usdMinor, dueUnits }: { usdMinor: number; dueUnits: bigint },
): number {
  return Number((units * BigInt(usdMinor) + dueUnits - 1n) / dueUnits);
}

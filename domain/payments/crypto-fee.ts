/** What sending coins costs, and when that is too much for what is paid or given back (seed 002 §8.1, "Gas fees too high"). */
import { divideHalfAway } from '../billing/proration.ts';
import { fractionOfRate } from './coin-rate.ts';
import { unitsPerCoin } from './crypto-asset.ts';
import type { CryptoTerms } from './crypto-invoice.ts';
import type { CryptoPolicy } from './crypto-policy.ts';

/** A transfer of a token, to an address that may never have held it. */
const TRANSFER_GAS = 65_000n;
/** Ether to an address. */
const ETHER_GAS = 21_000n;
/** One output spent, one paid, one of change, all of them SegWit: as most are. */
const BITCOIN_VBYTES = 141n;
const CENTS = 10n ** 2n;

/** Cents of US dollars, at so many wei for a unit of gas and dollars for an ether. */
export function tokenFeeUsdMinor({ weiPerGas, etherRate }: { weiPerGas: bigint; etherRate: string }): number {
  const { numerator, denominator } = fractionOfRate(etherRate);
  const dividend = weiPerGas * TRANSFER_GAS * numerator * CENTS;
  return Number(divideHalfAway(dividend, denominator * unitsPerCoin('ETH')));
}

/** Whether another way to pay should be offered. Both amounts in cents of US dollars. */
export function isFeeHigh(
  { feeUsdMinor, usdMinor }: { feeUsdMinor: number; usdMinor: number },
  { highFeeBps }: Pick<CryptoPolicy, 'highFeeBps'>,
): boolean {
  return feeUsdMinor * WHOLE_BPS > usdMinor * highFeeBps;
}

/** What sending the chain's own coin costs: its smallest units, at so many of them for a vbyte or a unit of gas. */
export function ownCoinFee(asset: 'BTC' | 'ETH', feeRate: bigint): bigint {
  return feeRate * (asset === 'BTC' ? BITCOIN_VBYTES : ETHER_GAS);
}

/**
 * Whether operators are asked about an excess (§1.7, 9): so many units are worth a refund, and more than twice what sending them
 * costs, in cents of US dollars. A fee that nobody knows (null) keeps no excess back.
 */
export function isWorthGivingBack(
  { units, feeUsdMinor }: { units: bigint; feeUsdMinor: number | null },
  { usdMinor, dueUnits, policy }: Pick<CryptoTerms, 'usdMinor' | 'dueUnits' | 'policy'>,
): boolean {
  const worth = units * BigInt(usdMinor);
  const isRefund = worth >= BigInt(policy.excessUsdMinor) * dueUnits;
  return isRefund && (feeUsdMinor === null || worth > 2n * BigInt(feeUsdMinor) * dueUnits);
}

const WHOLE_BPS = 10_000;

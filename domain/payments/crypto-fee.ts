/** What sending a token costs its payer, and when that is too much for what is paid (seed 002 §8.1, "Gas fees too high"). */
import { divideHalfAway } from '../billing/proration.ts';
import { fractionOfRate } from './coin-rate.ts';
import { unitsPerCoin } from './crypto-asset.ts';
import type { CryptoPolicy } from './crypto-policy.ts';

/** A transfer of a token, to an address that may never have held it. */
const TRANSFER_GAS = 65_000n;
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

const WHOLE_BPS = 10_000;

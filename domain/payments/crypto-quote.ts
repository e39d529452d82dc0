/**
 * What an invoice comes to in coins: one rate out of what several markets say, or the reason why there is none, and at that
 * rate the coins that are asked for and the coins that are enough. A rate that is old, that one market alone says, or on
 * which the markets disagree is refused: nobody is asked for coins at a price that may be wrong (seed 002 §3.2; knowledge:
 * crypto §1.1, §2 row 5, §6.2).
 */
import { exponentOf, formatMoney, type Money, money } from '../money.ts';
import { fraction, rounded, times } from '../reporting/fraction.ts';
import { compareRates, fractionOfRate, isCoinRate, medianRate } from './coin-rate.ts';
import { type CryptoAsset, formatCoins, unitsPerCoin } from './crypto-asset.ts';
import type { CryptoPolicy } from './crypto-policy.ts';
import type { CryptoPrice } from './price-source.ts';

/** What one source said of the rate that is used. */
export type RateSource = Pick<CryptoPrice, 'source' | 'rate' | 'side' | 'at'>;

export type MarketRate = {
  /** Whole units of the currency for one whole coin: the sources' median, an exact decimal. */
  rate: string;
  /** One for each source, by name. */
  sources: RateSource[];
  /** Of the oldest price that was used. */
  at: string;
  /** A coin that promises to be a dollar is not worth one: somebody should look. Absent otherwise. */
  peg?: 'off';
};

export type RateRefusal = {
  /**
   * - `rates_too_few`: not enough sources have ever said what the coin costs in this currency.
   * - `rates_stale`: enough of them have, but too long ago.
   * - `rates_apart`: they differ by more than the policy allows.
   */
  reason: 'rates_too_few' | 'rates_stale' | 'rates_apart';
  message: string;
};

/**
 * The rate of a coin in a currency at an instant, out of all prices that are known. Of each source its newest price counts.
 * USDC in US dollars is 1 exactly as long as the markets put it between 0.99 and 1.01, both included.
 */
export function marketRate(
  prices: readonly CryptoPrice[],
  {
    asset,
    currency,
    now,
    policy,
  }: {
    asset: CryptoAsset;
    currency: string;
    now: Date;
    policy: Pick<CryptoPolicy, 'rateSources' | 'rateMaxAgeSeconds' | 'rateSpreadBps'>;
  },
): MarketRate | RateRefusal {
  const newest = newestOfEach(prices, { asset, currency, now });
  const fresh = newest.filter(({ at }) => now.getTime() - Date.parse(at) <= policy.rateMaxAgeSeconds * 1000);
  if (fresh.length < policy.rateSources) {
    return newest.length < policy.rateSources
      ? refusal('rates_too_few', tooFew({ asset, currency, found: newest.length, policy }))
      : refusal('rates_stale', stale({ asset, currency, found: fresh.length, policy }));
  }
  if (areApart(fresh, policy.rateSpreadBps)) {
    return refusal('rates_apart', apart({ asset, currency, prices: fresh, policy }));
  }

  const median = medianRate(fresh.map(({ rate }) => rate));
  const found = { sources: fresh.map(toRateSource), at: oldestOf(fresh) };
  if (asset !== 'USDC' || currency !== 'USD') return { rate: median, ...found };
  return isAboutOne(median) ? { rate: '1', ...found } : { rate: median, ...found, peg: 'off' };
}

/** How far the clock of the process that asked may be ahead of ours. */
const CLOCK_SKEW_MS = 60_000;

function newestOfEach(
  prices: readonly CryptoPrice[],
  { asset, currency, now }: { asset: CryptoAsset; currency: string; now: Date },
): CryptoPrice[] {
  const newest = new Map<string, CryptoPrice>();
  for (const price of prices) {
    if (price.asset !== asset || price.currency !== currency || !isCoinRate(price.rate)) continue;
    // What is dated in the future would seem fresh for longer than it is.
    if (!(Date.parse(price.at) <= now.getTime() + CLOCK_SKEW_MS)) continue;
    const known = newest.get(price.source);
    if (!known || Date.parse(known.at) <= Date.parse(price.at)) newest.set(price.source, price);
  }
  return [...newest.values()].sort((a, b) => (a.source < b.source ? -1 : 1));
}

const BPS = 10_000n;

/** Whether anybody could be quoted by these prices of different sources: there are enough of them, close together. */
export function areAgreed(
  prices: readonly Pick<CryptoPrice, 'rate'>[],
  { rateSources, rateSpreadBps }: Pick<CryptoPolicy, 'rateSources' | 'rateSpreadBps'>,
): boolean {
  return prices.length >= rateSources && !areApart(prices, rateSpreadBps);
}

/** The dearest is above the cheapest by more than so many hundredths of a percent of the cheapest. */
function areApart(prices: readonly Pick<CryptoPrice, 'rate'>[], bps: number): boolean {
  const { lowest, highest } = extremesOf(prices);
  const [low, high] = [fractionOfRate(lowest), fractionOfRate(highest)];
  const [lowScaled, highScaled] = [low.numerator * high.denominator, high.numerator * low.denominator];
  return (highScaled - lowScaled) * BPS > lowScaled * BigInt(bps);
}

function extremesOf(prices: readonly Pick<CryptoPrice, 'rate'>[]): { lowest: string; highest: string } {
  const sorted = prices.map(({ rate }) => rate).sort(compareRates);
  return { lowest: sorted[0] ?? '', highest: sorted.at(-1) ?? '' };
}

function isAboutOne(rate: string): boolean {
  return compareRates(rate, '0.99') >= 0 && compareRates(rate, '1.01') <= 0;
}

function toRateSource({ source, rate, side, at }: CryptoPrice): RateSource {
  return { source, rate, side, at };
}

function oldestOf(prices: readonly CryptoPrice[]): string {
  return prices.map(({ at }) => at).reduce((a, b) => (Date.parse(a) <= Date.parse(b) ? a : b));
}

type Circumstances = {
  asset: CryptoAsset;
  currency: string;
  policy: Pick<CryptoPolicy, 'rateSources' | 'rateMaxAgeSeconds' | 'rateSpreadBps'>;
};

function refusal(reason: RateRefusal['reason'], message: string): RateRefusal {
  return { reason, message };
}

function tooFew({ asset, currency, found, policy }: Circumstances & { found: number }): string {
  return `${found} of the price sources know what ${asset} costs in ${currency}, and ${policy.rateSources} are needed; bill in another currency, or take another means of payment.`;
}

function stale({ asset, currency, found, policy }: Circumstances & { found: number }): string {
  return `${found} of the price sources have said in the last ${policy.rateMaxAgeSeconds} seconds what ${asset} costs in ${currency}, and ${policy.rateSources} are needed; try again in a minute, or take another means of payment.`;
}

function apart({ asset, currency, prices, policy }: Circumstances & { prices: CryptoPrice[] }): string {
  const { lowest, highest } = extremesOf(prices);
  return `The price sources differ by more than ${policy.rateSpreadBps} hundredths of a percent on ${asset} in ${currency} (${lowest} to ${highest}); try again in a minute, or take another means of payment.`;
}

/** In the smallest units: what is asked for, and what is enough. */
export type CryptoQuote = { due: bigint; minDue: bigint };

export type QuoteRefusal = { reason: 'amount_too_small'; message: string };

/**
 * The coins for an amount of money at a rate (whole units of that money's currency for one coin), rounded up to the smallest
 * unit, and what of them is enough, rounded up too. Throws a `RangeError` for what is no rate and no money.
 */
export function quote({
  due,
  asset,
  rate,
  policy,
}: {
  due: Money;
  asset: CryptoAsset;
  rate: string;
  policy: Pick<CryptoPolicy, 'toleranceBps'>;
}): CryptoQuote | QuoteRefusal {
  const { amountMinor, currency } = money(due.amountMinor, due.currency);
  const { numerator, denominator } = fractionOfRate(rate);
  const units = divideUp(
    BigInt(amountMinor) * unitsPerCoin(asset) * denominator,
    numerator * minorPerWhole(currency),
  );
  if (units < smallestPayment[asset]) {
    return {
      reason: 'amount_too_small',
      message: `${formatMoney(due)} comes to ${formatCoins(units, asset)}, and less than ${formatCoins(smallestPayment[asset], asset)} cannot be paid; take another coin or another means of payment.`,
    };
  }
  return { due: units, minDue: divideUp(units * (BPS - BigInt(policy.toleranceBps)), BPS) };
}

/** Nodes of Bitcoin do not pass on an output below 546 satoshi, the dust limit of the oldest kind of address. */
const smallestPayment: Record<CryptoAsset, bigint> = { BTC: 546n, ETH: 1n, USDC: 1n };

/** What coins are worth at a rate, in minor units of its currency, half away from zero. Throws a `RangeError` beyond the exact integers. */
export function fiatValueOf(units: bigint, rate: string, asset: CryptoAsset, currency: string): number {
  const coins = fraction(units, unitsPerCoin(asset));
  return rounded(times(times(coins, fractionOfRate(rate)), fraction(minorPerWhole(currency))));
}

function minorPerWhole(currency: string): bigint {
  return 10n ** BigInt(exponentOf(currency));
}

/** For a positive divisor. */
function divideUp(dividend: bigint, divisor: bigint): bigint {
  return dividend > 0n ? (dividend + divisor - 1n) / divisor : dividend / divisor;
}

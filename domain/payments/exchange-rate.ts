/**
 * Exchange rates as exact decimals, and what an amount comes to in another currency. A rate is never a float; where no
 * rate between two currencies is known, both legs through the euro are, and the amount is rounded once, at the end, half
 * away from zero (as everywhere).
 */
import { exponentOf, type Money, money } from '../money.ts';
import { type Fraction, fraction, rounded, times } from '../reporting/fraction.ts';
import { daysLater } from '../reporting/report-days.ts';

/** One unit of `base` is `rate` units of `quote`, whole units of both: 1 EUR is 1.0866 USD. */
export type RateLeg = {
  base: string;
  quote: string;
  /** An exact decimal above 0: `1.0866`. */
  rate: string;
  /** `ecb`, `manual`, or what a person named: the advice of a bank. */
  source: string;
};

/** A rate of a calendar day. */
export type ExchangeRate = RateLeg & { day: string };

/** A rate that is used: from `base` to `quote` by the legs, each as it was published or entered. */
export type AppliedRate = { base: string; quote: string; day: string; legs: RateLeg[] };

/** Where reference rates come from. */
export type ExchangeRates = {
  /** The rates of every day in the range (both included) on which there were some. Throws a `VendorError`. */
  published(range: { from: string; to: string }): Promise<ExchangeRate[]>;
};

export const ECB = 'ecb';
export const ENTERED = 'manual';

/** Reference rates are published against the euro. */
const PIVOT = 'EUR';

/** Of this day the European Central Bank published the first ones; nobody asks for an older one in earnest. */
export const FIRST_RATE_DAY = '1999-01-04';

/**
 * A rate holds until the next one is published, over weekends and holidays: at Easter and at Christmas five days pass
 * until it is. An older one says too little about the day.
 */
export const RATE_AGE_DAYS_MAX = 5;

const rateForm = /^\d{1,12}(?:\.\d{1,20})?$/;

/** Up to twelve digits before the point and twenty behind it, and not 0. */
export function isRate(text: string): boolean {
  return rateForm.test(text) && /[1-9]/.test(text);
}

/** Throws a `RangeError` for what is no rate. */
function fractionOf(rate: string): Fraction {
  if (!isRate(rate)) throw new RangeError(`Not an exchange rate: ${rate}`);
  const [whole = '', decimals = ''] = rate.split('.');
  return fraction(BigInt(whole + decimals), 10n ** BigInt(decimals.length));
}

/**
 * The rate that holds on a day: the last one on or before it, not older than `RATE_AGE_DAYS_MAX`. Of one day, what was
 * entered goes before what was published (of several entered, the last given), and a rate between the two currencies
 * before two legs through the euro. Null where there is none.
 */
export function rateOn(
  rates: readonly ExchangeRate[],
  { base, quote, day }: { base: string; quote: string; day: string },
): AppliedRate | null {
  const oldest = daysLater(day, -RATE_AGE_DAYS_MAX);
  const days = [...new Set(rates.map((rate) => rate.day))].filter((each) => each <= day && each >= oldest);
  for (const each of days.sort().reverse()) {
    const ofDay = rates.filter((rate) => rate.day === each);
    const legs = legsBetween(ofDay, base, quote);
    if (legs !== null) return { base, quote, day: each, legs };
  }
  return null;
}

function legsBetween(rates: readonly ExchangeRate[], base: string, quote: string): RateLeg[] | null {
  const direct = legBetween(rates, base, quote);
  if (direct !== null) return [direct];
  const [there, back] = [legBetween(rates, base, PIVOT), legBetween(rates, PIVOT, quote)];
  return there === null || back === null ? null : [there, back];
}

/** In either direction, as it stands. */
function legBetween(rates: readonly ExchangeRate[], from: string, to: string): RateLeg | null {
  const between = rates.filter(
    ({ base, quote }) => (base === from && quote === to) || (base === to && quote === from),
  );
  const found = between.findLast(({ source }) => source === ENTERED) ?? between.at(-1);
  if (found === undefined) return null;
  const { base, quote, rate, source } = found;
  return { base, quote, rate, source };
}

/** Whether a rate, or a leg of it, is what a person entered. */
export function isEntered({ legs }: AppliedRate): boolean {
  return legs.some(({ source }) => source === ENTERED);
}

/** What an amount in the rate's base comes to in its quote. Throws a `RangeError` beyond the exact integers. */
export function convert(amount: Money, rate: AppliedRate): Money {
  if (amount.currency !== rate.base) {
    throw new RangeError(`A rate from ${rate.base} does not convert ${amount.currency}`);
  }
  const units = times(factorOf(rate), scaleBetween(rate));
  return money(rounded(times(fraction(BigInt(amount.amountMinor)), units)), rate.quote);
}

/** Units of the quote for one unit of the base, exactly. */
function factorOf({ base, quote, legs }: AppliedRate): Fraction {
  let factor = fraction(1n);
  let currency = base;
  for (const leg of legs) {
    const { numerator, denominator } = fractionOf(leg.rate);
    const isForward = leg.base === currency;
    factor = times(factor, isForward ? { numerator, denominator } : fraction(denominator, numerator));
    currency = isForward ? leg.quote : leg.base;
  }
  if (currency !== quote) throw new RangeError(`The legs lead from ${base} to ${currency}, not to ${quote}`);
  return factor;
}

/** Minor units of the quote for one minor unit of the base, were the rate 1. */
function scaleBetween({ base, quote }: AppliedRate): Fraction {
  return fraction(10n ** BigInt(exponentOf(quote)), 10n ** BigInt(exponentOf(base)));
}

/** The rate as a decimal to read: as it was given where it was given that way, else to twelve decimals. */
export function rateText(applied: AppliedRate): string {
  const [leg] = applied.legs;
  if (applied.legs.length === 1 && leg?.base === applied.base) return leg.rate;
  const { numerator, denominator } = factorOf(applied);
  const scaled = (2n * numerator * 10n ** DECIMALS_READ + denominator) / (2n * denominator);
  const digits = scaled.toString().padStart(Number(DECIMALS_READ) + 1, '0');
  const [whole, decimals] = [
    digits.slice(0, -Number(DECIMALS_READ)),
    digits.slice(-Number(DECIMALS_READ)).replace(/0+$/, ''),
  ];
  return decimals === '' ? whole : `${whole}.${decimals}`;
}

const DECIMALS_READ = 12n;

/** Where the legs come from: `ecb`, or `manual+ecb` where they differ. */
export function sourceText({ legs }: AppliedRate): string {
  return [...new Set(legs.map(({ source }) => source))].join('+');
}

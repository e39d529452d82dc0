/**
 * Money as integer minor units with a currency. The exponent table is the only place that knows how many minor
 * units make a whole one (JPY 0, KWD 3); nothing else multiplies or divides by a hundred.
 */

/** `amountMinor` is a safe integer in the currency's smallest unit; `currency` an upper-case ISO 4217 code. */
export type Money = { amountMinor: number; currency: string };

const zeroDecimal = 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'.split(' ');
const threeDecimal = 'BHD IQD JOD KWD LYD OMR TND'.split(' ');
const twoDecimal = (
  'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY ' +
  'COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS ' +
  'INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR ' +
  'MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD ' +
  'SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW'
).split(' ');

const exponents: ReadonlyMap<string, number> = new Map([
  ...zeroDecimal.map((code) => [code, 0] as const),
  ...twoDecimal.map((code) => [code, 2] as const),
  ...threeDecimal.map((code) => [code, 3] as const),
]);

/** Every currency we can bill in. */
export const currencies: readonly string[] = [...exponents.keys()].sort();

export function isCurrency(code: string): boolean {
  return exponents.has(code);
}

/** Digits after the decimal point (ISO 4217). Throws on a currency we do not know. */
export function exponentOf(currency: string): number {
  const exponent = exponents.get(currency);
  if (exponent === undefined) throw new RangeError(`Unknown currency ${currency}`);
  return exponent;
}

/** A checked constructor: refuses fractions, unsafe integers and unknown currencies. */
export function money(amountMinor: number, currency: string): Money {
  if (!Number.isSafeInteger(amountMinor)) {
    throw new RangeError(`Not an integer number of minor units: ${amountMinor}`);
  }
  exponentOf(currency);
  return { amountMinor, currency };
}

export function add(a: Money, b: Money): Money {
  assertSameCurrency(a, b);
  return money(a.amountMinor + b.amountMinor, a.currency);
}

export function subtract(a: Money, b: Money): Money {
  assertSameCurrency(a, b);
  return money(a.amountMinor - b.amountMinor, a.currency);
}

/** For people: `USD 29.00`, `JPY 500`, `-KWD 5.124`. Exact, independent of any locale. */
export function formatMoney({ amountMinor, currency }: Money): string {
  const amount = decimalOf({ amountMinor: Math.abs(amountMinor), currency });
  return `${amountMinor < 0 ? '-' : ''}${currency} ${amount}`;
}

/** For tables: `29.00`, `500`, `-5.124`. */
export function decimalOf({ amountMinor, currency }: Money): string {
  const exponent = exponentOf(currency);
  const digits = String(Math.abs(amountMinor)).padStart(exponent + 1, '0');
  const whole = digits.slice(0, digits.length - exponent);
  const fraction = exponent === 0 ? '' : `.${digits.slice(-exponent)}`;
  return `${amountMinor < 0 ? '-' : ''}${whole}${fraction}`;
}

function assertSameCurrency(a: Money, b: Money): void {
  if (a.currency !== b.currency) throw new RangeError(`Cannot combine ${a.currency} with ${b.currency}`);
}

/**
 * The least a card can be charged. Nothing smaller is asked of one: what a change would bill below it waits for the next
 * invoice, and the customer's credit leaves at least that much of an invoice to the card, or nothing.
 * Source: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts (settled in the same currency).
 */
import { exponentOf } from '../money.ts';

/** In whole units; a currency that is not listed has no least amount we know of. */
const smallestUnits: Readonly<Record<string, string>> = {
  AED: '2.00',
  AUD: '0.50',
  BRL: '0.50',
  CAD: '0.50',
  CHF: '0.50',
  CZK: '15.00',
  DKK: '2.50',
  EUR: '0.50',
  GBP: '0.30',
  HKD: '4.00',
  HUF: '175.00',
  INR: '0.50',
  JPY: '50',
  MXN: '10.00',
  MYR: '2.00',
  NOK: '3.00',
  NZD: '0.50',
  PLN: '2.00',
  RON: '2.00',
  SEK: '3.00',
  SGD: '0.50',
  THB: '10.00',
  USD: '0.50',
};

/** In minor units; 1 where nothing is known. */
export function smallestCharge(currency: string): number {
  const units = smallestUnits[currency];
  if (units === undefined) return 1;
  const [whole = '0', decimals = ''] = units.split('.');
  return Number(whole + decimals.padEnd(exponentOf(currency), '0'));
}

/**
 * How much of an invoice is paid with the customer's credit: as much as there is, but it leaves a card nothing that cannot be
 * charged. Minor units of `currency`.
 */
export function creditUsed({
  creditMinor,
  dueMinor,
  currency,
}: {
  creditMinor: number;
  dueMinor: number;
  currency: string;
}): number {
  const restMinor = dueMinor - creditMinor;
  if (restMinor <= 0) return dueMinor;
  const leastMinor = smallestCharge(currency);
  return restMinor >= leastMinor ? creditMinor : Math.min(creditMinor, Math.max(0, dueMinor - leastMinor));
}

/**
 * Stripe's amounts and ours. Both count minor units, but Stripe's exponent differs from the currency's own for a
 * few: it has its list of currencies without decimals, takes the króna with two, and rounds what has three to
 * tens. An amount Stripe cannot carry is refused here: rounding it would charge something else than was invoiced.
 * https://docs.stripe.com/currencies
 */
import { exponentOf, formatMoney, type Money, money } from '../../domain/money.ts';
import { ChargeRefused } from '../../domain/payments/card-payment.ts';

export type StripeAmount = { amount: number; currency: string };

/** Throws `ChargeRefused` when Stripe cannot represent the amount exactly. */
export function toStripeAmount(value: Money): StripeAmount {
  const { currency, amountMinor } = value;
  const stripeExponent = stripeExponentOf(currency);
  const amount = rescale(amountMinor, { from: exponentOf(currency), to: stripeExponent });
  if (amount === null) throw unrepresentable(formatMoney(value));
  if (stripeExponent === 3 && amount % 10 !== 0) throw unrepresentable(formatMoney(value));
  return { amount, currency: currency.toLowerCase() };
}

/** Throws the same on a currency or an amount we have no exact money for. */
export function fromStripeAmount({ amount, currency }: StripeAmount): Money {
  const code = currency.toUpperCase();
  const amountMinor = rescale(amount, { from: stripeExponentOf(code), to: exponentOf(code) });
  if (amountMinor === null) throw unrepresentable(`${code} ${amount} of Stripe's units`);
  return money(amountMinor, code);
}

const zeroDecimal = new Set('BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' '));
const threeDecimal = new Set('BHD JOD KWD OMR TND'.split(' '));

/** ISK has no decimals any more, Stripe keeps two that must be zero. */
const twoDecimalUnlikeOurs = new Set(['ISK']);

/**
 * Stripe's note on UGX has changed between versions of its documentation: a wrong guess would charge a hundred
 * times too much or too little, so it stays refused until it has been tried on a live account.
 */
const unverified = new Set(['UGX']);

function stripeExponentOf(currency: string): number {
  if (zeroDecimal.has(currency)) return 0;
  if (threeDecimal.has(currency)) return 3;
  const isTwoDecimal = twoDecimalUnlikeOurs.has(currency) || exponentOf(currency) === 2;
  if (isTwoDecimal && !unverified.has(currency)) return 2;
  throw new ChargeRefused({
    code: 'currency_not_supported',
    message: `Charging ${currency} through Stripe is not supported`,
  });
}

/** `null` where digits would be lost. */
function rescale(amount: number, { from, to }: { from: number; to: number }): number | null {
  if (to >= from) return amount * 10 ** (to - from);
  const divisor = 10 ** (from - to);
  return amount % divisor === 0 ? amount / divisor : null;
}

/** What is charged comes in Stripe's steps already (`cardAmount`), so what is left here is less than one step. */
function unrepresentable(amount: string): ChargeRefused {
  return new ChargeRefused({
    code: 'amount_too_small',
    message: `Stripe cannot represent ${amount} exactly`,
  });
}

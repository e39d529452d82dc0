/** Stripe's rules on amounts, written from its documentation and not from our converter, which they check. */
import { invalidRequest } from './errors.ts';

/** Throws Stripe's refusal. */
export function checkAmount(amount: number, currency: string): void {
  const param = 'amount';
  if (!/^[a-z]{3}$/.test(currency)) {
    throw invalidRequest(`Invalid currency: ${currency}.`, { param: 'currency' });
  }
  if (amount < 1) {
    throw invalidRequest('This value must be greater than or equal to 1.', {
      code: 'parameter_invalid_integer',
      param,
    });
  }
  if (amount < (smallestAmounts[currency] ?? 1)) {
    throw invalidRequest('Amount must convert to at least 50 cents.', { code: 'amount_too_small', param });
  }
  if (amount > largestAmount) {
    throw invalidRequest('Amount must be no more than 999,999.99.', { code: 'amount_too_large', param });
  }
  if (currency === 'isk' && amount % 100 !== 0) {
    throw invalidRequest('Amount must be a whole number of krónur.', {
      code: 'invalid_charge_amount_no_decimal_compatible',
      param,
    });
  }
  if (['bhd', 'jod', 'kwd', 'omr', 'tnd'].includes(currency) && amount % 10 !== 0) {
    throw invalidRequest('Amounts in three-decimal currencies must end in 0.', { param });
  }
}

const smallestAmounts: Partial<Record<string, number>> = { usd: 50, eur: 50, gbp: 30, jpy: 50, inr: 50 };
const largestAmount = 99_999_999;

/**
 * Plaid's amounts in our words. Plaid counts money OUT as positive; here money in is. The number is read from the digits of
 * the answer and never through a float; where it has more of them than the currency, it is rounded half to even.
 */
import { exponentOf, isCurrency } from '../../domain/money.ts';
import type { UnreadableTransaction } from '../../domain/payments/bank-feed.ts';

export type ReadAmount =
  | { amountMinor: number; roundedFrom: string | null }
  | { unreadable: UnreadableTransaction['reason'] };

/** `amount` is a JSON number as it stood in the answer, `1.2E3` too. Throws a `RangeError` on what is no number. */
export function readAmount(amount: string, currency: string): ReadAmount {
  const { digits, decimals, isNegative } = decimalOf(amount);
  if (!isCurrency(currency)) return { unreadable: 'currency_unknown' };
  if (Math.abs(decimals) > LONGEST || digits.length > LONGEST) return { unreadable: 'amount_too_large' };
  const surplus = decimals - exponentOf(currency);
  const units = BigInt(digits);
  const minor = surplus <= 0 ? units * 10n ** BigInt(-surplus) : halfEven(units, 10n ** BigInt(surplus));
  const amountMinor = Number(minor);
  if (!Number.isSafeInteger(amountMinor)) return { unreadable: 'amount_too_large' };
  const isExact = surplus <= 0 || units % 10n ** BigInt(surplus) === 0n;
  return {
    amountMinor: isNegative || amountMinor === 0 ? amountMinor : -amountMinor,
    roundedFrom: isExact ? null : `${isNegative ? '' : '-'}${written(units, decimals)}`,
  };
}

/** No amount of money has as many digits; a power of ten of any size must not be computed. */
const LONGEST = 60;

/** The number is `digits` divided by ten as often as `decimals` says. */
function decimalOf(amount: string): { digits: string; decimals: number; isNegative: boolean } {
  const parts = /^(?<sign>-?)(?<whole>\d+)(?:\.(?<fraction>\d+))?(?:[eE](?<power>[+-]?\d+))?$/.exec(amount);
  if (!parts?.groups) throw new RangeError(`Not a decimal number: ${amount.slice(0, LONGEST)}`);
  const { sign, whole = '', fraction = '', power = '0' } = parts.groups;
  const digits = `${whole}${fraction}`.replace(/^0+(?=\d)/, '');
  return { digits, decimals: fraction.length - Number(power), isNegative: sign === '-' };
}

function halfEven(units: bigint, divisor: bigint): bigint {
  const [quotient, rest] = [units / divisor, (units % divisor) * 2n];
  const isUp = rest > divisor || (rest === divisor && quotient % 2n === 1n);
  return isUp ? quotient + 1n : quotient;
}

function written(units: bigint, decimals: number): string {
  const digits = String(units).padStart(decimals + 1, '0');
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/**
 * What one coin costs, as an exact decimal: read from what a market wrote, compared and averaged, never as a float. What is
 * no number above 0 is no rate: a coin that costs nothing, or `NaN`, would be asked for without end.
 */
import { type Fraction, fraction } from '../reporting/fraction.ts';

/** Digits before and behind the point that are kept. */
const DIGITS_MAX = 30;
const rateForm = /^\d{1,30}(?:[.]\d{1,30})?$/;
const literalForm = /^\+?(\d+)(?:[.](\d*))?(?:[eE]([+-]?\d{1,3}))?$/;

/** An exact decimal above 0, with at most thirty digits on either side of the point: `67012.345`. */
export function isCoinRate(text: string): boolean {
  return rateForm.test(text) && /[1-9]/.test(text);
}

/**
 * A number as a market wrote it (`67012.3450`, `6.7e4`), as the decimal it says. Null for anything that is no number above
 * 0, and for one with so many digits that its average with another could not be kept.
 */
export function readCoinRate(literal: string): string | null {
  const [, whole, behind = '', exponent = '0'] = literalForm.exec(literal.trim()) ?? [];
  if (whole === undefined) return null;
  const decimal = shifted(whole, behind, Number(exponent));
  const [before = '', after = ''] = decimal.split('.');
  return isCoinRate(decimal) && before.length < DIGITS_MAX && after.length < DIGITS_MAX ? decimal : null;
}

/** `whole.behind` with the point moved, without zeros that say nothing. */
function shifted(whole: string, behind: string, places: number): string {
  const digits = whole + behind;
  const point = whole.length + places;
  const before = digits.slice(0, Math.max(0, point)).padEnd(Math.max(0, point), '0').replace(/^0+/, '');
  const after = `${'0'.repeat(Math.max(0, -point))}${digits.slice(Math.max(0, point))}`.replace(/0+$/, '');
  return `${before === '' ? '0' : before}${after === '' ? '' : `.${after}`}`;
}

/** Throws a `RangeError` for what is no rate. */
export function fractionOfRate(rate: string): Fraction {
  if (!isCoinRate(rate)) throw new RangeError(`Not the price of a coin, a decimal above 0: ${rate}`);
  const [whole = '', behind = ''] = rate.split('.');
  return fraction(BigInt(whole + behind), 10n ** BigInt(behind.length));
}

/** Negative where the first is the lower one: an order for `sort`. */
export function compareRates(a: string, b: string): number {
  const [left, right] = [fractionOfRate(a), fractionOfRate(b)];
  const difference = left.numerator * right.denominator - right.numerator * left.denominator;
  return difference === 0n ? 0 : difference < 0n ? -1 : 1;
}

/** The one in the middle of a list that is not empty; of an even number the exact mean of the two in the middle. */
export function medianRate(rates: readonly string[]): string {
  const sorted = rates.toSorted(compareRates);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new RangeError('No rates have no median');
  return upper === lower ? upper : meanOf(lower, upper);
}

/** A half is five tenths, so the mean needs one digit more than the longer of the two. */
function meanOf(a: string, b: string): string {
  const places = Math.max(decimalsOf(a), decimalsOf(b));
  const sum = scaledTo(a, places) + scaledTo(b, places);
  return shifted((sum * 5n).toString(), '', -(places + 1));
}

function decimalsOf(rate: string): number {
  return rate.split('.')[1]?.length ?? 0;
}

function scaledTo(rate: string, places: number): bigint {
  const [whole = '', behind = ''] = rate.split('.');
  return BigInt(whole + behind.padEnd(places, '0'));
}

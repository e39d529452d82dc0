/** Exact fractions of minor units: what a price per week comes to in a month is no whole number. */
import { divideHalfAway } from '../billing/proration.ts';

/** In lowest terms, with a positive denominator. */
export type Fraction = { numerator: bigint; denominator: bigint };

export function fraction(numerator: bigint, denominator = 1n): Fraction {
  if (denominator === 0n) throw new RangeError('A fraction needs a denominator other than 0');
  const sign = denominator < 0n ? -1n : 1n;
  const divisor = greatestCommonDivisor(numerator, denominator) * sign;
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

export const zero: Fraction = { numerator: 0n, denominator: 1n };

export function plus(a: Fraction, b: Fraction): Fraction {
  return fraction(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
}

export function minus(a: Fraction, b: Fraction): Fraction {
  return plus(a, negative(b));
}

export function negative({ numerator, denominator }: Fraction): Fraction {
  return { numerator: -numerator, denominator };
}

export function times(a: Fraction, b: Fraction): Fraction {
  return fraction(a.numerator * b.numerator, a.denominator * b.denominator);
}

/** Null where nothing can be divided by `b`. */
export function over(a: Fraction, b: Fraction): Fraction | null {
  if (b.numerator === 0n) return null;
  return fraction(a.numerator * b.denominator, a.denominator * b.numerator);
}

export function sum(fractions: Iterable<Fraction>): Fraction {
  let total = zero;
  for (const each of fractions) total = plus(total, each);
  return total;
}

/** -1, 0 or 1. */
export function signOf({ numerator }: Fraction): -1 | 0 | 1 {
  if (numerator === 0n) return 0;
  return numerator < 0n ? -1 : 1;
}

/** The nearest integer, half away from zero. Throws a `RangeError` beyond the exact integers. */
export function rounded({ numerator, denominator }: Fraction): number {
  return safe(divideHalfAway(numerator, denominator));
}

/** The integer at or below it, and what is left above that. */
export function floorOf({ numerator, denominator }: Fraction): { whole: number; rest: Fraction } {
  const over = ((numerator % denominator) + denominator) % denominator;
  return { whole: safe((numerator - over) / denominator), rest: fraction(over, denominator) };
}

/** As a number, for rates. */
export function toNumber({ numerator, denominator }: Fraction): number {
  return Number(numerator) / Number(denominator);
}

/** `2900`, `6500/3`. */
export function inFull({ numerator, denominator }: Fraction): string {
  return denominator === 1n ? String(numerator) : `${numerator}/${denominator}`;
}

function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`Too large an amount: ${value}`);
  return number;
}

/** Of two integers, not negative. */
export function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [high, low] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (low !== 0n) [high, low] = [low, high % low];
  return high;
}

/**
 * Amounts as files write them. Read from the digits and never through a float; what could be two amounts, or has digits
 * that the currency cannot hold, is refused. How it is refused is said in a sentence, where is known to the caller.
 */
import { exponentOf, isCurrency } from '../../domain/money.ts';
import { quoted, StatementError } from './statement-error.ts';

export type DecimalMark = ',' | '.';

export type AmountSyntax = {
  currency: string;
  line: number;
  /** The one mark before the decimals; `null` where the file may use either and must be unambiguous. */
  mark: DecimalMark | null;
  /** Whether digits may be grouped by the other mark, by spaces or by apostrophes. */
  grouped: boolean;
};

/**
 * Minor units of a number without a sign. Throws a `StatementError`: `amount_missing`, `amount_unreadable` or
 * `amount_ambiguous`.
 */
export function unsignedMinor(text: string, { currency, line, mark, grouped }: AmountSyntax): number {
  const written = text.trim();
  if (written === '') {
    throw new StatementError({ reason: 'amount_missing', line, message: 'The amount is missing.' });
  }
  if (written.length > longestAmount) throw unreadable(written, line);
  const unspaced = grouped ? withoutGroupSpaces(written) : written;
  if (unspaced === null || !/^(?:\d[\d.,]*|[.,]\d+)$/.test(unspaced)) throw unreadable(written, line);
  const decimalMark = mark ?? decimalMarkOf(unspaced, { currency, line });
  const parts = decimalMark === null ? [unspaced] : unspaced.split(decimalMark);
  if (parts.length > 2) throw unreadable(written, line);
  const [wholePart = '', fraction = ''] = parts;
  const whole = grouped ? withoutGroupMarks(wholePart) : wholePart;
  if (whole === null || !/^\d*$/.test(whole) || !/^\d*$/.test(fraction)) throw unreadable(written, line);
  return minorOf({ whole, fraction, written, currency, line });
}

/** The same with a sign: before it, after it, or as brackets. A number without a sign is positive. */
export function signedMinor(text: string, syntax: AmountSyntax): number {
  const { isNegative, digits } = splitSign(text, syntax.line);
  const minor = unsignedMinor(digits, syntax);
  return isNegative && minor !== 0 ? -minor : minor;
}

/** Throws `sign_unreadable` where an amount has more than one sign, or what may be none. */
export function splitSign(
  text: string,
  line: number,
): { isNegative: boolean; isSigned: boolean; digits: string } {
  const written = text.trim().replace(/[\u2010-\u2013\u2212\uFE63\uFF0D]/g, '-');
  if (written.length > longestAmount) throw unreadable(written, line);
  const match =
    /^(?<open>\()?\s*(?<before>[-+])?\s*(?<digits>[^-+()]*?)\s*(?<after>[-+])?\s*(?<close>\))?$/.exec(
      written,
    );
  const { open, before, digits = '', after, close } = match?.groups ?? {};
  const signs = [open, before, after].filter((sign) => sign !== undefined);
  // `5.-` is five without cents in Switzerland, and a minus behind a number elsewhere.
  const isDash = after === '-' && /[.,]\s*$/.test(digits);
  if (!match || signs.length > 1 || isDash || (open === undefined) !== (close === undefined)) {
    throw new StatementError({
      reason: 'sign_unreadable',
      line,
      message: `It cannot be told whether ${quoted(text)} is money in or out. One sign is allowed.`,
    });
  }
  return { isNegative: signs[0] === '-' || signs[0] === '(', isSigned: signs.length > 0, digits };
}

/** Longer is no amount, and patterns must not be tried on it. */
const longestAmount = 64;

/** An ISO 4217 code that we know, in upper case. Throws `currency_missing` or `currency_unknown`. */
export function knownCurrency(text: string | null | undefined, line: number): string {
  const code = (text ?? '').trim().toUpperCase();
  if (code === '') {
    throw new StatementError({
      reason: 'currency_missing',
      line,
      message:
        'No currency is given. Say which currency the account has, or ask the bank for a complete file.',
    });
  }
  if (!isCurrency(code)) {
    throw new StatementError({
      reason: 'currency_unknown',
      line,
      message: `${quoted(code)} is not a currency that we can keep amounts in.`,
    });
  }
  return code;
}

/**
 * A mark that stands twice, or before another mark, groups; one that stands alone groups only if three digits follow,
 * and then nobody can tell it from a mark before three decimals, except where the currency has no decimals. `null` where no mark stands before decimals; throws
 * `amount_ambiguous`.
 */
export function decimalMarkOf(
  digits: string,
  { currency, line }: { currency: string; line: number },
): DecimalMark | null {
  const marks = [...digits].filter((character) => character === '.' || character === ',') as DecimalMark[];
  const last = marks.at(-1);
  if (last === undefined) return null;
  const isOneOfAKind = marks.filter((mark) => mark === last).length === 1;
  if (marks.length > 1) return isOneOfAKind ? last : null;
  const [whole = '', fraction = ''] = digits.split(last);
  const looksGrouped = fraction.length === 3 && /^[1-9]\d{0,2}$/.test(whole);
  if (!looksGrouped) return last;
  if (cannotBeDecimals(fraction, currency)) return null;
  throw new StatementError({
    reason: 'amount_ambiguous',
    line,
    message: `${quoted(digits)} ${currency} can be read as two amounts. Say which mark stands before the decimals.`,
  });
}

/** Yen and won have none: what would be lost of them groups. */
export function cannotBeDecimals(fraction: string, currency: string): boolean {
  return exponentOf(currency) === 0 && /[1-9]/.test(fraction);
}

/** `null` where spaces or apostrophes stand elsewhere than between groups of three. */
function withoutGroupSpaces(text: string): string | null {
  if (!/[\s'’]/.test(text)) return text;
  return /^\d{1,3}(?:[\s'’]\d{3})+(?:[.,]\d*)?$/.test(text) ? text.replace(/[\s'’]/g, '') : null;
}

function withoutGroupMarks(whole: string): string | null {
  if (!/[.,]/.test(whole)) return whole;
  // Lakhs and crores are grouped by two.
  const isGrouped =
    /^\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*$/.test(whole) || /^\d{1,2}(?:,\d{2})*,\d{3}$/.test(whole);
  return isGrouped ? whole.replace(/[.,]/g, '') : null;
}

function minorOf({
  whole,
  fraction,
  written,
  currency,
  line,
}: {
  whole: string;
  fraction: string;
  written: string;
  currency: string;
  line: number;
}): number {
  const exponent = exponentOf(currency);
  const surplus = fraction.slice(exponent);
  if (/[1-9]/.test(surplus)) {
    throw new StatementError({
      reason: 'amount_unreadable',
      line,
      message: `${quoted(written)} has more decimals than ${currency} has.`,
    });
  }
  const minor = Number(BigInt(`${whole || '0'}${fraction.slice(0, exponent).padEnd(exponent, '0')}`));
  if (Number.isSafeInteger(minor)) return minor;
  throw new StatementError({
    reason: 'amount_unreadable',
    line,
    message: `${quoted(written)} ${currency} is more than we can count.`,
  });
}

function unreadable(written: string, line: number): StatementError {
  return new StatementError({
    reason: 'amount_unreadable',
    line,
    message: `${quoted(written)} cannot be read as an amount.`,
  });
}

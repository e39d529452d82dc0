/**
 * Field `:61:` of an MT940: `2603050305RC12,50NTRFNONREF//B4D4`, and on a second line what the bank adds. The mark says
 * what happens to the account: RC takes back a credit, so money leaves, and RD brings it back.
 */
import { decimalMarkOf, unsignedMinor } from './amounts.ts';
import { dayOf, refuseDate } from './dates.ts';
import { quoted, StatementError } from './statement-error.ts';

export type StatementLine = {
  amountMinor: number;
  currency: string;
  bookedOn: string;
  /** Expected and not booked yet. */
  pending: boolean;
  isReversal: boolean;
  /** Money out that came in before: a credit that is reversed, or an item that is returned (type RTI). */
  takesBack: boolean;
  customerReference: string;
  bankReference: string;
  supplementary: string;
};

export function readStatementLine(
  lines: readonly string[],
  { currency, line }: { currency: string; line: number },
): StatementLine {
  const [first = '', ...others] = withAmount(lines);
  const match = shape.exec(first.trim());
  const { days = '', mark = '', amount = '', type = '', reference = '' } = match?.groups ?? {};
  if (!match || goesOn(amount, type, reference)) throw refuseLine(first, line);
  const minor = swiftMinor(amount, { currency, line });
  const isOut = outgoing.has(mark.toUpperCase());
  const slashes = reference.indexOf('//');
  const { value, entry } = daysIn(days, line);
  return {
    amountMinor: isOut && minor !== 0 ? -minor : minor,
    currency,
    bookedOn: entry === '' ? swiftDay(value, line) : entryDay(entry, value, line),
    pending: /^E/i.test(mark),
    isReversal: /^R/i.test(mark),
    takesBack: isOut && (/^R/i.test(mark) || /^.RTI$/i.test(type)),
    customerReference: slashes < 0 ? reference : reference.slice(0, slashes),
    bankReference: slashes < 0 ? '' : reference.slice(slashes + 2),
    supplementary: others.join(' '),
  };
}

/** Savings banks break the line before the amount. */
function withAmount(lines: readonly string[]): readonly string[] {
  const [first = '', second, ...others] = lines;
  const isBroken =
    second !== undefined && /^\d{6}[\d ]*[RE]?[CD][A-Z]?\s*$/i.test(first) && /^\d/.test(second);
  return isBroken ? [first.trim() + second, ...others] : lines;
}

/**
 * The standard's mark is the comma, and nothing groups. A point is read where it cannot be anything else: before no more
 * than two digits, or where both marks stand in an amount.
 */
export function swiftMinor(amount: string, { currency, line }: { currency: string; line: number }): number {
  const hasBoth = amount.includes(',') && amount.includes('.');
  const single = /^\s*\d+\.\d{1,2}\s*$/.test(amount) ? '.' : ',';
  const mark = hasBoth ? decimalMarkOf(amount, { currency, line }) : single;
  return unsignedMinor(amount, { currency, line, mark, grouped: hasBoth });
}

/** `260305`, where years from 80 on are of the last century, or `20260305`. Throws `date_unreadable`. */
export function swiftDay(text: string, line: number): string {
  const { year, month, day } = yearMonthDay(text);
  return dayOf(year, month, day) ?? refuseDate(text, line);
}

/**
 * The letter behind the mark is the third of the currency. The type is F, N or S and three characters; where a bank
 * leaves it out, the reference follows at once.
 */
const shape =
  /^(?<days>\d{6}[\d ]*?)\s*(?<mark>[RE]?[CD])(?<funds>[A-Z])?\s?(?<amount>\d[\d.,]*|,\d+)\s?(?<type>(?!NONREF)[FNS][A-Z0-9]{3})?(?<reference>.*)$/i;

/** `C1 000,00`, `C1,00-`: without a type, what follows may be the rest of the amount, or its sign. */
function goesOn(amount: string, type: string, reference: string): boolean {
  if (type !== '') return false;
  return /^\s*[-+'’()]/.test(reference) || (!/[.,]/.test(amount) && /^\s*\d/.test(reference));
}

const outgoing = new Set(['D', 'RC', 'ED']);

/** Digits of a day of value, and of a day of entry behind it. */
const dayLengths = [
  [6, 0],
  [8, 0],
  [6, 4],
  [6, 6],
  [8, 4],
  [8, 6],
  [6, 8],
  [8, 8],
] as const;

/** The day of value, and the day of entry as it is written; banks that write years in full write them anywhere. */
function daysIn(written: string, line: number): { value: string; entry: string } {
  const [first = '', second, ...others] = written.trim().split(/\s+/);
  const digits = first + (second ?? '');
  const cuts = dayLengths
    .filter(([value, entry]) => value + entry === digits.length)
    .map(([value]) => ({ value: digits.slice(0, value), entry: digits.slice(value) }))
    .filter(({ value }) => second === undefined || value === first);
  const possible = cuts.length < 2 ? cuts : cuts.filter((cut) => isDay(cut.value) && isDay(cut.entry));
  const [only] = possible;
  return only === undefined || possible.length > 1 || others.length > 0 ? refuseDate(written, line) : only;
}

function isDay(text: string): boolean {
  const { year, month, day } = yearMonthDay(text.length === 4 ? `${anyLeapYear}${text}` : text);
  return dayOf(year, month, day) !== null;
}

const anyLeapYear = '2000';

/** An entry's day without a year is the one that is nearest to the day of value. */
function entryDay(entry: string, valueDay: string, line: number): string {
  if (entry.length > 4) return swiftDay(entry, line);
  const month = Number(entry.slice(0, 2));
  const day = Number(entry.slice(2));
  const value = valueMs(valueDay, line);
  const candidates = [-1, 0, 1]
    .map((offset) => dayOf(yearMonthDay(valueDay).year + offset, month, day))
    .filter((candidate) => candidate !== null);
  const distance = (candidate: string) => Math.abs(Date.parse(candidate) - value);
  const [nearest] = candidates.sort((a, b) => distance(a) - distance(b));
  return nearest ?? refuseDate(entry, line);
}

/** Interest is reckoned in months of thirty days, so banks do write 30 February as a day of value. */
function valueMs(valueDay: string, line: number): number {
  const { year, month, day } = yearMonthDay(valueDay);
  const exact = dayOf(year, month, day) ?? (month === 2 && day <= 30 ? dayOf(year, 2, 28) : null);
  return Date.parse(exact ?? refuseDate(valueDay, line));
}

function yearMonthDay(text: string): { year: number; month: number; day: number } {
  const [month, day] = [text.slice(-4, -2), text.slice(-2)].map(Number) as [number, number];
  const written = text.slice(0, -4);
  const year = Number(written);
  if (written.length === 4) return { year, month, day };
  return { year: year >= firstOfLastCentury ? 1900 + year : 2000 + year, month, day };
}

const firstOfLastCentury = 80;

/** Names the part that cannot be read, as far as it can be told. */
function refuseLine(text: string, line: number): StatementError {
  const day = /^\d{6}[\d ]*/.exec(text);
  const mark = day && /^[RE]?[CD][A-Z]?\s?/i.exec(text.slice(day[0].length));
  const reason = !day ? 'date_unreadable' : !mark ? 'sign_unreadable' : 'amount_unreadable';
  const wanted = !day
    ? 'a day (YYMMDD)'
    : !mark
      ? 'a mark (C, D, RC or RD) after the day'
      : 'an amount after the mark';
  return new StatementError({ reason, line, message: `${quoted(text)} does not have ${wanted}.` });
}

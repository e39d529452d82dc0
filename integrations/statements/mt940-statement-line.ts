/**
 * Field `:61:` of an MT940: `2603050305RC12,50NTRFNONREF//B4D4`, and on a second line what the bank adds. The mark says
 * what happens to the account: RC takes back a credit, so money leaves, and RD brings it back.
 */
import { unsignedMinor } from './amounts.ts';
import { dayOf, refuseDate } from './dates.ts';
import { quoted, StatementError } from './statement-error.ts';

export type StatementLine = {
  amountMinor: number;
  currency: string;
  bookedOn: string;
  /** Expected and not booked yet. */
  pending: boolean;
  isReversal: boolean;
  customerReference: string;
  bankReference: string;
  supplementary: string;
};

export function readStatementLine(
  lines: readonly string[],
  { currency, line }: { currency: string; line: number },
): StatementLine {
  const [first = '', ...others] = lines;
  const match = shape.exec(first.trim());
  const { day = '', entry, mark = '', amount = '', reference = '' } = match?.groups ?? {};
  if (!match) throw refuseLine(first, line);
  const minor = unsignedMinor(amount, { currency, line, mark: markIn(amount, line), grouped: false });
  const isOut = outgoing.has(mark.toUpperCase());
  const slashes = reference.indexOf('//');
  return {
    amountMinor: isOut && minor !== 0 ? -minor : minor,
    currency,
    bookedOn: entry === undefined ? swiftDay(day, line) : entryDay(entry, day, line),
    pending: /^E/i.test(mark),
    isReversal: /^R/i.test(mark),
    customerReference: slashes < 0 ? reference : reference.slice(0, slashes),
    bankReference: slashes < 0 ? '' : reference.slice(slashes + 2),
    supplementary: others.join(' '),
  };
}

/** `260305`; years from 80 on are of the last century. Throws `date_unreadable`. */
export function swiftDay(text: string, line: number): string {
  const { year, month, day } = yearMonthDay(text);
  return dayOf(year, month, day) ?? refuseDate(text, line);
}

/** The letter behind the mark is the third of the currency; the type is a letter and three characters. */
const shape =
  /^(?<day>\d{6})\s?(?<entry>\d{4})?\s?(?<mark>[RE]?[CD])(?<funds>[A-Z])?\s?(?<amount>\d[\d.,]*)\s?(?<type>[A-Z][A-Z0-9]{3})?(?<reference>.*)$/i;

const outgoing = new Set(['D', 'RC', 'ED']);

/** The standard's mark is the comma; a point before no more than two digits cannot be anything else. */
function markIn(amount: string, line: number): ',' | '.' {
  if (amount.includes(',')) return ',';
  if (/^\d+\.\d{2}$/.test(amount)) return '.';
  throw new StatementError({
    reason: 'amount_unreadable',
    line,
    message: `${quoted(amount)} cannot be read as an amount: MT940 wants a comma before the decimals.`,
  });
}

/** The entry's day has no year: it is the one that is nearest to the day of value. */
function entryDay(entry: string, valueDay: string, line: number): string {
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
  const [year = 0, month = 0, day = 0] = [text.slice(0, 2), text.slice(2, 4), text.slice(4, 6)].map(Number);
  return { year: year >= firstOfLastCentury ? 1900 + year : 2000 + year, month, day };
}

const firstOfLastCentury = 80;

/** Names the part that cannot be read, as far as it can be told. */
function refuseLine(text: string, line: number): StatementError {
  const day = /^\d{6}\s?(?:\d{4})?\s?/.exec(text);
  const mark = day && /^[RE]?[CD][A-Z]?\s?/i.exec(text.slice(day[0].length));
  const reason = !day ? 'date_unreadable' : !mark ? 'sign_unreadable' : 'amount_unreadable';
  const wanted = !day
    ? 'a day (YYMMDD)'
    : !mark
      ? 'a mark (C, D, RC or RD) after the day'
      : 'an amount after the mark';
  return new StatementError({ reason, line, message: `${quoted(text)} does not have ${wanted}.` });
}

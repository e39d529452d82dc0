/** Days as files write them. A bank's day is kept as it is written: moved to another time zone it would be another day. */
import { quoted, StatementError } from './statement-error.ts';

/** `2026-03-05`, or `null` where no such day is in the calendar. Years 1900 to 2199. */
export function dayOf(year: number, month: number, day: number): string | null {
  const date = new Date(Date.UTC(year, month - 1, day));
  const exists =
    date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return exists && year >= 1900 && year < 2200 ? date.toISOString().slice(0, 10) : null;
}

/** ISO 8601, a day or an instant, with or without a zone. Throws `date_unreadable`. */
export function isoDay(text: string, line: number): string {
  const match =
    /^(\d{4})-(\d{2})-(\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)?(?:Z|[+-]\d{2}:?\d{2})?$/i.exec(
      text.trim(),
    );
  const day = match && dayOf(Number(match[1]), Number(match[2]), Number(match[3]));
  return day ?? refuseDate(text, line);
}

export function refuseDate(text: string, line: number): never {
  throw new StatementError({
    reason: text.trim() === '' ? 'date_missing' : 'date_unreadable',
    line,
    message: text.trim() === '' ? 'The date is missing.' : `${quoted(text)} cannot be read as a date.`,
  });
}

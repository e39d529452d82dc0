/**
 * Days as banks count them: nothing is booked on a weekend. Holidays differ by country and bank, and count as days. Reckoned
 * without the calendar, so that workflows that wait for a bank stay small.
 */
import { addDays, realDayMs } from '../instant.ts';

/**
 * How many days of the calendar pass, from a day (`2026-03-05`) on, until so many business days have begun; none for 0. From a
 * weekend on, the first of them is Monday. Throws a `RangeError` for a count that is no whole number from 0 on.
 */
export function calendarDaysOf(day: string, businessDays: number): number {
  if (!Number.isSafeInteger(businessDays) || businessDays < 0) {
    throw new RangeError(`A number of business days is a whole number from 0 on, not ${businessDays}`);
  }
  const first = new Date(midnightOf(day)).getUTCDay();
  let days = 0;
  for (let left = businessDays; left > 0; ) {
    days += 1;
    const weekday = (first + days) % DAYS_OF_WEEK;
    if (weekday !== SATURDAY && weekday !== SUNDAY) left -= 1;
  }
  return days;
}

/** The day on which so many business days after another one have begun; 0 gives the day itself. */
export function businessDaysLater(day: string, count: number): string {
  return addDays(midnightOf(day), calendarDaysOf(day, count), realDayMs).slice(0, DAY_LENGTH);
}

const DAY_LENGTH = 'YYYY-MM-DD'.length;
const DAYS_OF_WEEK = 7;
const SATURDAY = 6;
const SUNDAY = 0;

function midnightOf(day: string): string {
  return `${day}T00:00:00Z`;
}

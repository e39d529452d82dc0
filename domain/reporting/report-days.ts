/** Days and intervals of reports: calendar days in the tenant's time zone, as people name them (`2026-11-26`). */
import { Temporal } from 'temporal-polyfill';

/** Whole days, both included. */
export type DayRange = { from: string; to: string };

export type ReportInterval = 'day' | 'month';

/** The day it is in the zone. */
export function dayAt(instant: string, timeZone: string): string {
  return Temporal.Instant.from(instant).toZonedDateTimeISO(timeZone).toPlainDate().toString();
}

/** Its first instant; where clocks skip midnight, the first one there is. */
export function startOfDay(day: string, timeZone: string): string {
  return instantOf(Temporal.PlainDate.from(day).toZonedDateTime({ timeZone }));
}

/** When the clocks of the zone show this time on this day (`08:00`). */
export function timeOnDay(day: string, time: string, timeZone: string): string {
  const plainTime = Temporal.PlainTime.from(time);
  return instantOf(Temporal.PlainDate.from(day).toZonedDateTime({ timeZone, plainTime }));
}

export function daysLater(day: string, days: number): string {
  return Temporal.PlainDate.from(day).add({ days }).toString();
}

export function monthsLater(day: string, months: number): string {
  return Temporal.PlainDate.from(day).add({ months }).toString();
}

export function firstOfMonth(day: string): string {
  return `${day.slice(0, 'YYYY-MM'.length)}-01`;
}

/** Days of a range, 1 for a single one; not positive where it ends before it begins. */
export function daysIn({ from, to }: DayRange): number {
  return Temporal.PlainDate.from(from).until(Temporal.PlainDate.from(to)).days + 1;
}

/** The range cut into days or calendar months; the first and the last month may be partial. */
export function intervalsOf({ from, to }: DayRange, interval: ReportInterval): DayRange[] {
  const intervals: DayRange[] = [];
  for (let start = from; start <= to; ) {
    const next = interval === 'day' ? daysLater(start, 1) : monthsLater(firstOfMonth(start), 1);
    const last = daysLater(next, -1);
    intervals.push({ from: start, to: last < to ? last : to });
    start = next;
  }
  return intervals;
}

/** The instants at which intervals begin, and the one at which the last of them ends. */
export function boundariesOf(intervals: readonly DayRange[], timeZone: string): string[] {
  const last = intervals.at(-1);
  if (last === undefined) throw new RangeError('A report has one interval at least');
  return [...intervals.map(({ from }) => from), daysLater(last.to, 1)].map((day) =>
    startOfDay(day, timeZone),
  );
}

function instantOf(zoned: Temporal.ZonedDateTime): string {
  return new Date(zoned.epochMilliseconds).toISOString();
}

/**
 * Billing calendar: every period is computed from the original anchor, in the tenant's time zone, never from the
 * previous period, so that 31 January bills on 28 February and again on 31 March. Wall-clock times that a
 * daylight-saving change skips move forward; times that occur twice take the earlier one.
 */
import { Temporal } from 'temporal-polyfill';
import { addDays, realDayMs } from './instant.ts';

export type BillingInterval = { unit: 'day' | 'week' | 'month' | 'year'; count: number };

/**
 * Where and how fast days pass. `dayMs` is 86,400,000 except for a demo tenant, whose days are shortened so that a
 * person can watch a year; then all arithmetic is linear (a month is 30 days, a year 365).
 */
export type Calendar = { timeZone: string; dayMs: number };

/** Half-open `[startsAt, endsAt)`, ISO-8601 UTC instants. */
export type Period = { startsAt: string; endsAt: string };

/** The n-th period (0 is the first) of an anchor. Throws on a negative index or an interval below one. */
export function periodOf({
  anchor,
  interval,
  index,
  calendar,
}: {
  anchor: string;
  interval: BillingInterval;
  index: number;
  calendar: Calendar;
}): Period {
  if (!Number.isSafeInteger(index) || index < 0)
    throw new RangeError(`Period index must be 0 or more: ${index}`);
  return {
    startsAt: boundary({ anchor, interval, count: index, calendar }),
    endsAt: boundary({ anchor, interval, count: index + 1, calendar }),
  };
}

/** The index of the period that contains `now`; 0 for any instant before the anchor. */
export function periodIndexAt({
  anchor,
  interval,
  now,
  calendar,
}: {
  anchor: string;
  interval: BillingInterval;
  now: string;
  calendar: Calendar;
}): number {
  const elapsedMs = Date.parse(now) - Date.parse(anchor);
  const shortestMs = shortestDays[interval.unit] * interval.count * calendar.dayMs;
  const startOf = (count: number) => Date.parse(boundary({ anchor, interval, count, calendar }));
  // The estimate is high where months are long, and low where a daylight-saving change made a day short.
  let index = Math.max(0, Math.floor(elapsedMs / shortestMs));
  while (index > 0 && startOf(index) > Date.parse(now)) index -= 1;
  while (startOf(index + 1) <= Date.parse(now)) index += 1;
  return index;
}

const shortestDays = { day: 1, week: 7, month: 28, year: 365 } as const;
const linearDays = { day: 1, week: 7, month: 30, year: 365 } as const;

function boundary({
  anchor,
  interval,
  count,
  calendar,
}: {
  anchor: string;
  interval: BillingInterval;
  count: number;
  calendar: Calendar;
}): string {
  if (!Number.isSafeInteger(interval.count) || interval.count < 1) {
    throw new RangeError(`Interval count must be a positive integer: ${interval.count}`);
  }
  // The first period starts at the anchor itself, even one whose wall time occurs twice that day.
  if (count === 0) return new Date(anchor).toISOString();
  const units = interval.count * count;
  if (calendar.dayMs !== realDayMs) return addDays(anchor, linearDays[interval.unit] * units, calendar.dayMs);

  const { epochMilliseconds } = Temporal.Instant.from(anchor)
    .toZonedDateTimeISO(calendar.timeZone)
    .toPlainDateTime()
    .add({ [`${interval.unit}s`]: units })
    .toZonedDateTime(calendar.timeZone, { disambiguation: 'compatible' });
  return new Date(epochMilliseconds).toISOString();
}

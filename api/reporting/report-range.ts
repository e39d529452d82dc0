/** The days a report is about, and the parameters that all reports share. */
import { z } from 'zod';
import { type DayRange, daysIn, daysLater, startOfDay } from '../../domain/reporting/report-days.ts';
import { Problem } from '../problem.ts';
import { currency } from '../schemas.ts';

export const day = z.iso.date().meta({ example: '2026-11-26' });

const timeZone = z.string().meta({ description: 'Whose days they are.', example: 'Europe/Berlin' });

export const rangeFields = {
  from: day.optional().meta({ description: 'The first day, in the time zone of the tenant.' }),
  to: day.optional().meta({ description: 'The last day; as usual today.' }),
};

export const reportFilters = {
  currency: currency.optional(),
  format: z
    .enum(['json', 'csv'])
    .optional()
    .meta({ description: 'As usual what the header Accept asks for.' }),
};

/** What the answer says of its days. */
export const rangeBody = { from: day, to: day, timeZone };

/** Throws `date_out_of_range` for days that no report can be about. */
export function checkRange(range: DayRange, daysMax: number): DayRange {
  const { from, to } = checkDays(range);
  const days = daysIn({ from, to });
  if (days < 1) throw outOfRange(`${to} is before ${from}.`);
  if (days > daysMax)
    throw outOfRange(`A report is about ${daysMax} days at most; ask for less than ${days}.`);
  return { from, to };
}

/** Throws `date_out_of_range`. */
export function checkDays<Days extends Partial<DayRange>>(days: Days): Days {
  for (const each of [days.from, days.to]) {
    if (each !== undefined && (each < FIRST_DAY || each > LAST_DAY))
      throw outOfRange(`${each} is not between ${FIRST_DAY} and ${LAST_DAY}.`);
  }
  return days;
}

/** The instants of whole days, half-open. */
export function instantsOf(
  { from, to }: { from?: string | undefined; to?: string | undefined },
  zone: string,
): { from: string | undefined; to: string | undefined } {
  return {
    from: from === undefined ? undefined : startOfDay(from, zone),
    to: to === undefined ? undefined : startOfDay(daysLater(to, 1), zone),
  };
}

const FIRST_DAY = '2000-01-01';
const LAST_DAY = '2199-12-31';

function outOfRange(detail: string): Problem {
  return new Problem({ code: 'date_out_of_range', detail });
}

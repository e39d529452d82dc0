/** Cohorts: of the customers who first paid in a month, how many still pay, and how much. */
import { z } from 'zod';
import { cohortTotals } from '../../db/queries/reporting/mrr-movements.ts';
import { currentTenant } from '../../db/queries/tenants/tenants.ts';
import { decimalOf } from '../../domain/money.ts';
import { type Cohort, cohortsOf } from '../../domain/reporting/cohorts.ts';
import {
  boundariesOf,
  type DayRange,
  dayAt,
  firstOfMonth,
  intervalsOf,
  monthsLater,
} from '../../domain/reporting/report-days.ts';
import type { CsvTable } from '../csv.ts';
import { type Route, route } from '../route.ts';
import { currency } from '../schemas.ts';
import { countFigure, movementRows, mrrFigure, toMrrFigure } from './figures.ts';
import { day, rangeBody, reportFilters } from './report-range.ts';

const cohort = z
  .object({
    currency,
    from: day,
    to: day,
    customers: countFigure.meta({ description: 'Who first paid in it.' }),
    months: z.array(
      z.object({
        from: day,
        to: day,
        customers: countFigure.meta({ description: 'Who of them pays at its end.' }),
        mrr: mrrFigure,
        retention: z.number().meta({ description: 'Of the customers the cohort began with.', example: 0.75 }),
      }),
    ),
  })
  .meta({ id: 'Cohort' });

const report = z.object({ ...rangeBody, cohorts: z.array(cohort) }).meta({ id: 'CohortReport' });

type Report = z.infer<typeof report>;

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/reports/cohorts',
  operationId: 'getCohorts',
  tag: 'Reports',
  scope: 'reports:read',
  summary: 'Retention of customers by the month in which they first paid',
  query: z.strictObject({
    months: z
      .preprocess(
        (value) => (typeof value === 'string' && /^\d{1,2}$/.test(value) ? Number(value) : value),
        z.int().min(1).max(36).default(12),
      )
      .meta({ description: 'How many months back, the running one included.' }),
    ...reportFilters,
  }),
  responses: {
    200: {
      description: 'The cohorts, by currency and month.',
      schema: report,
      csv: { fileName: 'cohorts.csv', tableOf: toTable },
    },
  },
  handler: async ({ tx, now, query: { months, currency: only } }) => {
    const { timeZone } = await currentTenant(tx);
    const to = dayAt(now.toISOString(), timeZone);
    const range = { from: monthsLater(firstOfMonth(to), 1 - months), to };
    const intervals = intervalsOf(range, 'month');
    const totals = await cohortTotals(tx, { boundaries: boundariesOf(intervals, timeZone), currency: only });
    const cohorts = cohortsOf(totals, intervals.length).map((each) => toCohort(each, intervals));
    return { status: 200, body: { ...range, timeZone, cohorts } };
  },
});

export const cohortRoutes: readonly Route[] = [read];

function toCohort(
  { currency: code, month, customers, months }: Cohort,
  intervals: readonly DayRange[],
): Report['cohorts'][number] {
  const rangeAt = (index: number) => intervals[index] ?? { from: '', to: '' };
  const own = rangeAt(month - 1);
  const query = { currency: code, cohort: own.from.slice(0, 'YYYY-MM'.length) };
  return {
    currency: code,
    ...own,
    customers: { count: customers, rows: movementRows({ ...query, kind: 'new' }) },
    months: months.map(({ customers: count, mrr, retention }, index) => {
      const range = rangeAt(month - 1 + index);
      const upTo = { to: range.to, ...query };
      return {
        ...range,
        customers: { count, rows: movementRows(upTo) },
        mrr: toMrrFigure(mrr, upTo),
        retention,
      };
    }),
  };
}

function toTable({ cohorts }: Report): CsvTable {
  return {
    header: [
      'currency',
      'cohort',
      'cohortCustomers',
      'month',
      'monthsLater',
      'customers',
      'mrr',
      'retention',
    ],
    rows: cohorts.flatMap(({ currency: code, from, customers, months }) =>
      months.map((month, index) => [
        code,
        from.slice(0, 'YYYY-MM'.length),
        customers.count,
        month.from.slice(0, 'YYYY-MM'.length),
        index,
        month.customers.count,
        decimalOf({ amountMinor: month.mrr.amountMinor, currency: code }),
        month.retention,
      ]),
    ),
  };
}

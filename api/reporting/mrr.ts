/** Monthly recurring revenue and how it moved, by day or month; every figure leads to its movements. */
import { z } from 'zod';
import { movementTotals } from '../../db/queries/reporting/mrr-movements.ts';
import { currentTenant } from '../../db/queries/tenants/tenants.ts';
import { decimalOf } from '../../domain/money.ts';
import { type MovementKind, movementKinds, shown, withoutSign } from '../../domain/reporting/mrr.ts';
import { type MrrInterval, mrrByCurrency } from '../../domain/reporting/mrr-report.ts';
import {
  boundariesOf,
  type DayRange,
  dayAt,
  daysLater,
  firstOfMonth,
  intervalsOf,
  monthsLater,
} from '../../domain/reporting/report-days.ts';
import type { CsvTable } from '../csv.ts';
import { type Route, route } from '../route.ts';
import { currency } from '../schemas.ts';
import { type MrrFigure, mrrFigure, toMrrFigure } from './figures.ts';
import { checkRange, day, rangeBody, rangeFields, reportFilters } from './report-range.ts';

const intervalSchema = z
  .object({
    from: day,
    to: day,
    start: mrrFigure,
    new: mrrFigure,
    expansion: mrrFigure,
    reactivation: mrrFigure,
    contraction: mrrFigure,
    churn: mrrFigure,
    end: mrrFigure,
    startCustomers: z.int(),
    endCustomers: z.int(),
  })
  .meta({ id: 'MrrInterval' });

const report = z
  .object({
    ...rangeBody,
    interval: z.enum(['day', 'month']),
    currencies: z.array(z.object({ currency, intervals: z.array(intervalSchema) })),
  })
  .meta({ id: 'MrrReport' });

type Report = z.infer<typeof report>;

const daysMax = { day: 366, month: 3660 };

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/reports/mrr',
  operationId: 'getMrr',
  tag: 'Reports',
  scope: 'reports:read',
  summary: 'Recurring revenue by day or month: start, movements, end',
  description:
    'In each interval end = start + new + expansion + reactivation - contraction - churn, to the unit; it begins as the one before has ended. Contraction and churn are shown without their sign. As usual the last 12 months, or the last 30 days.',
  query: z.strictObject({
    ...rangeFields,
    interval: z.enum(['day', 'month']).default('month'),
    ...reportFilters,
  }),
  responses: {
    200: {
      description: 'The intervals, by currency.',
      schema: report,
      csv: { fileName: 'mrr.csv', tableOf: toTable },
    },
  },
  problems: ['date_out_of_range'],
  handler: async ({ tx, now, query: { from, to, interval, currency: only } }) => {
    const { timeZone } = await currentTenant(tx);
    const last = to ?? dayAt(now.toISOString(), timeZone);
    const usual = interval === 'day' ? daysLater(last, -29) : monthsLater(firstOfMonth(last), -11);
    const range = checkRange({ from: from ?? usual, to: last }, daysMax[interval]);
    const intervals = intervalsOf(range, interval);
    const boundaries = boundariesOf(intervals, timeZone);
    const totals = await movementTotals(tx, { boundaries, currency: only });
    const currencies = [...mrrByCurrency(totals, intervals.length)].map(([code, own]) => ({
      currency: code,
      intervals: own.map((each, index) => toInterval(each, intervals[index] ?? range, code)),
    }));
    return { status: 200, body: { ...range, timeZone, interval, currencies } };
  },
});

export const mrrRoutes: readonly Route[] = [read];

function toInterval(
  { start, sums, end, startCustomers, endCustomers }: MrrInterval,
  { from, to }: DayRange,
  code: string,
): Report['currencies'][number]['intervals'][number] {
  const amounts = shown(start, sums);
  const figureOf = (kind: MovementKind) =>
    toMrrFigure(withoutSign(kind, sums[kind]), { from, to, currency: code, kind }, amounts[kind]);
  const figures = Object.fromEntries(movementKinds.map((kind) => [kind, figureOf(kind)]));
  return {
    from,
    to,
    start: toMrrFigure(start, { to: daysLater(from, -1), currency: code }, amounts.start),
    ...(figures as Record<MovementKind, MrrFigure>),
    end: toMrrFigure(end, { to, currency: code }, amounts.end),
    startCustomers,
    endCustomers,
  };
}

function toTable({ currencies }: Report): CsvTable {
  const columns = ['start', ...movementKinds, 'end'] as const;
  return {
    header: ['currency', 'from', 'to', ...columns, 'startCustomers', 'endCustomers'],
    rows: currencies.flatMap(({ currency: code, intervals }) =>
      intervals.map((each) => [
        code,
        each.from,
        each.to,
        ...columns.map((column) => decimalOf({ amountMinor: each[column].amountMinor, currency: code })),
        each.startCustomers,
        each.endCustomers,
      ]),
    ),
  };
}

/** The key figures of a day: MRR, ARR, ARPA, and the churn of the month that ends with it, with the LTV it means. */
import { z } from 'zod';
import { movementTotals } from '../../db/queries/reporting/mrr-movements.ts';
import { currentTenant } from '../../db/queries/tenants/tenants.ts';
import { decimalOf } from '../../domain/money.ts';
import { type Fraction, toNumber } from '../../domain/reporting/fraction.ts';
import { keyFigures } from '../../domain/reporting/key-figures.ts';
import { withoutSign } from '../../domain/reporting/mrr.ts';
import { type MrrInterval, mrrByCurrency } from '../../domain/reporting/mrr-report.ts';
import {
  boundariesOf,
  type DayRange,
  dayAt,
  daysLater,
  monthsLater,
} from '../../domain/reporting/report-days.ts';
import type { CsvTable } from '../csv.ts';
import { type Route, route } from '../route.ts';
import { currency } from '../schemas.ts';
import { countFigure, movementRows, mrrFigure, toMrrFigure } from './figures.ts';
import { checkRange, day, rangeBody, reportFilters } from './report-range.ts';

const rate = z
  .number()
  .nullable()
  .meta({ description: 'Null where there was nothing to lose.', example: 0.05 });

const figures = z
  .object({
    currency,
    mrr: mrrFigure,
    arr: mrrFigure.meta({ description: '12 × MRR, rounded once.' }),
    customers: countFigure.meta({ description: 'Who pays at the end of the day.' }),
    arpa: mrrFigure.nullable().meta({ description: 'MRR per paying customer; null without any.' }),
    churn: z.object({
      startCustomers: countFigure.meta({ description: 'Who paid when the month began.' }),
      lostCustomers: countFigure,
      customerRate: rate,
      startMrr: mrrFigure,
      churned: mrrFigure,
      contracted: mrrFigure,
      revenueRate: rate,
    }),
    ltv: mrrFigure
      .nullable()
      .meta({ description: 'ARPA × margin / customer churn; null while nobody has left.' }),
  })
  .meta({ id: 'KeyFigures' });

const summary = z
  .object({
    ...rangeBody,
    marginPercent: z.int(),
    currencies: z.array(figures),
  })
  .meta({ id: 'ReportSummary' });

type Summary = z.infer<typeof summary>;

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/reports/summary',
  operationId: 'getReportSummary',
  tag: 'Reports',
  scope: 'reports:read',
  summary: 'MRR, ARR, ARPA, churn and LTV of a day',
  description:
    'Churn is of the month that ends with the day. With a margin of 100, the LTV is revenue; with your own, it is what is left of it.',
  query: z.strictObject({
    date: day.optional().meta({ description: 'As usual today.' }),
    marginPercent: z
      .preprocess(
        (value) => (typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : value),
        z.int().min(1).max(100).default(100),
      )
      .meta({ description: 'What of the revenue is left after what serving the customer costs.' }),
    ...reportFilters,
  }),
  responses: {
    200: {
      description: 'The figures, by currency.',
      schema: summary,
      csv: { fileName: 'summary.csv', tableOf: toTable },
    },
  },
  problems: ['date_out_of_range'],
  handler: async ({ tx, now, query: { date, marginPercent, currency: only } }) => {
    const { timeZone } = await currentTenant(tx);
    const to = date ?? dayAt(now.toISOString(), timeZone);
    const range = checkRange({ from: daysLater(monthsLater(to, -1), 1), to }, DAYS_MAX);
    const boundaries = boundariesOf([range], timeZone);
    const totals = await movementTotals(tx, { boundaries, currency: only });
    const currencies = [...mrrByCurrency(totals, 1)].flatMap(([code, intervals]) =>
      intervals.map((month) => toFigures(month, { range, currency: code, marginPercent })),
    );
    return { status: 200, body: { ...range, timeZone, marginPercent, currencies } };
  },
});

export const summaryRoutes: readonly Route[] = [read];

/** The longest month. */
const DAYS_MAX = 31;

function toFigures(
  { start, end, sums, counts, startCustomers, endCustomers }: MrrInterval,
  { range, currency: code, marginPercent }: { range: DayRange; currency: string; marginPercent: number },
): Summary['currencies'][number] {
  const lost = {
    churned: withoutSign('churn', sums.churn),
    contracted: withoutSign('contraction', sums.contraction),
  };
  const { mrr, arr, arpa, customerChurnRate, revenueChurnRate, ltv } = keyFigures({
    startMrr: start,
    endMrr: end,
    startCustomers,
    endCustomers,
    churnedMrr: lost.churned,
    contractedMrr: lost.contracted,
    churnedCustomers: counts.churn,
    marginPercent,
  });
  const upTo = (to: string) => ({ to, currency: code });
  const within = (kind: string) => ({ ...range, currency: code, kind });
  const figureOf = (value: Fraction | null) => (value === null ? null : toMrrFigure(value, upTo(range.to)));
  const rateOf = (value: Fraction | null) => (value === null ? null : toNumber(value));
  const eve = upTo(daysLater(range.from, -1));
  return {
    currency: code,
    mrr: toMrrFigure(mrr, upTo(range.to)),
    arr: toMrrFigure(arr, upTo(range.to)),
    customers: { count: endCustomers, rows: movementRows(upTo(range.to)) },
    arpa: figureOf(arpa),
    churn: {
      startCustomers: { count: startCustomers, rows: movementRows(eve) },
      lostCustomers: { count: counts.churn, rows: movementRows(within('churn')) },
      customerRate: rateOf(customerChurnRate),
      startMrr: toMrrFigure(start, eve),
      churned: toMrrFigure(lost.churned, within('churn')),
      contracted: toMrrFigure(lost.contracted, within('contraction')),
      revenueRate: rateOf(revenueChurnRate),
    },
    ltv: figureOf(ltv),
  };
}

function toTable({ from, to, currencies }: Summary): CsvTable {
  return {
    header: [
      ...['currency', 'from', 'to', 'mrr', 'arr', 'customers', 'arpa', 'startCustomers', 'lostCustomers'],
      ...['customerChurnRate', 'startMrr', 'churnedMrr', 'contractedMrr', 'revenueChurnRate', 'ltv'],
    ],
    rows: currencies.map(({ currency: code, mrr, arr, customers, arpa, churn, ltv }) => {
      const amount = (figure: { amountMinor: number } | null) =>
        figure === null ? null : decimalOf({ amountMinor: figure.amountMinor, currency: code });
      return [
        ...[code, from, to, amount(mrr), amount(arr), customers.count, amount(arpa)],
        ...[churn.startCustomers.count, churn.lostCustomers.count, churn.customerRate],
        ...[
          amount(churn.startMrr),
          amount(churn.churned),
          amount(churn.contracted),
          churn.revenueRate,
          amount(ltv),
        ],
      ];
    }),
  };
}

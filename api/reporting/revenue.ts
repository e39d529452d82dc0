/** Revenue as it came in, by day and rail, and the entries it is added up from. */
import { z } from 'zod';
import { listRevenueEntries, type RevenueEntry, revenueTotals } from '../../db/queries/reporting/revenue.ts';
import { currentTenant } from '../../db/queries/tenants/tenants.ts';
import { decimalOf } from '../../domain/money.ts';
import { boundariesOf, dayAt, daysLater, intervalsOf } from '../../domain/reporting/report-days.ts';
import {
  cashRails,
  kindsOf,
  type RevenueFigures,
  rails,
  revenueByCurrency,
  revenueFigures,
} from '../../domain/reporting/revenue.ts';
import type { CsvTable } from '../csv.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { type Route, route } from '../route.ts';
import { currency, id, instant, signedAmount } from '../schemas.ts';
import { amountFigure, entryRows, type RowsQuery } from './figures.ts';
import {
  checkDays,
  checkRange,
  day,
  instantsOf,
  rangeBody,
  rangeFields,
  reportFilters,
} from './report-range.ts';
import { cursorParts, rowCursor } from './row-cursor.ts';

const rail = z.enum(rails as [...typeof rails]).meta({
  id: 'PaymentRail',
  description: 'credit is money that came in before on another rail.',
});

const figures = {
  received: amountFigure,
  refunded: amountFigure.meta({ description: 'Less what banks could not pay out.' }),
  disputed: amountFigure.meta({ description: 'Taken out of our account for disputes, less what came back.' }),
  net: amountFigure.meta({ description: 'received - refunded - disputed' }),
};

const ofRail = z.object({ rail, ...figures });

const report = z
  .object({
    ...rangeBody,
    currencies: z.array(
      z.object({
        currency,
        total: z.object(figures).meta({ description: 'All rails on which money moves: all but credit.' }),
        rails: z.array(ofRail),
        days: z
          .array(z.object({ day, ...ofRail.shape }))
          .meta({ description: 'Days and rails on which anything moved.' }),
      }),
    ),
  })
  .meta({ id: 'RevenueReport' });

type Report = z.infer<typeof report>;

const DAYS_MAX = 366;

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/reports/revenue',
  operationId: 'getRevenue',
  tag: 'Reports',
  scope: 'reports:read',
  summary: 'What came in by day and rail, what was refunded, and what is left',
  description:
    'As usual the last 30 days. A payment counts on the day the money came in, a refund on its own.',
  query: z.strictObject({ ...rangeFields, ...reportFilters }),
  responses: {
    200: {
      description: 'The revenue, by currency.',
      schema: report,
      csv: { fileName: 'revenue.csv', tableOf: toTable },
    },
  },
  problems: ['date_out_of_range'],
  handler: async ({ tx, now, query: { from, to, currency: only } }) => {
    const { timeZone } = await currentTenant(tx);
    const last = to ?? dayAt(now.toISOString(), timeZone);
    const range = checkRange({ from: from ?? daysLater(last, -29), to: last }, DAYS_MAX);
    const days = intervalsOf(range, 'day');
    const totals = await revenueTotals(tx, { boundaries: boundariesOf(days, timeZone), currency: only });
    const currencies = revenueByCurrency(totals).map((own) => {
      const query = { ...range, currency: own.currency };
      return {
        currency: own.currency,
        total: toFigures(own.total, { ...query, rail: 'cash' }),
        rails: own.rails.map((each) => ({
          rail: each.rail,
          ...toFigures(each.figures, { ...query, rail: each.rail }),
        })),
        days: own.days.map((each) => {
          const at = days[each.day - 1]?.from ?? range.from;
          const ofDay = { ...query, from: at, to: at, rail: each.rail };
          return { day: at, rail: each.rail, ...toFigures(each.figures, ofDay) };
        }),
      };
    });
    return { status: 200, body: { ...range, timeZone, currencies } };
  },
});

const entry = z
  .object({
    id: z.string().meta({ description: 'Of the payment, the refund or the dispute.' }),
    kind: z.enum([...kindsOf.net]),
    rail,
    at: instant,
    currency,
    amountMinor: signedAmount.meta({ description: 'What goes out is negative.' }),
    paymentId: id('pay', 'payment'),
    invoiceId: id('inv', 'invoice'),
    customerId: id('cus', 'customer'),
  })
  .meta({ id: 'RevenueEntry' });

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/reports/revenue/entries',
  operationId: 'listRevenueEntries',
  tag: 'Reports',
  scope: 'reports:read',
  summary: 'List what came in and went out, oldest first',
  query: z.strictObject({
    ...pageQuery(rowCursor(['pay', 'ref', 'dsp'], `~(${kindsOf.net.join('|')})`)),
    from: rangeFields.from,
    to: rangeFields.to.meta({ description: 'The last day; as usual all there are.' }),
    currency: reportFilters.currency,
    rail: z
      .enum([...rails, 'cash'])
      .optional()
      .meta({ description: 'cash: all rails but credit.' }),
    figure: z
      .enum(revenueFigures as [...typeof revenueFigures])
      .default('net')
      .meta({ description: 'Only what this figure is made of.' }),
  }),
  responses: { 200: { description: 'A page of entries.', schema: pageOf(entry) } },
  problems: ['date_out_of_range'],
  handler: async ({ tx, query: { limit, cursor, from, to, rail: only, figure, currency: code } }) => {
    const { timeZone } = await currentTenant(tx);
    const range = instantsOf(checkDays({ ...(from && { from }), ...(to && { to }) }), timeZone);
    return {
      status: 200,
      body: await page({
        limit,
        fetch: (count) =>
          listRevenueEntries(tx, {
            ...range,
            currency: code,
            rails: only === undefined ? rails : only === 'cash' ? cashRails : [only],
            kinds: kindsOf[figure],
            after: cursorParts(cursor),
            limit: count,
          }),
        cursorOf: ({ at, id: rowId, kind }) => `${at.toISOString()}~${rowId}~${kind}`,
        toItem: toEntry,
      }),
    };
  },
});

export const revenueRoutes: readonly Route[] = [read, list];

function toFigures(
  { received, refunded, disputed, net }: RevenueFigures,
  query: RowsQuery,
): Report['currencies'][number]['total'] {
  const rowsOf = (figure: string) => entryRows({ ...query, figure });
  return {
    received: { amountMinor: received, rows: rowsOf('received') },
    refunded: { amountMinor: refunded, rows: rowsOf('refunded') },
    disputed: { amountMinor: disputed, rows: rowsOf('disputed') },
    net: { amountMinor: net, rows: rowsOf('net') },
  };
}

function toEntry({ at, ...entryRow }: RevenueEntry): z.infer<typeof entry> {
  return { ...entryRow, at: at.toISOString() };
}

function toTable({ currencies }: Report): CsvTable {
  return {
    header: ['day', 'currency', 'rail', ...revenueFigures],
    rows: currencies.flatMap(({ currency: code, days }) =>
      days.map((each) => [
        each.day,
        code,
        each.rail,
        ...revenueFigures.map((figure) =>
          decimalOf({ amountMinor: each[figure].amountMinor, currency: code }),
        ),
      ]),
    ),
  };
}

/** The rows that reports on recurring revenue are added up from. */
import { z } from 'zod';
import { listMovements, type MovementRow } from '../../db/queries/reporting/mrr-movements.ts';
import { currentTenant } from '../../db/queries/tenants/tenants.ts';
import { fraction, inFull, minus, rounded } from '../../domain/reporting/fraction.ts';
import { movementKinds } from '../../domain/reporting/mrr.ts';
import { daysLater, monthsLater } from '../../domain/reporting/report-days.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { type Route, route } from '../route.ts';
import { currency, id, instant } from '../schemas.ts';
import { exactAmount } from './figures.ts';
import { checkDays, instantsOf, rangeFields, reportFilters } from './report-range.ts';
import { cursorParts, rowCursor } from './row-cursor.ts';

const kind = z.enum(movementKinds as [string, ...string[]] as [...typeof movementKinds]).meta({
  id: 'MrrMovementKind',
  description:
    'new: a customer pays for the first time. expansion, contraction: a paying customer pays more or less. churn: the last of what it pays is gone. reactivation: it pays again.',
});

const movement = z
  .object({
    id: id('mov', 'movement'),
    at: instant,
    kind,
    cause: z.string().meta({
      description: 'The kind of the entry in the timeline of the subscription that says why.',
      example: 'plan_changed',
    }),
    customerId: id('cus', 'customer'),
    customerSince: instant.meta({ description: 'When the customer first paid: its cohort.' }),
    subscriptionId: id('sub', 'subscription'),
    planId: id('plan', 'plan').meta({ description: 'What is paid for from then on.' }),
    quantity: z.int(),
    currency,
    before: exactAmount,
    after: exactAmount,
    change: exactAmount.meta({ description: 'after - before: what a figure adds up.' }),
  })
  .meta({ id: 'MrrMovement' });

const month = z
  .string()
  .regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'must be a month')
  .meta({ example: '2026-11' });

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/reports/mrr/movements',
  operationId: 'listMrrMovements',
  tag: 'Reports',
  scope: 'reports:read',
  summary: 'List movements of recurring revenue, oldest first',
  query: z.strictObject({
    ...pageQuery(rowCursor(['mov'])),
    from: rangeFields.from,
    to: rangeFields.to.meta({ description: 'The last day; as usual all there are.' }),
    currency: reportFilters.currency,
    kind: kind.optional(),
    cohort: month.optional().meta({ description: 'The month in which the customers first paid.' }),
    customerId: id('cus', 'customer').optional(),
    subscriptionId: id('sub', 'subscription').optional(),
  }),
  responses: { 200: { description: 'A page of movements.', schema: pageOf(movement) } },
  problems: ['date_out_of_range'],
  handler: async ({ tx, query: { limit, cursor, from, to, cohort, ...filters } }) => {
    const { timeZone } = await currentTenant(tx);
    const range = instantsOf(checkDays({ ...(from && { from }), ...(to && { to }) }), timeZone);
    return {
      status: 200,
      body: await page({
        limit,
        fetch: (count) =>
          listMovements(tx, {
            currency: filters.currency,
            kind: filters.kind,
            customerId: filters.customerId,
            subscriptionId: filters.subscriptionId,
            ...range,
            cohort: cohort === undefined ? undefined : monthOf(cohort, timeZone),
            after: cursorParts(cursor),
            limit: count,
          }),
        cursorOf: ({ at, id: rowId }) => `${at.toISOString()}~${rowId}`,
        toItem: toMovement,
      }),
    };
  },
});

export const mrrMovementRoutes: readonly Route[] = [list];

function monthOf(cohort: string, timeZone: string): { from: string; to: string } {
  const from = `${cohort}-01`;
  const days = checkDays({ from, to: daysLater(monthsLater(from, 1), -1) });
  const range = instantsOf(days, timeZone);
  return { from: range.from ?? from, to: range.to ?? from };
}

function toMovement(row: MovementRow): z.infer<typeof movement> {
  const valueOver = (numerator: bigint) => fraction(numerator, BigInt(row.denominator));
  const [before, after] = [valueOver(row.beforeNumerator), valueOver(row.afterNumerator)];
  const amountOf = (value: typeof before) => ({ amountMinor: rounded(value), exact: inFull(value) });
  return {
    id: row.id,
    at: row.at.toISOString(),
    kind: row.kind,
    cause: row.cause,
    customerId: row.customerId,
    customerSince: row.customerSince.toISOString(),
    subscriptionId: row.subscriptionId,
    planId: row.planId,
    quantity: row.quantity,
    currency: row.currency,
    before: amountOf(before),
    after: amountOf(after),
    change: amountOf(minus(after, before)),
  };
}

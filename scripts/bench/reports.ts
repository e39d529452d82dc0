// How long reports take over 100,000 subscriptions and 24 months: fills a database of its own with SQL and asks each report
// through the query functions of the API. `npm run bench -- --plans` prints the database's plans, too.

import { type SQL, sql } from 'drizzle-orm';
import { createDatabase, type Database, type Tx, withTenant } from '../../db/client.ts';
import { dayFigures } from '../../db/queries/reporting/daily-report.ts';
import { cohortTotals, listMovements, movementTotals } from '../../db/queries/reporting/mrr-movements.ts';
import { listRevenueEntries, revenueTotals } from '../../db/queries/reporting/revenue.ts';
import { createPlans, createTenant } from '../../db/seed/tenant.ts';
import { cohortsOf } from '../../domain/reporting/cohorts.ts';
import { mrrByCurrency } from '../../domain/reporting/mrr-report.ts';
import { boundariesOf, intervalsOf } from '../../domain/reporting/report-days.ts';
import { kindsOf, rails, revenueByCurrency } from '../../domain/reporting/revenue.ts';
import { progress } from '../terminal.ts';
import { fillReports } from './report-data.ts';

const subscriptions = 100_000;
const rounds = 5;
const range = { from: '2024-12-01', to: '2026-11-30' };
const year = { from: '2025-12-01', to: '2026-11-30' };
const month = { from: '2026-11-01', to: '2026-11-30' };

export type ReportTimes = { name: string; medianMs: number; worstMs: number };

/** Every report, several times over. PostgreSQL must run, as `startTestServices` starts it. */
export async function measureReports(): Promise<ReportTimes[]> {
  const { createTestDatabase } = await import('../../test/support/database.ts');
  const database = await createTestDatabase();
  const db = createDatabase({ url: database.url });
  try {
    const tenantId = await createTenant(db, { name: 'Bench' });
    progress(`Filling ${subscriptions.toLocaleString('en')} subscriptions and 24 months …`);
    const price = { priceMinor: 2900, currency: 'USD', interval: { unit: 'month', count: 1 } } as const;
    const [plan] = await createPlans(db, tenantId, [
      { code: 'bench', name: 'Bench', family: 'books', rank: 1, ...price },
    ]);
    await fillReports(database.adminUrl, { tenantId, planId: plan?.id ?? '', subscriptions });
    return await measure(db, tenantId);
  } finally {
    await db.close();
    await database.drop();
  }
}

async function measure(on: Database, tenantId: string): Promise<ReportTimes[]> {
  const monthly = intervalsOf(range, 'month');
  const months = boundariesOf(monthly, 'UTC');
  const days = (of: { from: string; to: string }) => boundariesOf(intervalsOf(of, 'day'), 'UTC');
  const all = { currency: undefined };
  const [from, to] = [months.at(-2), months.at(-1)];
  const reports: Record<string, (tx: Tx) => Promise<unknown>> = {
    'mrr, 24 months': async (tx) =>
      mrrByCurrency(await movementTotals(tx, { boundaries: months, ...all }), monthly.length),
    'mrr, 365 days': async (tx) =>
      mrrByCurrency(await movementTotals(tx, { boundaries: days(year), ...all }), 365),
    summary: async (tx) =>
      mrrByCurrency(await movementTotals(tx, { boundaries: months.slice(-2), ...all }), 1),
    'cohorts, 24 months': async (tx) =>
      cohortsOf(await cohortTotals(tx, { boundaries: months, ...all }), monthly.length),
    'revenue, 30 days': async (tx) =>
      revenueByCurrency(await revenueTotals(tx, { boundaries: days(month), ...all })),
    'revenue, 365 days': async (tx) =>
      revenueByCurrency(await revenueTotals(tx, { boundaries: days(year), ...all })),
    'movements, a page': (tx) =>
      listMovements(tx, {
        ...{ from, to, currency: 'USD', kind: 'churn', cohort: undefined, after: undefined, limit: 101 },
        ...{ customerId: undefined, subscriptionId: undefined },
      }),
    'entries, a page': (tx) =>
      listRevenueEntries(tx, {
        from,
        to,
        currency: 'USD',
        rails,
        kinds: kindsOf.net,
        after: undefined,
        limit: 101,
      }),
    'daily mail': (tx) => dayFigures(tx, { day: '2026-11-15', timeZone: 'UTC' }),
  };
  const times: ReportTimes[] = [];
  for (const [name, ask] of Object.entries(reports)) {
    const taken: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const since = performance.now();
      await withTenant(on, tenantId, ask);
      taken.push(performance.now() - since);
    }
    taken.sort((a, b) => a - b);
    const [medianMs = 0, worstMs = 0] = [taken[rounds >> 1], taken.at(-1)].map((ms) => Math.round(ms ?? 0));
    times.push({ name, medianMs, worstMs });
    if (process.argv.includes('--plans')) await withTenant(on, tenantId, explained(name, ask));
  }
  return times;
}

/** The plan of every statement of a report. */
function explained(name: string, ask: (tx: Tx) => Promise<unknown>): (tx: Tx) => Promise<void> {
  return async (tx) => {
    const execute = tx.execute.bind(tx);
    const spy = Object.create(tx) as Tx;
    const plans: string[] = [];
    const explain = async (query: SQL) => {
      const { rows } = await execute(sql`explain (analyze, buffers) ${query}`);
      plans.push(rows.map((row) => Object.values(row)[0]).join('\n'));
      return execute(query);
    };
    spy.execute = explain as unknown as Tx['execute'];
    await ask(spy);
    for (const plan of plans) console.log(`\n${name}\n${plan}`);
  };
}

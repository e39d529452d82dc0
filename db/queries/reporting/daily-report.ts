/**
 * The daily report of a tenant: what it tells of a day, and the mail that tells it.
 *
 * Why it is safe to run twice: the mail's key is the tenant's day, unique in the database; whoever comes second, a run
 * that is repeated or one beside it, finds it decided. A day nobody reported in time is reported by the next run.
 */
import { and, count, eq, gte, inArray, lt } from 'drizzle-orm';
import { type DailyFigures, dueDays, toDailyFigures } from '../../../domain/reporting/daily-report.ts';
import { mrrByCurrency } from '../../../domain/reporting/mrr-report.ts';
import { boundariesOf } from '../../../domain/reporting/report-days.ts';
import { revenueByCurrency } from '../../../domain/reporting/revenue.ts';
import type { Tx } from '../../client.ts';
import { subscriptions } from '../../schema/billing.ts';
import { notifications } from '../../schema/messaging.ts';
import { together } from '../../together.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { currentTenant } from '../tenants/tenants.ts';
import { movementTotals } from './mrr-movements.ts';
import { findReportSettings, reportTimeOf } from './report-settings.ts';
import { revenueTotals } from './revenue.ts';

/** Decides the mails of all days that are due and not reported yet; returns these days. */
export async function reportDueDays(tx: Tx, { now }: { now: Date }): Promise<string[]> {
  const [tenant, settings] = await together([currentTenant(tx), findReportSettings(tx)]);
  if (settings === null || settings.recipient === null) return [];
  const time = reportTimeOf(settings, tenant);
  const due = dueDays(time, { since: settings.since.toISOString(), now: now.toISOString() });
  const days = await unreported(tx, due);
  for (const day of days) {
    await enqueueNotification(tx, {
      tenantId: tenant.id,
      at: now,
      request: {
        template: 'daily_report',
        variables: { day, ...(await dayFigures(tx, { day, timeZone: time.timeZone })) },
        recipient: settings.recipient,
        dedupeKey: keyOf(day),
      },
    });
  }
  return days;
}

export async function dayFigures(
  tx: Tx,
  { day, timeZone }: { day: string; timeZone: string },
): Promise<DailyFigures> {
  const boundaries = boundariesOf([{ from: day, to: day }], timeZone);
  const [from, to] = boundaries.map((instant) => new Date(instant)) as [Date, Date];
  const { startedAt, endedAt, status } = subscriptions;
  const number = (...conditions: Parameters<typeof and>) =>
    tx
      .select({ number: count() })
      .from(subscriptions)
      .where(and(...conditions))
      .execute();
  const [revenue, movements, [begun], [ended]] = await together([
    revenueTotals(tx, { boundaries, currency: undefined }),
    movementTotals(tx, { boundaries, currency: undefined }),
    number(gte(startedAt, from), lt(startedAt, to)),
    number(gte(endedAt, from), lt(endedAt, to), eq(status, 'cancelled')),
  ]);
  return toDailyFigures({
    revenue: revenueByCurrency(revenue),
    mrr: mrrByCurrency(movements, 1),
    begun: begun?.number ?? 0,
    ended: ended?.number ?? 0,
  });
}

async function unreported(tx: Tx, days: readonly string[]): Promise<string[]> {
  if (days.length === 0) return [];
  const decided = await tx
    .select({ key: notifications.dedupeKey })
    .from(notifications)
    .where(inArray(notifications.dedupeKey, days.map(keyOf)));
  return days.filter((day) => !decided.some(({ key }) => key === keyOf(day)));
}

function keyOf(day: string): string {
  return `daily_report:${day}`;
}

/** Trial statistics: how many trials began, how they ended, and how long conversions took. */
import { desc, isNotNull, sql } from 'drizzle-orm';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { subscriptions } from '../../schema/billing.ts';
import { trialStatistics } from '../../schema/reporting.ts';
import { currentTenant } from '../tenants/tenants.ts';

export type TrialStatisticsRow = typeof trialStatistics.$inferSelect;

/** `conversionRate` counts finished trials only; the figures that nothing supports yet are null. */
export type TrialFigures = Pick<
  TrialStatisticsRow,
  'started' | 'running' | 'converted' | 'ended' | 'conversionRate' | 'averageDaysToConvert'
>;

/** Counts now, from the subscriptions of this tenant that began with a trial. */
export async function computeTrialFigures(tx: Tx): Promise<TrialFigures> {
  const { status, convertedAt, startedAt, trialEndsAt } = subscriptions;
  const wasConverted = sql`${convertedAt} is not null`;
  const isRunning = sql`${convertedAt} is null and ${status} = 'trialing'`;
  const [row] = await tx
    .select({
      started: sql<number>`count(*)::int`,
      running: sql<number>`(count(*) filter (where ${isRunning}))::int`,
      converted: sql<number>`(count(*) filter (where ${wasConverted}))::int`,
      meanSeconds: sql<
        number | null
      >`(avg(extract(epoch from ${convertedAt} - ${startedAt})) filter (where ${wasConverted}))::float8`,
    })
    .from(subscriptions)
    .where(isNotNull(trialEndsAt));
  const { started, running, converted, meanSeconds } = row ?? {
    started: 0,
    running: 0,
    converted: 0,
    meanSeconds: null,
  };
  const ended = started - running - converted;
  const finished = converted + ended;
  const dayMs = dayLengthMs(await currentTenant(tx));
  return {
    started,
    running,
    converted,
    ended,
    conversionRate: finished === 0 ? null : converted / finished,
    averageDaysToConvert: meanSeconds === null ? null : (meanSeconds * 1000) / dayMs,
  };
}

/** Computes and keeps the figures of one run; run again at the same instant it keeps the first ones. */
export async function recordTrialStatistics(
  tx: Tx,
  { tenantId, at }: { tenantId: string; at: Date },
): Promise<TrialFigures> {
  const figures = await computeTrialFigures(tx);
  await tx
    .insert(trialStatistics)
    .values({ id: newId('tst'), tenantId, at, ...figures })
    .onConflictDoNothing();
  return figures;
}

/** The figures of the last run; null before the first one. */
export async function latestTrialStatistics(tx: Tx): Promise<TrialStatisticsRow | null> {
  const [row] = await tx.select().from(trialStatistics).orderBy(desc(trialStatistics.at)).limit(1);
  return row ?? null;
}

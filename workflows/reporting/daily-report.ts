/** Mails yesterday's figures to the tenants that want them. Started every quarter of an hour by its schedule. */
import { proxyActivities } from '@temporalio/workflow';
import type { createDailyReportActivities } from '../../activities/reporting/daily-report.ts';
import { sweep } from '../effect-classes.ts';

const { sendDailyReports } = proxyActivities<ReturnType<typeof createDailyReportActivities>>(sweep);

export async function dailyReport(): Promise<Awaited<ReturnType<typeof sendDailyReports>>> {
  return sendDailyReports({ at: new Date().toISOString() });
}

/** The daily report (seed 002 §3.4): decides the mails of all tenants whose report is due, each day's once. */
import type { Logger } from '../../config/logger.ts';
import type { Database } from '../../db/client.ts';
import { recordScheduleSuccess } from '../../db/queries/operations/schedule-runs.ts';
import { reportDueDays } from '../../db/queries/reporting/daily-report.ts';
import { forEachTenant } from '../each-tenant.ts';

export function createDailyReportActivities(deps: { db: Database; log: Logger }) {
  return {
    /** Safe to repeat: a day that was reported is not due any more. */
    async sendDailyReports({ at }: { at: string }): Promise<{ reports: number }> {
      const now = new Date(at);
      const result = { reports: 0 };
      const failure = await forEachTenant(deps, async (tx) => {
        const days = await reportDueDays(tx, { now });
        result.reports += days.length;
      });
      if (failure !== null) throw failure;
      await recordScheduleSuccess(deps.db, { name: 'daily-report', at: now, result });
      return result;
    },
  };
}

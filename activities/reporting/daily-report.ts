/** The daily report (seed 002 §3.4): decides the mails of all tenants whose report is due, each day's once. */
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { recordScheduleSuccess } from '../../db/queries/operations/schedule-runs.ts';
import { reportDueDays } from '../../db/queries/reporting/daily-report.ts';
import { listTenantIds } from '../../db/queries/tenants/tenants.ts';

export function createDailyReportActivities({ db }: { db: Database }) {
  return {
    /** Safe to repeat: a day that was reported is not due any more. */
    async sendDailyReports({ at }: { at: string }): Promise<{ reports: number }> {
      const now = new Date(at);
      const tenantIds = await withSystem(db, listTenantIds);
      const result = { reports: 0 };
      for (const tenantId of tenantIds) {
        const days = await withTenant(db, tenantId, (tx) => reportDueDays(tx, { now }));
        result.reports += days.length;
      }
      await recordScheduleSuccess(db, { name: 'daily-report', at: now, result });
      return result;
    },
  };
}

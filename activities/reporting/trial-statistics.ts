/** Trial statistics (seed 003): conversion rate and average days to convert, per tenant, every six hours. */
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { recordScheduleSuccess } from '../../db/queries/operations/schedule-runs.ts';
import { recordTrialStatistics } from '../../db/queries/reporting/trial-statistics.ts';
import { listTenantIds } from '../../db/queries/tenants/tenants.ts';

export function createTrialStatisticsActivities({ db }: { db: Database }) {
  return {
    /** Safe to repeat: a run's figures are stored once per tenant and instant. */
    async refreshTrialStatistics({ at }: { at: string }): Promise<{ tenants: number }> {
      const now = new Date(at);
      const tenantIds = await withSystem(db, listTenantIds);
      for (const tenantId of tenantIds) {
        await withTenant(db, tenantId, (tx) => recordTrialStatistics(tx, { tenantId, at: now }));
      }
      const result = { tenants: tenantIds.length };
      await recordScheduleSuccess(db, { name: 'trial-statistics', at: now, result });
      return result;
    },
  };
}

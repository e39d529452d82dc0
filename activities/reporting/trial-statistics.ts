/** Trial statistics (seed 003): conversion rate and average days to convert, per tenant, every six hours. */
import type { Logger } from '../../config/logger.ts';
import type { Database } from '../../db/client.ts';
import { recordScheduleSuccess } from '../../db/queries/operations/schedule-runs.ts';
import { recordTrialStatistics } from '../../db/queries/reporting/trial-statistics.ts';
import { forEachTenant } from '../each-tenant.ts';

export function createTrialStatisticsActivities(deps: { db: Database; log: Logger }) {
  return {
    /** Safe to repeat: a run's figures are stored once per tenant and instant. */
    async refreshTrialStatistics({ at }: { at: string }): Promise<{ tenants: number }> {
      const now = new Date(at);
      const result = { tenants: 0 };
      const failure = await forEachTenant(deps, async (tx, tenantId) => {
        await recordTrialStatistics(tx, { tenantId, at: now });
        result.tenants += 1;
      });
      if (failure !== null) throw failure;
      await recordScheduleSuccess(deps.db, { name: 'trial-statistics', at: now, result });
      return result;
    },
  };
}

/** Counts trials, conversions and days to convert. Started every six hours by its schedule. */
import { proxyActivities } from '@temporalio/workflow';
import type { createTrialStatisticsActivities } from '../../activities/reporting/trial-statistics.ts';
import { hourlySweep } from '../effect-classes.ts';

const { refreshTrialStatistics } =
  proxyActivities<ReturnType<typeof createTrialStatisticsActivities>>(hourlySweep);

export async function trialStatistics(): Promise<Awaited<ReturnType<typeof refreshTrialStatistics>>> {
  return refreshTrialStatistics({ at: new Date().toISOString() });
}

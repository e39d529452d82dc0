/** Has movements that wait for people decided again. Started every hour by its schedule. */
import { proxyActivities } from '@temporalio/workflow';
import type { createBankReconciliationActivities } from '../../activities/payments/bank-matching.ts';
import { hourlySweep } from '../effect-classes.ts';

const { reconcileBanks } =
  proxyActivities<ReturnType<typeof createBankReconciliationActivities>>(hourlySweep);

export async function bankReconciliation(): Promise<Awaited<ReturnType<typeof reconcileBanks>>> {
  return reconcileBanks({ at: new Date().toISOString() });
}

/** Finds what the payment vendors' webhooks never told. Started hourly by its schedule. */
import { proxyActivities } from '@temporalio/workflow';
import type { createMissedWebhooksActivities } from '../../activities/operations/missed-webhooks.ts';
import { hourlySweep } from '../effect-classes.ts';

const { reconcileMissedWebhooks } =
  proxyActivities<ReturnType<typeof createMissedWebhooksActivities>>(hourlySweep);

export async function missedWebhooks(): Promise<Awaited<ReturnType<typeof reconcileMissedWebhooks>>> {
  return reconcileMissedWebhooks({ at: new Date().toISOString() });
}

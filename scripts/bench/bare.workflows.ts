/** The bare workflows the product is measured against: the same number of steps, each inserting one row. */
import {
  condition,
  defineUpdate,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
} from '@temporalio/workflow';
import type { createBareActivities } from './bare-activities.ts';

type BareActivities = ReturnType<typeof createBareActivities>;
const near = proxyLocalActivities<BareActivities>({ startToCloseTimeout: '15 seconds' });
const far = proxyActivities<BareActivities>({ startToCloseTimeout: '15 seconds' });

/** Counterpart of a subscription that is updated: one update is one row. */
export const insertUpdate = defineUpdate<void, []>('insert');

/** Counterpart of a subscription in its trial: it runs and waits. */
export async function bareWaiting(): Promise<void> {
  setHandler(insertUpdate, () => near.insertRow());
  await condition(() => false);
}

/** Counterpart of a first period: a local activity that decides, an activity that acts. */
export async function bareProcess(): Promise<void> {
  await near.insertRow();
  await far.insertRow();
}

/** Jobs of the schedules. The time-skipping server has no schedules: what one would start is started by hand. */
import { expect } from 'vitest';
import type { World } from './world.ts';

let runs = 0;

/** Runs a job to its end. Its result is not awaited, because time would be skipped until it is there. */
export async function runJob(world: World, workflowType: string): Promise<void> {
  runs += 1;
  const workflowId = `${workflowType}/${runs}`;
  const run = await world.client.workflow.start(workflowType, {
    workflowId,
    taskQueue: 'operations',
    args: [],
  });
  await expect.poll(async () => (await run.describe()).status.name, { timeout: 20_000 }).toBe('COMPLETED');
  await world.settle();
}

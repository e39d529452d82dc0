/** Business time of a story: the clock of the time-skipping server. */
import { setTimeout as pause } from 'node:timers/promises';
import type { TestWorkflowEnvironment } from '@temporalio/testing';

export type StoryClock = {
  now(): Date;
  /** Looks at the server's clock again; between looks time runs as the real one does. */
  read(): Promise<void>;
  /** Moves time on, firing every timer on the way. */
  moveTo(instant: Date, options: { workersRun: boolean }): Promise<void>;
};

export async function createStoryClock(env: TestWorkflowEnvironment): Promise<StoryClock> {
  let offsetMs = 0;
  const now = () => new Date(Date.now() + offsetMs);
  const read = async () => {
    offsetMs = (await env.currentTimeMs()) - Date.now();
  };
  await read();
  return {
    now,
    read,
    async moveTo(instant, { workersRun }) {
      await read();
      const durationMs = instant.getTime() - now().getTime();
      if (durationMs > 0) await (workersRun ? env.sleep(durationMs) : sleepThroughOutage(env, durationMs));
      await read();
    },
  };
}

/**
 * The server skips time only while nobody owes it work. In an outage every timer that fires leaves work nobody does,
 * so the lock each of them takes is lifted by hand, and put back at the end.
 */
async function sleepThroughOutage(env: TestWorkflowEnvironment, durationMs: number): Promise<void> {
  const { testService } = env.connection;
  if (testService === undefined) throw new Error('Only the time-skipping server knows outages');
  let arrived = false;
  const sleeping = env.sleep(durationMs).then(() => {
    arrived = true;
  });
  let lifted = 0;
  while (!arrived) {
    const before = await env.currentTimeMs();
    await Promise.race([sleeping, pause(LOOK_MS)]);
    const standsStill = (await env.currentTimeMs()) - before < 10 * LOOK_MS;
    if (arrived || !standsStill) continue;
    await testService.unlockTimeSkipping({});
    lifted += 1;
  }
  await sleeping;
  for (; lifted > 0; lifted -= 1) await testService.lockTimeSkipping({});
}

const LOOK_MS = 20;

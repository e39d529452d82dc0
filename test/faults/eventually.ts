/** Waiting for a condition that costs something to look at: twice a second, so that the looking is not the load. */
import { setTimeout as delay } from 'node:timers/promises';

/** False when the time is over. */
export async function eventually(
  condition: () => Promise<boolean> | boolean,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) return false;
    await delay(LOOK_EVERY_MS);
  }
  return true;
}

const LOOK_EVERY_MS = 500;

import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { heartbeatInterceptor } from './heartbeat.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the heartbeat of activities', () => {
  it('is sent while an activity is at work, and not after its end', async () => {
    expect(await beatsDuring({ heartbeatTimeoutMs: 15_000 }, 22_000)).toBe(4);
  });

  it('costs nothing for an activity that is done at once', async () => {
    expect(await beatsDuring({ heartbeatTimeoutMs: 15_000 }, 4_000)).toBe(0);
  });

  it('is not sent for an activity that has no heartbeat timeout', async () => {
    expect(await beatsDuring({}, 60_000)).toBe(0);
  });

  it('ends with an activity that fails', async () => {
    const failing = beatsDuring({ heartbeatTimeoutMs: 15_000 }, 6_000, new Error('declined'));
    await expect(failing).rejects.toThrow('declined');
    expect(vi.getTimerCount()).toBe(0);
  });
});

/** How often an activity beats that works for `workMs` and then fails, if it is to. */
async function beatsDuring(
  info: { heartbeatTimeoutMs?: number },
  workMs: number,
  failure?: Error,
): Promise<number> {
  const environment = new MockActivityEnvironment(info);
  let beats = 0;
  environment.on('heartbeat', () => {
    beats += 1;
  });
  const work = async () => {
    await new Promise((resolve) => setTimeout(resolve, workMs));
    if (failure) throw failure;
  };
  const done = environment.run(async () => heartbeatInterceptor.execute?.({ args: [], headers: {} }, work));
  done.catch(() => {});
  await vi.advanceTimersByTimeAsync(workMs);
  await vi.advanceTimersByTimeAsync(60_000);
  await done;
  return beats;
}

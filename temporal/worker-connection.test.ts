import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../config/logger.ts';
import { connectWorkers, retryWhileAway } from './worker-connection.ts';

const waits = vi.hoisted((): number[] => []);
// Time only: nothing is waited for, and how long it would have been is written down.
vi.mock('node:timers/promises', () => ({
  setTimeout: async (ms: number, _value: unknown, { signal }: { signal?: AbortSignal }) => {
    signal?.throwIfAborted();
    waits.push(ms);
  },
}));

const log = createLogger({ name: 'test', level: 'silent' });
const away = Object.assign(new Error('unavailable'), { code: 14 });
const refused = Object.assign(new Error('permission denied'), { code: 7 });

/** Fails as often as there are errors, then succeeds. */
function actAfter(errors: Error[]) {
  const remaining = [...errors];
  return async () => {
    const error = remaining.shift();
    if (error) throw error;
    return 'done';
  };
}

beforeEach(() => void waits.splice(0));

describe('what is tried while Temporal is away', () => {
  it('is tried until it succeeds, ever more rarely, and at least every five seconds', async () => {
    expect(await retryWhileAway({ log }, actAfter(Array(7).fill(away)))).toBe('done');
    expect(waits).toEqual([500, 1000, 2000, 4000, 5000, 5000, 5000]);
  });

  it('is not tried again when the server refuses it: waiting would not help', async () => {
    await expect(retryWhileAway({ log }, actAfter([away, refused]))).rejects.toBe(refused);
    expect(waits).toEqual([500]);
  });

  it('ends at once when the process is told to stop', async () => {
    const stopping = new AbortController();
    const act = vi.fn(async () => {
      if (act.mock.calls.length === 3) stopping.abort();
      throw away;
    });
    await expect(retryWhileAway({ log, signal: stopping.signal }, act)).rejects.toThrow(/aborted/);
    expect(act).toHaveBeenCalledTimes(3);
  });
});

it('a worker asks for a connection again whatever the reason is, and says so, until it is told to stop', async () => {
  const stopping = new AbortController();
  const lines: string[] = [];
  const write = (line: string) => {
    lines.push(line);
    if (lines.length === 3) stopping.abort();
  };
  const target = { address: '127.0.0.1:1', namespace: 'any', credentials: {} };
  const recording = createLogger({ name: 'test', destination: { write } });

  await expect(connectWorkers({ target, log: recording, signal: stopping.signal })).rejects.toThrow(
    /aborted/,
  );
  expect(lines).toHaveLength(3);
  expect(lines.every((line) => line.includes('Temporal cannot be reached, trying again'))).toBe(true);
});

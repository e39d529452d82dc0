import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createLogger } from '../config/logger.ts';
import { toSdkLogger } from './runtime.ts';

let lines: Record<string, unknown>[];
const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };

beforeEach(() => {
  lines = [];
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());

it('lines of the SDK keep their level and fields, and lose personal data like all others', () => {
  const log = toSdkLogger(createLogger({ name: 'test', level: 'trace', destination }));
  log.trace('a');
  log.debug('b', { workflowId: 'subscription/1' });
  log.info('c');
  log.warn('d', { error: new Error('no mailbox ada@example.com') });
  log.error('e');

  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    ['trace', 'a'],
    ['debug', 'b'],
    ['info', 'c'],
    ['warn', 'd'],
    ['error', 'e'],
  ]);
  expect(lines[1]).toMatchObject({ workflowId: 'subscription/1' });
  expect(JSON.stringify(lines)).not.toContain('ada@example.com');
});

it('an outage of Temporal is one line in a while, not one for every poller and try', async () => {
  const log = toSdkLogger(createLogger({ name: 'test', destination }));
  const retried = () => log.warn('gRPC call retried', { target: 'temporalio_client::retry' });
  for (let second = 0; second < 60; second++) {
    for (let poller = 0; poller < 20; poller++) retried();
    await vi.advanceTimersByTimeAsync(1000);
  }
  log.warn('something else', { target: 'temporalio_sdk_core' });

  expect(lines.map(({ msg }) => msg)).toEqual([...Array(4).fill('gRPC call retried'), 'something else']);
});

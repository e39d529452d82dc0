// The server's schedules follow the manifest: created, corrected when they drift, deleted when they leave it.

import { randomUUID } from 'node:crypto';
import { type Client, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import { ensureNamespace } from '../../temporal/namespace.ts';
import { reconcileSchedules, scheduleManifest, triggerSchedule } from '../../temporal/schedules.ts';
import { temporalAddress } from '../support/services.ts';

const ids = [
  'perennial/bank-reconciliation',
  'perennial/daily-invoice-run',
  'perennial/daily-report',
  'perennial/exchange-rates',
  'perennial/missed-webhooks',
  'perennial/relay-sweep',
  'perennial/trial-statistics',
];
const dataConverter = createDataConverter(loadConfig({}).encryption);
let client: Client;
const clients: Client[] = [];

beforeEach(async () => {
  const target = { address: temporalAddress(), namespace: `test-${randomUUID()}`, credentials: {} };
  client = createTemporalClient({ target, dataConverter });
  clients.push(client);
  await ensureNamespace({ client, log: createLogger({ name: 'test', level: 'silent' }) });
});
afterAll(() => Promise.all(clients.map((each) => each.connection.close())));

const describeSweep = () => client.schedule.getHandle('perennial/relay-sweep').describe();

/** Listing lags behind writing. */
async function untilListed(expected: string[]): Promise<void> {
  const listed = async () => {
    const found: string[] = [];
    for await (const { scheduleId } of client.schedule.list()) found.push(scheduleId);
    return found.sort();
  };
  await expect.poll(listed, { timeout: 20_000 }).toEqual([...expected].sort());
}

describe('a reconciliation', () => {
  it('creates every schedule as the manifest says, and a second one changes nothing', async () => {
    const first = await reconcileSchedules(client);
    expect({ ...first, created: [...first.created].sort() }).toEqual({
      created: ids,
      updated: [],
      unchanged: [],
      deleted: [],
    });

    const daily = await client.schedule.getHandle('perennial/daily-invoice-run').describe();
    expect(daily.spec.intervals).toMatchObject([{ every: 86_400_000, offset: 36_000_000 }]);
    for (const next of daily.info.nextActionTimes) {
      expect(next.toISOString()).toMatch(/T10:0[01]:/);
    }

    const { spec, action, policies } = await describeSweep();
    expect(spec).toMatchObject({ intervals: [{ every: 300_000 }], jitter: 15_000 });
    expect(action).toMatchObject({
      workflowType: 'relaySweep',
      taskQueue: 'operations',
      workflowExecutionTimeout: 240_000,
      staticSummary: scheduleManifest['relay-sweep'].summary,
    });
    expect(policies).toEqual({ overlap: 'SKIP', catchupWindow: 60_000, pauseOnFailure: false });

    await untilListed(ids);
    const second = await reconcileSchedules(client);
    expect({ ...second, unchanged: [...second.unchanged].sort() }).toEqual({
      created: [],
      updated: [],
      unchanged: ids,
      deleted: [],
    });
  });

  it('corrects what drifted, be it the manifest or a hand on the server, and keeps a pause', async () => {
    await reconcileSchedules(client);
    const changed = { ...scheduleManifest['missed-webhooks'], everySeconds: 7200 };
    const sweep = client.schedule.getHandle('perennial/relay-sweep');
    await sweep.update(({ spec: _spec, ...previous }) => ({
      ...previous,
      spec: { intervals: [{ every: '1 day' }], calendars: [{ hour: 3 }] },
      policies: { overlap: ScheduleOverlapPolicy.ALLOW_ALL },
    }));
    await sweep.pause('we look into it');
    // The server answers before its scheduler has taken the pause; what cannot be read yet cannot be kept.
    await expect.poll(async () => (await describeSweep()).state.paused, { timeout: 20_000 }).toBe(true);

    const report = await reconcileSchedules(client, { ...scheduleManifest, 'missed-webhooks': changed });

    expect([...report.updated].sort()).toEqual(['perennial/missed-webhooks', 'perennial/relay-sweep']);
    expect([...report.unchanged].sort()).toEqual([
      'perennial/bank-reconciliation',
      'perennial/daily-invoice-run',
      'perennial/daily-report',
      'perennial/exchange-rates',
      'perennial/trial-statistics',
    ]);
    const { spec, policies, state } = await describeSweep();
    expect(spec).toMatchObject({ intervals: [{ every: 300_000 }], calendars: [] });
    expect(policies.overlap).toBe('SKIP');
    expect(state).toMatchObject({ paused: true, note: 'we look into it' });
    const webhooks = await client.schedule.getHandle('perennial/missed-webhooks').describe();
    expect(webhooks.spec.intervals).toMatchObject([{ every: 7_200_000 }]);
    expect(
      (await reconcileSchedules(client, { ...scheduleManifest, 'missed-webhooks': changed })).updated,
    ).toEqual([]);
  });

  it('deletes what left the manifest and leaves the schedules of other programs alone', async () => {
    const retired = { ...scheduleManifest['relay-sweep'], workflowType: 'retired' };
    await reconcileSchedules(client, { ...scheduleManifest, retired });
    await client.schedule.create({
      scheduleId: 'somebody-elses',
      spec: { intervals: [{ every: '1 day' }] },
      action: { type: 'startWorkflow', workflowType: 'theirs', taskQueue: 'theirs' },
    });
    await untilListed([...ids, 'perennial/retired', 'somebody-elses']);

    expect((await reconcileSchedules(client)).deleted).toEqual(['perennial/retired']);
    await expect(client.schedule.getHandle('perennial/retired').describe()).rejects.toThrow(
      ScheduleNotFoundError,
    );
    await untilListed([...ids, 'somebody-elses']);
  });

  it('by several workers that boot at once ends in the same schedules', async () => {
    const reports = await Promise.all([1, 2, 3].map(() => reconcileSchedules(client)));
    expect(reports.flatMap(({ created }) => created).sort()).toEqual(ids);
    await untilListed(ids);
  });
});

describe('a trigger by hand', () => {
  it('starts one run with the summary of its job', async () => {
    await reconcileSchedules(client);
    await triggerSchedule(client, 'trial-statistics');

    const runs = () => client.schedule.getHandle('perennial/trial-statistics').describe();
    await expect.poll(async () => (await runs()).info.runningActions.length, { timeout: 20_000 }).toBe(1);
    const [action] = (await runs()).info.runningActions;
    const run = client.workflow.getHandle(action?.workflow.workflowId ?? '');
    expect(await run.describe()).toMatchObject({ type: 'trialStatistics', taskQueue: 'operations' });
  });

  it('of a schedule that does not exist yet fails with a clear error', async () => {
    await expect(triggerSchedule(client, 'relay-sweep')).rejects.toThrow(ScheduleNotFoundError);
  });
});

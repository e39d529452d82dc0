/**
 * Histories of every path, recorded when they were last released, replayed on today's code: processes that are under
 * way must be able to go on with it. A change that is refused here needs `patched()`; see scripts/record-histories.ts.
 */
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, Runtime, Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import pino from 'pino';
import { beforeAll, describe, expect, it } from 'vitest';
import { toSdkLogger } from '../../workers/runtime.ts';
import { bundleWorkflows } from '../../workers/workflow-bundle.ts';
import * as workflows from '../../workflows/index.ts';
import { paths } from './paths.ts';
import { type RecordedRun, readRuns, recordedPaths, textOf } from './recording.ts';

const log = pino({ level: 'silent' });
let today: WorkflowBundleOption;

beforeAll(async () => {
  Runtime.install({
    logger: toSdkLogger(log),
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
  });
  today = await bundleWorkflows({ log });
});

describe('a process that is under way goes on with the code of today', () => {
  it.each(recordedPaths())('%s', async (path) => {
    const runs = readRuns(path);
    expect(runs.length).toBeGreaterThan(0);
    expect(await refusals(today, runs)).toEqual([]);
  });
});

describe('the recorded set', () => {
  it('has every path', () => {
    expect(recordedPaths()).toEqual(Object.keys(paths).sort());
  });

  it('has a run of every workflow type', () => {
    const types = recordedPaths().flatMap(readRuns).map(typeOf);
    expect([...new Set(types)].sort()).toEqual(Object.keys(workflows).sort());
  });

  it.each(['subscription', 'chainWatcher', 'bankConnection'])(
    'has a run of %s that another run goes on with',
    (type) => {
      const ends = recordedPaths()
        .flatMap(readRuns)
        .filter((run) => typeOf(run) === type)
        .map(({ history }) => history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes);
      expect(ends.some((end) => end?.workflowType?.name === type)).toBe(true);
    },
  );

  it('names no person and no machine', () => {
    const texts = recordedPaths().flatMap(readRuns).map(textOf);
    for (const text of texts) {
      expect(text).toContain('json/plain');
      expect(text).not.toMatch(/@example|Person \d|file:\/\/|node_modules|[/\\](home|root|Users)[/\\]/);
    }
  });
});

describe('a change that running processes could not go on with', () => {
  it('is refused when a workflow does something new without patched()', async () => {
    const workflowsPath = fileURLToPath(new URL('./careless-change.ts', import.meta.url));
    const changed = await bundleWorkflowCode({ workflowsPath, logger: toSdkLogger(log) });
    const runs = recordedPaths()
      .flatMap(readRuns)
      .filter((run) => typeOf(run) === 'cardPayment');
    expect(runs.length).toBeGreaterThan(0);
    expect(await refusals(changed, runs)).toHaveLength(runs.length);
  });

  it('is refused when a history holds another activity than the code asks for', async () => {
    const runs = readRuns('jobs-of-the-schedules').filter((run) => typeOf(run) === 'relaySweep');
    for (const event of runs.flatMap(({ history }) => history.events ?? [])) {
      const scheduled = event.activityTaskScheduledEventAttributes;
      if (scheduled?.activityType) scheduled.activityType.name = 'somethingElse';
    }
    expect(await refusals(today, runs)).toHaveLength(1);
  });
});

/** The runs that cannot be replayed on this code, each with the reason. Another failure than that is thrown. */
async function refusals(
  workflowBundle: WorkflowBundleOption,
  runs: readonly RecordedRun[],
): Promise<string[]> {
  const refused: string[] = [];
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, runs)) {
    if (error === undefined) continue;
    if (!(error instanceof DeterminismViolationError)) throw error;
    refused.push(`${workflowId}: ${error.message}`);
  }
  return refused;
}

function typeOf({ history }: RecordedRun): string {
  const started = history.events?.[0]?.workflowExecutionStartedEventAttributes;
  return started?.workflowType?.name ?? 'unknown';
}

/**
 * The table-wide jobs, each a Temporal Schedule that starts a short workflow. This manifest is the truth: at boot the
 * server's schedules are made equal to it (created, updated, deleted), so that none drifts and none is left behind.
 * Deadlines of a single customer are no schedules: they are timers inside that customer's workflow.
 */
import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  ScheduleNotFoundError,
  type ScheduleOptions,
  type ScheduleOptionsStartWorkflowAction,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
import { taskQueues } from '../domain/operations/task-queues.ts';

export type ScheduleName =
  | 'missed-webhooks'
  | 'trial-statistics'
  | 'daily-report'
  | 'exchange-rates'
  | 'daily-invoice-run'
  | 'bank-reconciliation'
  | 'relay-sweep';

/** One job. Jitter keeps jobs of one period apart; times are in seconds. */
export type ScheduleEntry = {
  workflowType: string;
  summary: string;
  everySeconds: number;
  /** How long after each of these times it is started: an interval of a day begins at midnight UTC. As usual 0. */
  offsetSeconds?: number;
  jitterSeconds: number;
  /** A firing missed while the server was down is made up for when it is back within this time. */
  catchupSeconds: number;
  /** A run that hangs is ended before it can hold up the next firings (a firing is skipped while one runs). */
  runTimeoutSeconds: number;
};

export const scheduleManifest: Record<ScheduleName, ScheduleEntry> = {
  'missed-webhooks': {
    workflowType: 'missedWebhooks',
    summary: 'Fetches events of the card vendor whose webhook never came',
    everySeconds: 3600,
    jitterSeconds: 300,
    catchupSeconds: 3600,
    runTimeoutSeconds: 3000,
  },
  'trial-statistics': {
    workflowType: 'trialStatistics',
    summary: 'Counts trials, conversions and days to convert',
    everySeconds: 21_600,
    jitterSeconds: 600,
    catchupSeconds: 21_600,
    runTimeoutSeconds: 3600,
  },
  'daily-report': {
    workflowType: 'dailyReport',
    summary: 'Mails the figures of the day before to tenants, at their time of day',
    everySeconds: 900,
    jitterSeconds: 30,
    // What was missed for longer, the next run makes up for.
    catchupSeconds: 60,
    runTimeoutSeconds: 840,
  },
  'exchange-rates': {
    workflowType: 'exchangeRates',
    summary: 'Fetches the reference rates of the days that are over',
    // They are daily; the other three times make up for a look that failed.
    everySeconds: 21_600,
    jitterSeconds: 600,
    catchupSeconds: 21_600,
    runTimeoutSeconds: 3600,
  },
  'daily-invoice-run': {
    workflowType: 'dailyInvoiceRun',
    summary: 'Issues drafts whose day has come and reminds of unpaid invoices, at 10:00 UTC',
    everySeconds: 86_400,
    offsetSeconds: 36_000,
    jitterSeconds: 60,
    catchupSeconds: 43_200,
    runTimeoutSeconds: 21_600,
  },
  'bank-reconciliation': {
    workflowType: 'bankReconciliation',
    summary: 'Has bank transfers that wait for people matched again',
    everySeconds: 3600,
    jitterSeconds: 300,
    catchupSeconds: 3600,
    runTimeoutSeconds: 3000,
  },
  'relay-sweep': {
    workflowType: 'relaySweep',
    summary: 'Delivers outbox rows that nothing has woken the relay for',
    everySeconds: 300,
    jitterSeconds: 15,
    catchupSeconds: 60,
    runTimeoutSeconds: 240,
  },
};

/** What a reconciliation changed, by schedule id. */
export type ReconcileReport = {
  created: string[];
  updated: string[];
  unchanged: string[];
  deleted: string[];
};

/**
 * Makes the server's schedules equal to the manifest; a second run changes nothing. A pause set by an operator stays,
 * unless it is set in the very moment in which a schedule that drifted is corrected: the SDK's update is unconditional.
 * Of other programs' schedules (ids without our prefix) nothing is touched.
 */
export async function reconcileSchedules(
  client: Client,
  manifest: Readonly<Record<string, ScheduleEntry>> = scheduleManifest,
): Promise<ReconcileReport> {
  const report: ReconcileReport = { created: [], updated: [], unchanged: [], deleted: [] };
  for (const [name, entry] of Object.entries(manifest)) {
    report[await createOrUpdate(client, desiredSchedule(name, entry))].push(scheduleId(name));
  }
  for await (const { scheduleId: id } of client.schedule.list()) {
    const isOurs = id.startsWith(ID_PREFIX);
    if (isOurs && !(id.slice(ID_PREFIX.length) in manifest) && (await deleteSchedule(client, id))) {
      report.deleted.push(id);
    }
  }
  return report;
}

/** Runs a job now, or once more after the run that is going on. Also where the schedule is paused. */
export async function triggerSchedule(client: Client, name: ScheduleName): Promise<void> {
  await client.schedule.getHandle(scheduleId(name)).trigger(ScheduleOverlapPolicy.BUFFER_ONE);
}

/** What the table of schedule runs knows of one job. */
export type ScheduleRun = { name: string; firstSeenAt: Date; lastSuccessAt: Date | null };

/** A job that has not succeeded for two intervals. */
export type OverdueSchedule = { schedule: string; lastSuccessAt: Date | null; everySeconds: number };

/** Which jobs have not succeeded for two intervals, counted from their first sight where they never did. */
export function overdueSchedules({
  runs,
  now,
}: {
  runs: readonly ScheduleRun[];
  now: Date;
}): OverdueSchedule[] {
  return runs.flatMap(({ name, firstSeenAt, lastSuccessAt }) => {
    if (!isScheduleName(name)) return [];
    const { everySeconds } = scheduleManifest[name];
    const sinceMs = now.getTime() - (lastSuccessAt ?? firstSeenAt).getTime();
    return sinceMs < 2 * everySeconds * 1000 ? [] : [{ schedule: name, lastSuccessAt, everySeconds }];
  });
}

function isScheduleName(name: string): name is ScheduleName {
  return Object.hasOwn(scheduleManifest, name);
}

const ID_PREFIX = 'perennial/';

function scheduleId(name: string): string {
  return `${ID_PREFIX}${name}`;
}

type Desired = ScheduleOptions<ScheduleOptionsStartWorkflowAction<Workflow>>;

function desiredSchedule(name: string, entry: ScheduleEntry): Desired {
  return {
    scheduleId: scheduleId(name),
    spec: {
      intervals: [{ every: entry.everySeconds * 1000, offset: (entry.offsetSeconds ?? 0) * 1000 }],
      jitter: entry.jitterSeconds * 1000,
    },
    action: {
      type: 'startWorkflow',
      workflowType: entry.workflowType,
      // The server appends the time of the firing.
      workflowId: name,
      taskQueue: taskQueues.operations,
      args: [],
      workflowExecutionTimeout: entry.runTimeoutSeconds * 1000,
      staticSummary: entry.summary,
    },
    policies: {
      overlap: ScheduleOverlapPolicy.SKIP,
      catchupWindow: entry.catchupSeconds * 1000,
      pauseOnFailure: false,
    },
    state: { note: entry.summary },
  };
}

async function createOrUpdate(
  client: Client,
  desired: Desired,
): Promise<'created' | 'updated' | 'unchanged'> {
  try {
    await client.schedule.create(desired);
    return 'created';
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
  const handle = client.schedule.getHandle(desired.scheduleId);
  if (isEqual(await handle.describe(), desired)) return 'unchanged';
  await handle.update(({ state }) => ({
    spec: desired.spec,
    action: desired.action,
    policies: desired.policies ?? {},
    state,
  }));
  return 'updated';
}

/** True where somebody else (another worker that boots) has not deleted it before us. */
async function deleteSchedule(client: Client, id: string): Promise<boolean> {
  try {
    await client.schedule.getHandle(id).delete();
    return true;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return false;
    throw error;
  }
}

function timesOf(intervals: readonly { every: unknown; offset?: unknown }[] = []): unknown[] {
  return intervals.map(({ every, offset }) => [every, offset ?? 0]);
}

/** Compares everything the manifest decides, and that nothing was added to it; the state belongs to the operators. */
function isEqual({ spec, action, policies }: ScheduleDescription, desired: Desired): boolean {
  const isDesiredSpec =
    JSON.stringify(timesOf(spec.intervals)) === JSON.stringify(timesOf(desired.spec.intervals)) &&
    (spec.jitter ?? 0) === desired.spec.jitter &&
    (spec.calendars ?? []).length === 0 &&
    (spec.skip ?? []).length === 0 &&
    !spec.startAt &&
    !spec.endAt;
  const isDesiredAction =
    action.workflowType === desired.action.workflowType &&
    action.workflowId === desired.action.workflowId &&
    action.taskQueue === desired.action.taskQueue &&
    (action.args ?? []).length === 0 &&
    action.workflowExecutionTimeout === desired.action.workflowExecutionTimeout &&
    action.staticSummary === desired.action.staticSummary;
  return (
    isDesiredSpec &&
    isDesiredAction &&
    policies.overlap === desired.policies?.overlap &&
    policies.catchupWindow === desired.policies?.catchupWindow &&
    policies.pauseOnFailure === desired.policies?.pauseOnFailure
  );
}

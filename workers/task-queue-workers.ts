/**
 * One worker for each task queue. They share a connection and a workflow bundle, and differ in what they may do at
 * once: the queue of the card vendor carries its rate limit, which the server keeps across all processes.
 */
import type { DataConverter } from '@temporalio/common';
import {
  type NativeConnection,
  Worker,
  type WorkerOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { failureInterceptor } from '../activities/failures.ts';
import type { createActivities } from '../activities/index.ts';
import { type TaskQueue, taskQueues } from '../domain/operations/task-queues.ts';
import { heartbeatInterceptor } from './heartbeat.ts';

export type WorkerSettings = {
  /** Workflows kept in memory; one that is not must be replayed when it wakes. */
  maxCachedWorkflows?: number | undefined;
  /** Calls a second to the card vendor, over all processes together. */
  cardVendorCallsPerSecond?: number | undefined;
  /** Worker Deployment Versioning; both or neither. */
  deploymentName?: string | undefined;
  buildId?: string | undefined;
};

export type TaskQueueWorkers = Record<TaskQueue, Worker>;

/** Creates the workers; each polls once it runs. */
export async function createTaskQueueWorkers({
  connection,
  namespace,
  dataConverter,
  workflowBundle,
  activities,
  settings = {},
}: {
  connection: NativeConnection;
  namespace: string;
  dataConverter: DataConverter;
  workflowBundle: WorkflowBundleOption;
  activities: ReturnType<typeof createActivities>;
  settings?: WorkerSettings;
}): Promise<TaskQueueWorkers> {
  const common = {
    connection,
    namespace,
    dataConverter,
    shutdownGraceTime: SHUTDOWN_GRACE,
    shutdownForceTime: SHUTDOWN_FORCE,
    interceptors: {
      activity: [() => ({ inbound: heartbeatInterceptor }), () => ({ inbound: failureInterceptor })],
    },
    ...versioning(settings),
  } satisfies Partial<WorkerOptions>;

  return {
    billing: await Worker.create({
      ...common,
      taskQueue: taskQueues.billing,
      workflowBundle,
      activities: activities.billing,
      maxCachedWorkflows: settings.maxCachedWorkflows ?? CACHED_WORKFLOWS,
    }),
    stripe: await Worker.create({
      ...common,
      taskQueue: taskQueues.stripe,
      activities: activities.stripe,
      maxTaskQueueActivitiesPerSecond: settings.cardVendorCallsPerSecond ?? CARD_VENDOR_CALLS_PER_SECOND,
      maxConcurrentActivityTaskExecutions: CARD_VENDOR_CALLS_AT_ONCE,
    }),
    razorpay: await Worker.create({
      ...common,
      taskQueue: taskQueues.razorpay,
      activities: activities.razorpay,
      maxTaskQueueActivitiesPerSecond: ORDER_VENDOR_CALLS_PER_SECOND,
      maxConcurrentActivityTaskExecutions: ORDER_VENDOR_CALLS_AT_ONCE,
      // Few use it at once: one that asks for tasks is enough.
      maxConcurrentActivityTaskPolls: 2,
    }),
    chains: await Worker.create({
      ...common,
      taskQueue: taskQueues.chains,
      activities: activities.chains,
      // One for each chain, for hours; a few more, so that one whose end is not known yet holds up no other.
      maxConcurrentActivityTaskExecutions: 10,
      maxConcurrentActivityTaskPolls: 1,
    }),
    coinbase: await Worker.create({
      ...common,
      taskQueue: taskQueues.coinbase,
      activities: activities.coinbase,
      maxTaskQueueActivitiesPerSecond: CHECKOUT_CALLS_PER_SECOND,
      maxConcurrentActivityTaskExecutions: CHECKOUT_CALLS_AT_ONCE,
      maxConcurrentActivityTaskPolls: 2,
    }),
    plaid: await Worker.create({
      ...common,
      taskQueue: taskQueues.plaid,
      activities: activities.plaid,
      maxTaskQueueActivitiesPerSecond: BANK_READINGS_PER_SECOND,
      maxConcurrentActivityTaskExecutions: BANK_READINGS_AT_ONCE,
      maxConcurrentActivityTaskPolls: 2,
    }),
    operations: await Worker.create({
      ...common,
      taskQueue: taskQueues.operations,
      workflowBundle,
      activities: activities.operations,
      // Schedules start short workflows, one of a kind at a time.
      maxCachedWorkflows: 20,
      maxConcurrentWorkflowTaskExecutions: 5,
      maxConcurrentWorkflowTaskPolls: 2,
      maxConcurrentActivityTaskExecutions: 5,
      maxConcurrentActivityTaskPolls: 2,
    }),
  };
}

/** About 0.25 MB each. */
const CACHED_WORKFLOWS = 1_000;
/** Stripe allows 100 a second in live mode; the rest is for the API and for people. */
const CARD_VENDOR_CALLS_PER_SECOND = 80;
const CARD_VENDOR_CALLS_AT_ONCE = 40;
/** Razorpay names no limit; it answers 429 when there are too many, and each of these makes up to three calls. */
const ORDER_VENDOR_CALLS_PER_SECOND = 20;
const ORDER_VENDOR_CALLS_AT_ONCE = 10;
/** Coinbase names no limit of its Checkouts API; it answers 429 when there are too many. */
const CHECKOUT_CALLS_PER_SECOND = 10;
const CHECKOUT_CALLS_AT_ONCE = 5;
/** Plaid allows 2,500 calls a minute; a reading that finds little makes one or two. */
const BANK_READINGS_PER_SECOND = 20;
const BANK_READINGS_AT_ONCE = 10;
/** As long as the slowest call to a vendor may take; supervisors wait 30 s before they kill. */
const SHUTDOWN_GRACE = '20s';
const SHUTDOWN_FORCE = '25s';

/** Running workflows move to the new build by themselves, which patches and replay tests make safe. */
function versioning({ deploymentName, buildId }: WorkerSettings): Partial<WorkerOptions> {
  if (deploymentName === undefined || buildId === undefined) return {};
  return {
    workerDeploymentOptions: {
      version: { deploymentName, buildId },
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'AUTO_UPGRADE',
    },
  };
}

/**
 * Activity options by effect class (design: each activity belongs to one). Retry policies name error codes, never
 * messages; errors that a retry cannot mend are marked so where they are thrown.
 */
import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';
import { taskQueues } from '../domain/operations/task-queues.ts';

/** Our own database, next to a decision: unique keys make it idempotent, so it is tried until it works. */
export const record: LocalActivityOptions = {
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '30 seconds' },
};

/** A vendor may take its time; a worker that says nothing for this long is dead, and another one goes on. */
const DEAD_AFTER = '15 seconds';

/**
 * The card vendor, with a key it honours: tried for about five minutes. After that the outcome is unknown or the
 * vendor is down, and the workflow decides when to look again.
 */
export const keyedWrite: ActivityOptions = {
  taskQueue: taskQueues.stripe,
  startToCloseTimeout: '60 seconds',
  heartbeatTimeout: DEAD_AFTER,
  scheduleToCloseTimeout: '15 minutes',
  retry: {
    initialInterval: '1 second',
    backoffCoefficient: 2,
    maximumInterval: '1 minute',
    maximumAttempts: 9,
  },
};

/** Reading at the card vendor, and deeds that change nothing a second time (a deletion): tried until it works. */
export const read: ActivityOptions = {
  taskQueue: taskQueues.stripe,
  startToCloseTimeout: '60 seconds',
  heartbeatTimeout: DEAD_AFTER,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '5 minutes' },
};

/**
 * Razorpay, asked for an order that is looked up before it is asked for again: a person waits for the answer, so it is soon
 * said that there is none.
 */
export const orderWrite: ActivityOptions = {
  taskQueue: taskQueues.razorpay,
  startToCloseTimeout: '30 seconds',
  heartbeatTimeout: DEAD_AFTER,
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumAttempts: 3 },
};

/** Reading at Razorpay, and booking what it says. */
export const orderRead: ActivityOptions = { ...read, taskQueue: taskQueues.razorpay };

/** Coinbase, asked for a checkout under a key that it honours, while a person waits for the answer. */
export const checkoutWrite: ActivityOptions = { ...orderWrite, taskQueue: taskQueues.coinbase };

/** Reading at Coinbase, and booking what it says. */
export const checkoutRead: ActivityOptions = { ...read, taskQueue: taskQueues.coinbase };

/**
 * Reading at the bank feed, page by page, and keeping what it says; a first reading goes back two years. It says itself how
 * long to wait before it is tried again.
 */
export const feedRead: ActivityOptions = {
  taskQueue: taskQueues.plaid,
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: DEAD_AFTER,
  retry: { initialInterval: '2 seconds', backoffCoefficient: 2, maximumInterval: '10 minutes' },
};

/**
 * A schedule's job: tried again, from where it had come to, until shortly before the next firing of the most frequent one,
 * which takes over what this one could not do.
 */
export const sweep: ActivityOptions = {
  taskQueue: taskQueues.operations,
  startToCloseTimeout: '3 minutes',
  heartbeatTimeout: DEAD_AFTER,
  scheduleToCloseTimeout: '3 minutes',
  retry: { initialInterval: '5 seconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
};

/**
 * The same for a job of every hour or more: a vendor that is away for some minutes does not cost the whole hour. One try may
 * take nearly all of that time as long as its worker lives, for some go through all tenants and begin with the first one again:
 * the reconciliation of banks, trial statistics, and the orders and subscriptions that missed webhooks look for.
 */
export const hourlySweep: ActivityOptions = {
  ...sweep,
  startToCloseTimeout: '40 minutes',
  scheduleToCloseTimeout: '45 minutes',
};

/** The same for a daily job, whose work grows with what the tenants have: it may take its time as long as its worker lives. */
export const dailySweep: ActivityOptions = {
  ...sweep,
  startToCloseTimeout: '2 hours',
  scheduleToCloseTimeout: '5 hours',
  retry: { ...sweep.retry, maximumInterval: '10 minutes' },
};

/** Watching a chain: for hours, and again whenever it ends. A worker that died is missed after half a minute. */
export const watching: ActivityOptions = {
  taskQueue: taskQueues.chains,
  startToCloseTimeout: '12 hours',
  heartbeatTimeout: '30 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds' },
};

/** Asking a node while a person waits: where no worker takes it, or a node hangs, the person asks again. */
export const chainQuestion: ActivityOptions = {
  taskQueue: taskQueues.chains,
  startToCloseTimeout: '8 seconds',
  scheduleToCloseTimeout: '9 seconds',
  retry: { maximumAttempts: 1 },
};

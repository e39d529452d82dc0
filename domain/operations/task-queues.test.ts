/** Task queue names are an address: running workflows wait on them. */
import { expect, it } from 'vitest';
import { taskQueues } from './task-queues.ts';

it('never renames a task queue that running workflows wait on', () => {
  expect(taskQueues).toEqual({
    billing: 'billing',
    stripe: 'stripe',
    razorpay: 'razorpay',
    chains: 'chains',
    coinbase: 'coinbase',
    plaid: 'plaid',
    operations: 'operations',
  });
});

/** Whether Temporal answers, and whether workers ask for tasks. Both give up quickly. */
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { type TaskQueue, taskQueues } from '../../domain/operations/task-queues.ts';

const ANSWER_TIMEOUT_MS = 2_000;

/** Rejects when the server does not answer within two seconds. */
export async function pingTemporal(client: Client): Promise<void> {
  await client.withDeadline(Date.now() + ANSWER_TIMEOUT_MS, () => client.workflowService.getSystemInfo({}));
}

/** Task queues that nobody has asked for tasks lately: work on them waits. */
export async function queuesWithoutWorkers(client: Client): Promise<TaskQueue[]> {
  const { namespace } = client.options;
  const idle = await Promise.all(
    Object.values(taskQueues).map(async (queue) => {
      const { pollers } = await client.withDeadline(Date.now() + ANSWER_TIMEOUT_MS, () =>
        client.workflowService.describeTaskQueue({
          namespace,
          taskQueue: { name: queue },
          taskQueueType: polledFor[queue],
        }),
      );
      return (pollers ?? []).length === 0 ? [queue] : [];
    }),
  );
  return idle.flat();
}

const { TaskQueueType } = proto.temporal.api.enums.v1;

/** The vendors' queues have activities only. */
const polledFor: Record<TaskQueue, number> = {
  billing: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
  stripe: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
  razorpay: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
  chains: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
  coinbase: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
  plaid: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
  operations: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
};

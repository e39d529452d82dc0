/** What a caller of the razorpay-dispute workflow needs. It books what Razorpay says about one dispute. */
import { defineSignal } from '@temporalio/workflow';
import type { WorkflowSignalWithStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';

export const razorpayDisputeWorkflowType = 'razorpayDispute';

/** Razorpay's id of the dispute (`disp_…`). */
export type RazorpayDisputeInput = { externalId: string };

/** A stored inbox event about the dispute; it is read again at Razorpay. */
export const disputeEventSignal = defineSignal<[{ inboxEventId: string | null }]>('disputeEvent');

export function razorpayDisputeWorkflowId(externalId: string): string {
  return `razorpay-dispute/${externalId}`;
}

export function razorpayDisputeEvent(externalId: string, inboxEventId: string): WorkflowSignalWithStart {
  return {
    topic: 'workflow.signal_with_start',
    workflowType: razorpayDisputeWorkflowType,
    workflowId: razorpayDisputeWorkflowId(externalId),
    taskQueue: taskQueues.billing,
    args: [{ externalId } satisfies RazorpayDisputeInput],
    summary: 'Book what Razorpay says of a dispute',
    searchAttributes: { EntityId: externalId },
    reuse: 'allow_duplicate',
    signal: disputeEventSignal.name,
    signalArgs: [{ inboxEventId }],
  };
}

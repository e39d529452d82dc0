/** What a caller of the razorpay-collection workflow needs. It books what Razorpay says about a subscription it collects. */
import { defineSignal } from '@temporalio/workflow';
import type { WorkflowSignalWithStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';

export const razorpayCollectionWorkflowType = 'razorpayCollection';

/** Razorpay's id of its subscription (`sub_…`), or of one of its invoices (`inv_…`). */
export type RazorpayCollectionInput = { externalId: string };

/** A stored inbox event about it, or null for a look of our own; it is read again at Razorpay. */
export const collectionEventSignal = defineSignal<[{ inboxEventId: string | null }]>('collectionEvent');

export function razorpayCollectionWorkflowId(externalId: string): string {
  return `razorpay-collection/${externalId}`;
}

/** The envelope of one stored event (or of our own wish to look). A burst about one subscription meets in one run. */
export function razorpayCollectionEvent(
  externalId: string,
  inboxEventId: string | null,
): WorkflowSignalWithStart {
  return {
    topic: 'workflow.signal_with_start',
    workflowType: razorpayCollectionWorkflowType,
    workflowId: razorpayCollectionWorkflowId(externalId),
    taskQueue: taskQueues.billing,
    args: [{ externalId } satisfies RazorpayCollectionInput],
    summary: 'Book what Razorpay collects',
    searchAttributes: { EntityId: externalId },
    reuse: 'allow_duplicate',
    signal: collectionEventSignal.name,
    signalArgs: [{ inboxEventId }],
  };
}

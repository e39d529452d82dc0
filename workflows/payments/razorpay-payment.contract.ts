/** What a caller of the razorpay-payment workflow needs. It books what Razorpay says about the payments of one order. */
import { defineSignal } from '@temporalio/workflow';
import type { WorkflowSignalWithStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';

export const razorpayPaymentWorkflowType = 'razorpayPayment';

/** Razorpay's id of the order (`order_…`). */
export type RazorpayPaymentInput = { externalId: string };

/** A stored inbox event about the order, or null for a look of our own; the order is read again at Razorpay. */
export const orderEventSignal = defineSignal<[{ inboxEventId: string | null }]>('orderEvent');

export function razorpayPaymentWorkflowId(externalId: string): string {
  return `razorpay-payment/${externalId}`;
}

/** The envelope of one stored event (or of our own wish to look). A burst about one order meets in one run. */
export function razorpayPaymentEvent(
  externalId: string,
  inboxEventId: string | null,
): WorkflowSignalWithStart {
  return {
    topic: 'workflow.signal_with_start',
    workflowType: razorpayPaymentWorkflowType,
    workflowId: razorpayPaymentWorkflowId(externalId),
    taskQueue: taskQueues.billing,
    args: [{ externalId } satisfies RazorpayPaymentInput],
    summary: 'Book what Razorpay says',
    searchAttributes: { EntityId: externalId },
    reuse: 'allow_duplicate',
    signal: orderEventSignal.name,
    signalArgs: [{ inboxEventId }],
  };
}

/** What a caller of the card-payment workflow needs. It books what the vendor says about one payment. */
import { defineSignal } from '@temporalio/workflow';
import type { WorkflowSignalWithStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';

export const cardPaymentWorkflowType = 'cardPayment';

export type CardPaymentInput = { paymentId: string };

/** A stored inbox event about the payment, or null for a look of our own; the payment is read again at the vendor. */
export const paymentEventSignal = defineSignal<[{ inboxEventId: string | null }]>('paymentEvent');

export function cardPaymentWorkflowId(paymentId: string): string {
  return `card-payment/${paymentId}`;
}

/** The envelope of one stored event (or of our own wish to look). A burst about one payment meets in one run. */
export function cardPaymentEvent(paymentId: string, inboxEventId: string | null): WorkflowSignalWithStart {
  return {
    topic: 'workflow.signal_with_start',
    workflowType: cardPaymentWorkflowType,
    workflowId: cardPaymentWorkflowId(paymentId),
    taskQueue: taskQueues.billing,
    args: [{ paymentId } satisfies CardPaymentInput],
    summary: 'Book what the card vendor says',
    searchAttributes: { EntityId: paymentId },
    reuse: 'allow_duplicate',
    signal: paymentEventSignal.name,
    signalArgs: [{ inboxEventId }],
  };
}

/**
 * What a caller of the bank-connection workflow needs. It reads the accounts behind one login at a bank, for years, by itself
 * and whenever the feed tells of something; it ends when the connection is unlinked.
 */
import { defineSignal } from '@temporalio/workflow';
import type { WorkflowSignalWithStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';

export const bankConnectionWorkflowType = 'bankConnection';

/** The feed's name of the connection. The rest is what one run hands to the next. */
export type BankConnectionInput = {
  connectionExternalId: string;
  /** When to look without being told; at once when absent, never when null. */
  lookAt?: string | null;
  hints?: (string | null)[];
  /** Of the last look. */
  lookedAt?: string;
};

/** A stored inbox event about the connection, or null for a look that somebody here wants. */
export const bankConnectionEventSignal =
  defineSignal<[{ inboxEventId: string | null }]>('bankConnectionEvent');

export function bankConnectionWorkflowId(connectionExternalId: string): string {
  return `bank-connection/${connectionExternalId}`;
}

/** Has the connection looked at; where nothing watches it, from now on something does. */
export function bankConnectionEvent(
  connectionExternalId: string,
  inboxEventId: string | null,
): WorkflowSignalWithStart {
  return {
    topic: 'workflow.signal_with_start',
    workflowType: bankConnectionWorkflowType,
    workflowId: bankConnectionWorkflowId(connectionExternalId),
    taskQueue: taskQueues.billing,
    args: [{ connectionExternalId } satisfies BankConnectionInput],
    summary: 'Read the accounts at a bank',
    searchAttributes: { EntityId: connectionExternalId },
    reuse: 'allow_duplicate',
    signal: bankConnectionEventSignal.name,
    signalArgs: [{ inboxEventId }],
  };
}

/** What a caller of the bank-matching workflow needs. It decides about the movements of a tenant's accounts. */
import { defineSignal } from '@temporalio/workflow';
import type { WorkflowSignalWithStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';

export const bankMatchingWorkflowType = 'bankMatching';

export type BankMatchingInput = { tenantId: string };

/** There are movements that nobody has decided about, or what was decided is to be looked at again. */
export const lookForMatchesSignal = defineSignal('lookForMatches');

export function bankMatchingWorkflowId(tenantId: string): string {
  return `bank-matching/${tenantId}`;
}

/** With the transaction that keeps the movements; one run decides about all that wait. */
export function lookForMatches(input: BankMatchingInput): WorkflowSignalWithStart {
  const { tenantId } = input;
  return {
    topic: 'workflow.signal_with_start',
    workflowType: bankMatchingWorkflowType,
    workflowId: bankMatchingWorkflowId(tenantId),
    taskQueue: taskQueues.billing,
    args: [input],
    summary: 'Movements on bank accounts find their invoices',
    searchAttributes: { TenantId: tenantId, EntityId: tenantId },
    reuse: 'allow_duplicate',
    signal: lookForMatchesSignal.name,
    signalArgs: [],
  };
}

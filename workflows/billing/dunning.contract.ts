/** What a caller of the dunning workflow needs: its name, id, input and signal. Types only. */
import { defineSignal } from '@temporalio/workflow';
import type { DunningCase } from '../../domain/billing/dunning.ts';
import type { WorkflowSignalWithStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';

export const dunningWorkflowType = 'dunning';

/** A case as the workflow holds it. `version` rises with every change; the highest one wins. */
export type DunningCaseState = DunningCase & {
  caseId: string;
  version: number;
  /** The invoice whose first failure is the clock. */
  invoiceId: string;
  closed: boolean;
};

export type DunningInput = { tenantId: string; customerId: string; dunningCase: DunningCaseState };

/** The case changed: opened, closed (paid, cancelled) or driven by another invoice. */
export const dunningChangedSignal = defineSignal<[DunningCaseState]>('dunningChanged');

export function dunningWorkflowId(customerId: string): string {
  return `dunning/${customerId}`;
}

/**
 * The envelope for every change of a case. It starts the workflow where none runs, so that a change can neither be
 * lost between two cases nor depend on the order of delivery; for a closed case the workflow ends at once.
 */
export function dunningChanged(input: DunningInput): WorkflowSignalWithStart {
  const { tenantId, customerId, dunningCase } = input;
  return {
    topic: 'workflow.signal_with_start',
    workflowType: dunningWorkflowType,
    workflowId: dunningWorkflowId(customerId),
    taskQueue: taskQueues.billing,
    args: [input],
    summary: `Dunning by ${dunningCase.policy.name} v${dunningCase.policy.version}`,
    searchAttributes: {
      TenantId: tenantId,
      CustomerId: customerId,
      EntityId: dunningCase.caseId,
      Status: 'open',
    },
    reuse: 'allow_duplicate',
    signal: dunningChangedSignal.name,
    signalArgs: [dunningCase],
  };
}

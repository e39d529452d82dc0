/** What a caller of the bank-transfer workflow needs. It waits for the transfer that pays an invoice. */
import { defineSignal } from '@temporalio/workflow';
import type { WorkflowSignalWithStart, WorkflowStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';

export const bankTransferWorkflowType = 'bankTransfer';

/** `lookAt`: when the first thing happens by the clock; an instant that has passed is looked at once. */
export type BankTransferInput = {
  tenantId: string;
  customerId: string;
  invoiceId: string;
  bankTransferId: string;
  lookAt: string;
};

/** The row has changed: money came, somebody held or extended it, or the invoice waits for nothing any more. */
export const lookSignal = defineSignal('look');

export function bankTransferWorkflowId(invoiceId: string): string {
  return `bank-transfer/${invoiceId}`;
}

/** With the transaction that gives the instructions. */
export function startBankTransfer(input: BankTransferInput): WorkflowStart {
  return { topic: 'workflow.start', ...fieldsOf(input) };
}

/** Whatever comes later: where the run has ended, a new one looks once. */
export function lookAtBankTransfer(input: BankTransferInput): WorkflowSignalWithStart {
  return { topic: 'workflow.signal_with_start', ...fieldsOf(input), signal: lookSignal.name, signalArgs: [] };
}

function fieldsOf(input: BankTransferInput) {
  const { tenantId, customerId, invoiceId, bankTransferId } = input;
  return {
    workflowType: bankTransferWorkflowType,
    workflowId: bankTransferWorkflowId(invoiceId),
    taskQueue: taskQueues.billing,
    args: [input],
    summary: 'An invoice paid by bank transfer',
    searchAttributes: { TenantId: tenantId, CustomerId: customerId, EntityId: bankTransferId },
    reuse: 'allow_duplicate' as const,
  };
}

/** What a caller of the crypto-invoice workflow needs. It carries out what was decided about an invoice in coins. */
import { defineSignal } from '@temporalio/workflow';
import type { WorkflowSignalWithStart, WorkflowStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';

export const cryptoInvoiceWorkflowType = 'cryptoInvoice';

/** `expiresAt`: until when the quote holds; an instant that has passed is looked at once. */
export type CryptoInvoiceInput = {
  tenantId: string;
  customerId: string;
  cryptoInvoiceId: string;
  expiresAt: string;
};

/** Something was decided, or is to be; the row says what. */
export const lookSignal = defineSignal('look');

export function cryptoInvoiceWorkflowId(cryptoInvoiceId: string): string {
  return `crypto-invoice/${cryptoInvoiceId}`;
}

/** With the invoice's own transaction. */
export function startCryptoInvoice(input: CryptoInvoiceInput): WorkflowStart {
  return { topic: 'workflow.start', ...fieldsOf(input) };
}

/** Whatever comes later: where the run has ended, a new one looks once. */
export function lookAtCryptoInvoice(input: CryptoInvoiceInput): WorkflowSignalWithStart {
  return { topic: 'workflow.signal_with_start', ...fieldsOf(input), signal: lookSignal.name, signalArgs: [] };
}

function fieldsOf(input: CryptoInvoiceInput) {
  const { tenantId, customerId, cryptoInvoiceId } = input;
  return {
    workflowType: cryptoInvoiceWorkflowType,
    workflowId: cryptoInvoiceWorkflowId(cryptoInvoiceId),
    taskQueue: taskQueues.billing,
    args: [input],
    summary: 'An invoice paid in coins',
    searchAttributes: { TenantId: tenantId, CustomerId: customerId, EntityId: cryptoInvoiceId },
    reuse: 'allow_duplicate' as const,
  };
}

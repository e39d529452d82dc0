/** What a caller of the refund workflow needs. It asks the card vendor to give money back, until there is an answer. */
import type { WorkflowStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';

export const refundWorkflowType = 'refund';

export type RefundInput = { tenantId: string; refundId: string };

export function refundWorkflowId(refundId: string): string {
  return `refund/${refundId}`;
}

export function startRefund(input: RefundInput & { customerId: string }): WorkflowStart {
  const { tenantId, customerId, refundId } = input;
  return {
    topic: 'workflow.start',
    workflowType: refundWorkflowType,
    workflowId: refundWorkflowId(refundId),
    taskQueue: taskQueues.billing,
    args: [{ tenantId, refundId } satisfies RefundInput],
    summary: 'Give money back by card',
    searchAttributes: { TenantId: tenantId, CustomerId: customerId, EntityId: refundId },
    reuse: 'reject_duplicate',
  };
}

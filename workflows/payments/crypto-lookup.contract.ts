/** What a caller of the crypto-lookup workflow needs. It asks the nodes of the chains about one transaction, and ends. */
import type { WorkflowStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';
import type { ChainName } from '../../domain/payments/crypto-chain.ts';

export const cryptoLookupWorkflowType = 'cryptoLookup';

/** `txid`: lower case, with `0x` on EVM chains. `chain`: the one that is meant; null for any. */
export type CryptoLookupInput = { tenantId: string; txid: string; chain: ChainName | null };

/** `askId`: of the question; the same one asked again meanwhile gets the answer that is under way. */
export function cryptoLookupWorkflowId(askId: string): string {
  return `crypto-lookup/${askId}`;
}

export function startCryptoLookup({ askId, ...input }: CryptoLookupInput & { askId: string }): WorkflowStart {
  return {
    topic: 'workflow.start',
    workflowType: cryptoLookupWorkflowType,
    workflowId: cryptoLookupWorkflowId(askId),
    taskQueue: taskQueues.operations,
    args: [input],
    summary: 'Look a transaction up on its chain',
    searchAttributes: { TenantId: input.tenantId },
    reuse: 'allow_duplicate',
  };
}

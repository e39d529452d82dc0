/** What a caller of the chain-watcher workflow needs. It runs for ever, once for each chain that has a node. */
import type { WorkflowStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';
import { type ChainName, titleOf } from '../../domain/payments/crypto-chain.ts';

export const chainWatcherWorkflowType = 'chainWatcher';

export type ChainWatcherInput = { chain: ChainName };

export function chainWatcherWorkflowId(chain: ChainName): string {
  return `chain-watcher/${chain}`;
}

/** Begins to watch; where it is watched already, nothing happens. After an end it may begin again. */
export function startChainWatcher(chain: ChainName): WorkflowStart {
  return {
    topic: 'workflow.start',
    workflowType: chainWatcherWorkflowType,
    workflowId: chainWatcherWorkflowId(chain),
    taskQueue: taskQueues.operations,
    args: [{ chain } satisfies ChainWatcherInput],
    summary: `Watch ${titleOf(chain)} for payments`,
    searchAttributes: { EntityId: chain },
    reuse: 'allow_duplicate',
  };
}

/**
 * Keeps a chain watched, for ever: one activity looks at it for hours, and another one after it, on whichever worker is there.
 * It ends where the worker that takes it has no node of this chain any more.
 *
 * Why it is safe to run twice: the activity works under a lease in the database, and only one has it.
 */
import { continueAsNew, proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { createChainWatcherActivities } from '../../activities/payments/chain-watcher.ts';
import { titleOf } from '../../domain/payments/crypto-chain.ts';
import { watching } from '../effect-classes.ts';
import type { ChainWatcherInput } from './chain-watcher.contract.ts';

export async function chainWatcher(input: ChainWatcherInput): Promise<void> {
  const title = titleOf(input.chain);
  const { watchChain } = proxyActivities<ReturnType<typeof createChainWatcherActivities>>({
    ...watching,
    summary: `Watch ${title}`,
  });
  setCurrentDetails(
    `Watching ${title} for payments to our invoices. How far it has been read, and whether its nodes answer: POST /v1/crypto/health.`,
  );
  const { ended } = await watchChain(input);
  if (ended === 'over') await continueAsNew<typeof chainWatcher>(input);
  setCurrentDetails(`No worker has a node of ${title} any more: it is not watched.`);
}

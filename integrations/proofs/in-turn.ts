/** Files are looked into one at a time: each needs a processor, and memory for all that it unpacks to. */
import { once } from 'node:events';

/**
 * Who has hung up (`gone`) before its turn comes has none, and nothing of its file is held for it; the promise is rejected with
 * the signal's reason at once.
 */
export async function inTurn<Result>(work: () => Promise<Result>, gone: AbortSignal): Promise<Result> {
  gone.throwIfAborted();
  const before = last;
  const turn = Promise.race([before, once(gone, 'abort')]).then(() => {
    gone.throwIfAborted();
    return work();
  });
  last = turn.then(
    () => before,
    () => before,
  );
  return turn;
}

let last: Promise<void> = Promise.resolve();

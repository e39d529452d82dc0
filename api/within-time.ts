/** How long a caller waits for the answer of a process. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { pingTemporal } from './operations/temporal-health.ts';
import { Problem } from './problem.ts';

/** A charge may take the vendor's own time and a retry; callers wait no longer than most HTTP clients do. */
const ANSWER_TIMEOUT_MS = 20_000;

/** Most answers are there by then. */
const PATIENCE_MS = 250;

/**
 * Gives up soon when Temporal cannot be reached (found by a call beside an update that takes long), and after a while
 * when the process does not answer. Either way the update may still happen; its id makes a repeat harmless.
 */
export async function withinTime<T>(
  client: Client,
  work: () => Promise<T>,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<T> {
  const abandon = new AbortController();
  const answer = client.withAbortSignal(abandon.signal, () =>
    client.withDeadline(Date.now() + timeoutMs, work),
  );
  const { signal } = abandon;
  const reachable = delay(PATIENCE_MS, undefined, { signal })
    .then(() => pingTemporal(client))
    .then(
      () => answer,
      (cause: unknown) => {
        throw new Problem({
          code: 'temporal_unavailable',
          detail: 'The process cannot be asked now; send the request again with the same Idempotency-Key.',
          cause,
        });
      },
    );
  try {
    return await Promise.race([answer, reachable]);
  } finally {
    // The loser of the race ends too, and what it ends with concerns nobody.
    abandon.abort();
    answer.catch(() => {});
    reachable.catch(() => {});
  }
}

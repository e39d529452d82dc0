/**
 * The connection that workers need. It is apart from the client's because it brings the SDK's native part into the
 * process, which the API has no use for.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection } from '@temporalio/worker';
import type { Logger } from '../config/logger.ts';
import { isTemporalAway, type TemporalTarget } from './connection.ts';

/** Waits for the server for as long as it takes; `signal` ends the waiting. */
export async function connectWorkers({
  target,
  log,
  signal,
}: {
  target: TemporalTarget;
  log: Logger;
  signal?: AbortSignal;
}): Promise<NativeConnection> {
  const { address, namespace, credentials } = target;
  const connection = await retryWhileAway({ log, signal, isAway: () => true }, () =>
    NativeConnection.connect({
      address,
      ...credentials,
      ...(isLoopback(address) ? { grpcCompression: { codec: 'none' } } : {}),
    }),
  );
  log.info({ temporal: address, namespace }, 'connected to Temporal');
  return connection;
}

/** Does `act` again as long as Temporal cannot be reached, and says so in the log. Other errors are thrown. */
export async function retryWhileAway<T>(
  {
    log,
    signal,
    isAway = isTemporalAway,
  }: { log: Logger; signal?: AbortSignal | undefined; isAway?: (error: unknown) => boolean },
  act: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await act();
    } catch (error) {
      if (!isAway(error)) throw error;
      const delayMs = Math.min(RETRY_MS * 2 ** (attempt - 1), RETRY_MAX_MS);
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ attempt, delayMs, reason }, 'Temporal cannot be reached, trying again');
      await sleep(delayMs, undefined, signal ? { signal } : {});
    }
  }
}

/** Waits between the tries at the start of a process. */
const RETRY_MS = 500;
const RETRY_MAX_MS = 5_000;

/** Compressing for a server on this machine costs time and saves nothing. */
function isLoopback(address: string): boolean {
  return /^(localhost|127\.[\d.]+|\[::1\]):/.test(address);
}

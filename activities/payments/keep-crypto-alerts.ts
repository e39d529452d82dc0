/**
 * Looks regularly whether the chains are watched and whether a dollar coin is worth a dollar, and has operators told. It runs
 * beside the watchers in every process that has a node, not inside them: a watcher that is dead, or hangs, tells nothing. No
 * workflow takes part, so that it is done while Temporal is away, too, which no watcher survives.
 *
 * Why it is safe to run twice: see `db/queries/payments/crypto-alerts.ts`; of several processes that look, one notes a change
 * and all of them may tell of it, once.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '../../config/logger.ts';
import type { Database } from '../../db/client.ts';
import { HEARTBEAT_SECONDS_MAX } from '../../db/queries/payments/chain-health.ts';
import { noteCryptoAlerts, tellOfCryptoAlerts } from '../../db/queries/payments/crypto-alerts.ts';
import type { CryptoAlert } from '../../domain/payments/crypto-alert.ts';
import type { ChainWatching } from './chain-watcher.ts';

export type CryptoAlertsDeps = {
  db: Database;
  chainWatching: ChainWatching;
  log: Logger;
  clock?: () => Date;
};

/** One look. Throws only where the database cannot be reached. */
export async function lookForCryptoAlerts({
  db,
  chainWatching: { network, chains, settings },
  log,
  clock = () => new Date(),
}: CryptoAlertsDeps): Promise<void> {
  const watched = chains.map(({ chain }) => chain);
  const { begun, over } = await noteCryptoAlerts(db, { watched, network, settings, at: clock() });
  for (const alert of begun) log.error(fields(alert), 'something is wrong with payments in coins');
  for (const alert of over) log.info(fields(alert), 'it is in order again');
  await tellOfCryptoAlerts(db);
}

/**
 * Looks until `signal`; no failure ends it. The first look waits for as long as a watcher may be silent: those of a process
 * that has just begun, after a deployment, are about to take over.
 */
export async function keepCryptoAlerts({
  signal,
  firstAfterMs = HEARTBEAT_SECONDS_MAX * 1000,
  everyMs = EVERY_MS,
  ...deps
}: CryptoAlertsDeps & { signal: AbortSignal; firstAfterMs?: number; everyMs?: number }): Promise<void> {
  await wait(firstAfterMs, undefined, { signal }).catch(() => {});
  while (!signal.aborted) {
    try {
      await lookForCryptoAlerts(deps);
    } catch (err) {
      deps.log.warn({ err }, 'whether chains are watched could not be looked at; the next look is soon');
    }
    await wait(everyMs, undefined, { signal }).catch(() => {});
  }
}

const EVERY_MS = 30_000;

function fields({ kind, subject, detail }: CryptoAlert): object {
  return { kind, subject, ...(detail !== null && detail !== '' && { detail }) };
}

/**
 * The outbox relay: turns rows that transactions left behind into workflow starts, signals, mails, posts to chats and
 * records of taxes.
 * A notification of Postgres wakes it at the commit; it also looks every few seconds for rows that fell due.
 *
 * Why it is safe to run twice: a row is taken for the time of a lease, so several relays share the work, and one that
 * dies leaves its rows to the others. A row can then be delivered twice, which every topic expects: starts name their
 * workflow, signals carry versions, a mail is sent under its notification's key, a tax is recorded under its reference. A post to a chat
 * has no key: it comes twice, which is rare, and harmless too.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { type Logger, redactText } from '../config/logger.ts';
import { type Database, withTenant } from '../db/client.ts';
import { giveUpNotification } from '../db/queries/messaging/send-notification.ts';
import {
  type ClaimedOutboxRow,
  claimOutbox,
  markDelivered,
  markFailed,
  nextDueAt,
  type OutboxKind,
  outboxNow,
} from '../db/queries/operations/outbox.ts';
import { isTemporalAway } from '../temporal/connection.ts';
import { deliverToTemporal } from '../temporal/deliver.ts';
import type { Listen } from './listen.ts';
import { retryDelayMs } from './relay-retry.ts';

export type RelayDeps = {
  db: Database;
  listen: Listen;
  client: Client;
  /** Sends one mail; throws when it is to be tried again. */
  sendNotification: (input: { tenantId: string; notificationId: string }) => Promise<unknown>;
  /** Posts one notice to the chat of the tenant's operators; throws when it is to be tried again. */
  postNotice: (input: { tenantId: string; notificationId: string }) => Promise<unknown>;
  /** Tells the tax engine of one record; throws when it is to be tried again. */
  recordTax: (input: { tenantId: string; recordId: string }) => Promise<void>;
  log: Logger;
};

export type Relay = {
  start(): void;
  /**
   * Delivers what is due now, not what falls due meanwhile, so that it ends; at `signal` after the rows in hand. Returns how
   * many rows were delivered.
   */
  drainOnce(signal?: AbortSignal): Promise<number>;
  /** Ends after the rows in hand. */
  stop(): Promise<void>;
  health(): RelayHealth;
};

export type RelayHealth = {
  running: boolean;
  /** False while the connection that waits for notifications is being opened again; rows are then polled. */
  listening: boolean;
  /** Why the last turn failed; null after one that worked. */
  lastError: string | null;
};

export function createRelay(deps: RelayDeps): Relay {
  const stopping = new AbortController();
  const { signal } = stopping;
  const lanes = kinds.map((kind) => createLane({ deps, kind, signal }));
  /** A notification names the kind of row that was added; without one, any may have been. */
  const wake = (kind: string | null) => {
    for (const lane of lanes) if (kind === null || kind === lane.kind) lane.wake();
  };
  const ear = createEar({ deps, signal, onWake: wake });
  let running: Promise<unknown> | undefined;

  return {
    start: () => {
      running ??= Promise.all([ear.run(), ...lanes.map((lane) => lane.run())]);
    },
    drainOnce: async (signal) => {
      const dueBy = await outboxNow(deps.db);
      const drained = await Promise.all(kinds.map((kind) => drain(deps, kind, { dueBy, signal })));
      return drained.reduce((sum, { delivered }) => sum + delivered, 0);
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
    health: () => ({
      running: running !== undefined && !signal.aborted,
      listening: ear.isListening(),
      lastError: lanes.map((lane) => lane.lastError()).find((error) => error !== null) ?? null,
    }),
  };
}

/** Each kind has a lane of its own: a slow vendor must not hold up what money waits for. */
const kinds: readonly OutboxKind[] = ['workflows', 'mails', 'chats', 'taxes'];

/** Delivers one kind of rows, again and again. */
function createLane({ deps, kind, signal }: { deps: RelayDeps; kind: OutboxKind; signal: AbortSignal }) {
  const bell = createBell(signal);
  let lastError: string | null = null;
  const turn = async () => {
    const { away } = await drain(deps, kind, { signal });
    lastError = away?.message ?? null;
    if (away) await pause(AWAY_PAUSE_MS, signal);
    else await bell.waitAtMost(async () => untilDue(await nextDueAt(deps.db, kind)));
    if (kind === 'mails') await pause(MAILS_GATHER_MS, signal);
  };
  return {
    kind,
    wake: bell.ring,
    lastError: () => lastError,
    run: () =>
      repeat({
        signal,
        turn,
        onError: (err) => {
          lastError = asError(err).message;
          deps.log.error({ err, kind }, 'the relay failed, trying again');
        },
      }),
  };
}

/** Keeps listening to what commits into the outbox send. What was sent before it listened is lost, hence the wake. */
function createEar({
  deps,
  signal,
  onWake,
}: {
  deps: RelayDeps;
  signal: AbortSignal;
  onWake: (kind: string | null) => void;
}) {
  let listening = false;
  const turn = async () => {
    const lost = Promise.withResolvers<Error | undefined>();
    const stop = () => lost.resolve(undefined);
    const listener = await deps.listen({ onWake, onLost: lost.resolve });
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    listening = true;
    onWake(null);
    const error = await lost.promise;
    listening = false;
    signal.removeEventListener('abort', stop);
    await listener.close();
    if (error) throw error;
  };
  const onError = (error: unknown) =>
    deps.log.warn({ reason: asError(error).message }, 'the relay has no notifications, connecting again');
  return { isListening: () => listening, run: () => repeat({ signal, turn, onError }) };
}

/** Turn after turn until the signal; after an error a little later, and soon after it works again. */
async function repeat({
  signal,
  turn,
  onError,
}: {
  signal: AbortSignal;
  turn: () => Promise<void>;
  onError: (error: unknown) => void;
}): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    try {
      await turn();
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      onError(error);
      await pause(Math.min(FAILURE_MS * 2 ** failures++, FAILURE_MAX_MS), signal);
    }
  }
}

/** Ends early, and without an error, at the signal. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

const BATCH_SIZE = 50;
const CONCURRENCY = 10;
/** A chat shows what goes out twice: all that is taken is posted at once, and the slowest post ends well within the lease. */
const CHATS_SIZE = CONCURRENCY;
/**
 * For how long the rows of a relay that dies stay undelivered. A batch takes a second; where a vendor hangs and it
 * takes longer than this, a row may go out twice, which is harmless.
 */
const LEASE_SECONDS = 30;
/** No mail is in such a hurry that it could not leave together with the next ones. */
const MAILS_GATHER_MS = 100;
/** Waits after an error of the database. */
const FAILURE_MS = 250;
const FAILURE_MAX_MS = 5_000;
/** The longest wait: for rows whose writer meant to deliver them itself, and where a notification was lost. */
const IDLE_MS = 5_000;
/** Keeps the relay from turning while the clock of the database is behind ours. */
const DUE_SOON_MS = 20;
/** Rows that cannot be delivered now fall due again at different times; this keeps the relay from turning over them. */
const AWAY_PAUSE_MS = 1_000;

/** `away`: why Temporal could not be reached. */
type Drained = { delivered: number; away: Error | undefined };

/** Takes batch after batch until none is due, or Temporal is away, or `signal`. */
async function drain(
  deps: RelayDeps,
  kind: OutboxKind,
  { dueBy, signal }: { dueBy?: string; signal: AbortSignal | undefined },
): Promise<Drained> {
  const limit = kind === 'chats' ? CHATS_SIZE : BATCH_SIZE;
  let delivered = 0;
  for (;;) {
    if (signal?.aborted) return { delivered, away: undefined };
    const rows = await claimOutbox(deps.db, { limit, leaseSeconds: LEASE_SECONDS, kind, dueBy });
    const batch = await (kind === 'workflows' ? deliverToWorkflows : deliverToVendor)(deps, rows);
    delivered += batch.delivered;
    if (batch.away)
      deps.log.warn({ reason: batch.away.message }, 'Temporal is away; the outbox waits for it');
    // What was delivered may have made room for what comes next to the same workflow.
    if (batch.away || rows.length === 0 || (kind !== 'workflows' && rows.length < limit)) {
      return { delivered, away: batch.away };
    }
  }
}

/** Each is marked at once: what is delivered twice costs a call to the vendor. */
async function deliverToVendor(deps: RelayDeps, rows: readonly ClaimedOutboxRow[]): Promise<Drained> {
  let delivered = 0;
  await forEachBounded(rows, CONCURRENCY, async (row) => {
    const error = await deliver(deps, row).catch(asError);
    if (error) return postpone(deps, row, error);
    await markDelivered(deps.db, [row.id]);
    delivered += 1;
  });
  return { delivered, away: undefined };
}

/** Each is for another workflow, so none need wait for another. */
async function deliverToWorkflows(deps: RelayDeps, rows: readonly ClaimedOutboxRow[]): Promise<Drained> {
  const done: number[] = [];
  let away: Error | undefined;
  await forEachBounded(rows, CONCURRENCY, async (row) => {
    const error = away ?? (await deliver(deps, row).catch(asError));
    if (error) {
      if (isTemporalAway(error)) away = error;
      return postpone(deps, row, error);
    }
    done.push(row.id);
  });
  await markDelivered(deps.db, done);
  return { delivered: done.length, away };
}

async function deliver(
  { client, sendNotification, postNotice, recordTax, log }: RelayDeps,
  row: ClaimedOutboxRow,
): Promise<void> {
  const { envelope, tenantId } = row;
  if (envelope.topic === 'mail.send') {
    if (tenantId === null) throw new Error('A mail in the outbox names no tenant.');
    await sendNotification({ tenantId, notificationId: envelope.notificationId });
    return;
  }
  if (envelope.topic === 'chat.send') {
    if (tenantId === null) throw new Error('A notice in the outbox names no tenant.');
    await postNotice({ tenantId, notificationId: envelope.notificationId });
    return;
  }
  if (envelope.topic === 'tax.record') {
    if (tenantId === null) throw new Error('A record of a tax in the outbox names no tenant.');
    await recordTax({ tenantId, recordId: envelope.recordId });
    return;
  }
  const delivery = await deliverToTemporal(client, envelope);
  log.debug(
    { outboxId: row.id, topic: envelope.topic, workflowId: envelope.workflowId, delivery },
    'delivered',
  );
}

async function postpone(
  { db, log }: RelayDeps,
  { id, tenantId, attempts, envelope }: ClaimedOutboxRow,
  error: Error,
): Promise<void> {
  const delayMs = retryDelayMs({ topic: envelope.topic, attempts, error });
  const retryAt = delayMs === null ? null : new Date(Date.now() + delayMs);
  const text = redactText(error.message);
  await markFailed(db, { id, error: text, retryAt });
  const fields = { outboxId: id, topic: envelope.topic, attempts, retryAt, err: error };
  if (retryAt !== null) {
    if (!isTemporalAway(error)) log.warn(fields, 'an outbox row could not be delivered');
    return;
  }
  log.error(fields, 'an outbox row was given up');
  if ((envelope.topic !== 'mail.send' && envelope.topic !== 'chat.send') || tenantId === null) return;
  // A message that was in doubt may have arrived; one that never was has not.
  await withTenant(db, tenantId, (tx) => giveUpNotification(tx, envelope.notificationId, text));
}

function untilDue(dueAt: Date | null): number {
  if (dueAt === null) return IDLE_MS;
  return Math.min(Math.max(dueAt.getTime() - Date.now(), DUE_SOON_MS), IDLE_MS);
}

/** A wake-up call that is not lost when it comes while nobody waits. The signal rings it too. */
function createBell(signal: AbortSignal) {
  let rung = false;
  let wake: (() => void) | undefined;
  const ring = () => {
    rung = true;
    wake?.();
  };
  signal.addEventListener('abort', ring, { once: true });
  return {
    ring,
    /** Waits for the bell; asks how long only if it has not rung yet. */
    waitAtMost: async (durationMs: () => Promise<number>): Promise<void> => {
      const ms = rung ? 0 : await durationMs();
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      wake = undefined;
      rung = false;
    },
  };
}

async function forEachBounded<T>(
  items: readonly T[],
  limit: number,
  act: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) await act(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

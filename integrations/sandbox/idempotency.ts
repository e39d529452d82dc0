/**
 * The idempotency layer that Stripe, Resend and Razorpay document: a key remembers its first request and that request's
 * answer, errors included, for 24 hours of the vendor's clock. The same request again gets the stored answer,
 * another request under the same key is a conflict, and so is a repeat while the first one still runs.
 */
import { createHash } from 'node:crypto';
import type { SandboxClock } from './clock.ts';
import type { EffectNote } from './effect-log.ts';
import type { Store } from './store.ts';

export type StoredAnswer = { status: number; body: unknown; note: EffectNote };

type KeyRecord = { requestHash: string; createdAtSeconds: number; answer: StoredAnswer };

export type KeyState =
  | { state: 'new' }
  | { state: 'replay'; answer: StoredAnswer }
  | { state: 'other_request' }
  | { state: 'in_flight' };

export type IdempotencyKeys = {
  /** Looks the key up and, when it is new, marks it as running. */
  begin(key: string, requestHash: string): KeyState;
  /** Keeps the answer; the key counts as running until it is released. */
  keep(key: string, requestHash: string, answer: StoredAnswer): void;
  /** The request has been answered; a key without a kept answer is new again. */
  release(key: string): void;
  /** Forgets every key, as the vendor does after its 24 hours, and those still running. */
  forget(): void;
};

const keyLifetimeSeconds = 24 * 60 * 60;

export function createIdempotencyKeys({
  store,
  clock,
}: {
  store: Store;
  clock: SandboxClock;
}): IdempotencyKeys {
  const records = store.collection<KeyRecord>('idempotency_keys');
  const running = new Map<string, string>();

  return {
    begin(key, requestHash) {
      const runningHash = running.get(key);
      if (runningHash !== undefined) {
        return { state: runningHash === requestHash ? 'in_flight' : 'other_request' };
      }
      const record = records.get(key);
      const isKnown = record && clock.seconds() - record.createdAtSeconds < keyLifetimeSeconds;
      if (isKnown && record.requestHash !== requestHash) return { state: 'other_request' };
      if (isKnown) return { state: 'replay', answer: record.answer };
      running.set(key, requestHash);
      return { state: 'new' };
    },
    keep(key, requestHash, answer) {
      records.put(key, { requestHash, createdAtSeconds: clock.seconds(), answer });
    },
    release(key) {
      running.delete(key);
    },
    forget() {
      running.clear();
      for (const key of records.keys()) records.delete(key);
      store.commit();
    },
  };
}

/** Two requests are the same when method, path and parameters are. */
export function hashRequest(method: string, path: string, params: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([method, path, sorted(params)]))
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, child]) => [key, sorted(child)]));
}

/**
 * The vendor's clock: the real one plus an offset that tests and the demo move. It dates objects and ages
 * idempotency keys; webhook signatures use the real clock, as their receiver does.
 */
import type { Store } from './store.ts';

export type SandboxClock = {
  now(): Date;
  /** Whole seconds since the epoch, as vendors date their objects. */
  seconds(): number;
  set(now: Date): void;
  advance(seconds: number): void;
};

/** The offset is kept in the store, so that a restarted sandbox does not fall back in time. */
export function createClock(store: Store): SandboxClock {
  const settings = store.collection<number>('clock');
  const offsetMs = () => settings.get('offsetMs') ?? 0;
  const now = () => new Date(Date.now() + offsetMs());

  const moveTo = (nextOffsetMs: number) => {
    settings.put('offsetMs', nextOffsetMs);
    store.commit();
  };

  return {
    now,
    seconds: () => Math.floor(now().getTime() / 1000),
    set: (target) => moveTo(target.getTime() - Date.now()),
    advance: (seconds) => moveTo(offsetMs() + seconds * 1000),
  };
}

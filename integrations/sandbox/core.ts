/** What every sandbox is made of, and what every sandbox offers to tests and the demo. */
import { join } from 'node:path';
import { type CallCounter, createCallCounter } from './calls.ts';
import { createClock, type SandboxClock } from './clock.ts';
import { type Effect, type EffectLog, openEffectLog } from './effect-log.ts';
import { createFaults, type FaultPlanInput, type Faults } from './faults.ts';
import { createIdempotencyKeys, type IdempotencyKeys } from './idempotency.ts';
import { openStore, type Store } from './store.ts';

export type SandboxCore = {
  store: Store;
  clock: SandboxClock;
  log: EffectLog;
  faults: Faults;
  keys: IdempotencyKeys;
  calls: CallCounter;
};

/** With a `stateDir`, state and effect log are kept there and an earlier process's are continued. */
export function openSandboxCore({
  vendor,
  stateDir,
}: {
  vendor: string;
  stateDir: string | undefined;
}): SandboxCore {
  const store = openStore({ path: stateDir && join(stateDir, 'state.jsonl') });
  const clock = createClock(store);
  const log = openEffectLog({
    vendor,
    path: stateDir && join(stateDir, 'effects.jsonl'),
    now: clock.now,
  });
  return {
    store,
    clock,
    log,
    faults: createFaults(),
    keys: createIdempotencyKeys({ store, clock }),
    calls: createCallCounter(),
  };
}

export type SandboxControl = {
  clock: Pick<SandboxClock, 'now' | 'set' | 'advance'>;
  /** Every mutating request and what it did. */
  effects(): Effect[];
  /** How often each operation was called, reads included. */
  calls(): Record<string, number>;
  /** Replaces the fault plan; `{}` ends all faults. */
  setFaults(plan: FaultPlanInput): void;
  /** Forgets idempotency keys, as the vendor does after 24 hours. */
  forgetIdempotencyKeys(): void;
  /** Forgets objects, keys, log, calls and faults; the clock returns to the real one. */
  reset(): void;
};

export function createSandboxControl({
  store,
  clock,
  log,
  faults,
  keys,
  calls,
}: SandboxCore): SandboxControl {
  return {
    clock,
    effects: log.entries,
    calls: calls.all,
    setFaults: (plan) => void faults.set(plan),
    forgetIdempotencyKeys: keys.forget,
    reset() {
      keys.forget();
      store.clear();
      log.clear();
      calls.clear();
      faults.set({});
    },
  };
}

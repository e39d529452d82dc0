/** One deadline that is raced against changes and armed anew only when it moves: a timer costs an action each time. */
import { CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow';

type Timer = { at: string; fired: boolean; scope: CancellationScope };

export type Deadline = {
  /** Returns when `at` has come or `changed()` is true. `null`: no deadline, only a change ends the wait. */
  until(at: string | null, options: { summary: string; changed: () => boolean }): Promise<void>;
};

export function createDeadline(): Deadline {
  let timer: Timer | null = null;
  return {
    async until(at, { summary, changed }) {
      if (timer?.at !== at) {
        timer?.scope.cancel();
        timer = at === null ? null : arm(at, summary);
      }
      const armed = timer;
      await condition(() => changed() || armed?.fired === true);
    },
  };
}

function arm(at: string, summary: string): Timer {
  const timer: Timer = { at, fired: false, scope: new CancellationScope() };
  const delayMs = Date.parse(at) - Date.now();
  if (delayMs <= 0) return { ...timer, fired: true };
  const sleeping = timer.scope.run(() => sleep(delayMs, { summary }));
  sleeping.then(
    () => {
      timer.fired = true;
    },
    (error: unknown) => {
      if (!isCancellation(error)) throw error;
    },
  );
  return timer;
}

/** Lets the acts of one workflow happen one after the other, also when updates arrive in the middle of one. */
import { condition } from '@temporalio/workflow';

export type Mutex = <T>(work: () => Promise<T>) => Promise<T>;

export function createMutex(): Mutex {
  let taken = false;
  return async (work) => {
    // Whoever waited may find it taken again by another one that was released at the same time.
    while (taken) await condition(() => !taken);
    taken = true;
    try {
      return await work();
    } finally {
      taken = false;
    }
  };
}

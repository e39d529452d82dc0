/** Lets the acts of one workflow happen one after the other, also when updates arrive in the middle of one. */
import { condition } from '@temporalio/workflow';

export type Mutex = <T>(work: () => Promise<T>) => Promise<T>;

export function createMutex(): Mutex {
  let taken = false;
  return async (work) => {
    await condition(() => !taken);
    taken = true;
    try {
      return await work();
    } finally {
      taken = false;
    }
  };
}

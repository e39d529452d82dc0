/**
 * Independent statements of one transaction, sent one behind the other without waiting in between: on a pipelined
 * connection they cost one round trip together. They still run in the order given.
 */

/**
 * Waits for all of them, also where one fails, and then throws the first failure: a statement that came late would
 * otherwise reach a connection that somebody else uses by then.
 */
export async function together<const T extends readonly (Promise<unknown> | undefined)[]>(
  statements: T,
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> {
  const settled = await Promise.allSettled(statements);
  for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason;
  return settled.map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value) as {
    -readonly [I in keyof T]: Awaited<T[I]>;
  };
}

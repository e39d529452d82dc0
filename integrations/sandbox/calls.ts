/** How often each operation of a vendor was called: what a process costs in vendor calls. */

export type CallCounter = {
  count(op: string): void;
  all(): Record<string, number>;
  clear(): void;
};

export function createCallCounter(): CallCounter {
  let calls: Record<string, number> = {};
  return {
    count(op) {
      calls[op] = (calls[op] ?? 0) + 1;
    },
    all: () => ({ ...calls }),
    clear() {
      calls = {};
    },
  };
}

// The processes that make up the product, and how each is run. Development, tests, the demo, the bench and the
// containers all run the same entry points; a test compares the container files with this list.

import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The folder of the checkout. */
export const checkout = join(import.meta.dirname, '..');

/** Our own programs, each run by Node as it is. */
export const entryPoints = {
  migrate: 'db/migrate.ts',
  seed: 'db/seed/main.ts',
  'stripe-sandbox': 'integrations/stripe/sandbox-main.ts',
  'resend-sandbox': 'integrations/resend/sandbox-main.ts',
  'razorpay-sandbox': 'integrations/razorpay/sandbox-main.ts',
  'coinbase-sandbox': 'integrations/coinbase-business/sandbox-main.ts',
  'slack-sandbox': 'integrations/slack/sandbox-main.ts',
  'plaid-sandbox': 'integrations/plaid/sandbox-main.ts',
  'frankfurter-sandbox': 'integrations/frankfurter/sandbox-main.ts',
  'market-prices-sandbox': 'integrations/market-prices/sandbox-main.ts',
  workers: 'workers/main.ts',
  api: 'api/main.ts',
} as const;

/** What runs for as long as the stack does, in the order in which it is started. */
export const processNames = [
  'postgres',
  'temporal',
  'stripe-sandbox',
  'resend-sandbox',
  'razorpay-sandbox',
  'coinbase-sandbox',
  'slack-sandbox',
  'plaid-sandbox',
  'frankfurter-sandbox',
  'market-prices-sandbox',
  'btcd',
  'anvil',
  'workers',
  'api',
] as const;

/** The chains of this machine. */
export const chainProcesses = ['btcd', 'anvil'] as const;

export type ChainProcess = (typeof chainProcesses)[number];
export type ProcessName = (typeof processNames)[number];
export type EntryPoint = keyof typeof entryPoints;

/** The command of one of our programs, as it stands in the container files. */
export function containerCommand(name: EntryPoint): string[] {
  return ['node', entryPoints[name]];
}

/** The same command with the Node that is running. */
export function localCommand(name: EntryPoint): { command: string; args: string[] } {
  const [, ...args] = containerCommand(name);
  return { command: process.execPath, args };
}

/** Whether something takes connections on the port of this machine. */
export function isListening(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host, timeout: 1_000 });
    const answer = (listening: boolean) => {
      socket.destroy();
      resolve(listening);
    };
    socket.once('connect', () => answer(true));
    socket.once('timeout', () => answer(false));
    socket.once('error', () => answer(false));
  });
}

/** Whether the address answers with a success. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Waits until the condition holds; false when the time is over. */
export async function eventually(condition: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) return false;
    await delay(50);
  }
  return true;
}

/** Waits for all of them even when one fails, so that nothing is started behind the back of the clean-up. */
export async function allOrNothing<T extends readonly Promise<unknown>[]>(
  steps: readonly [...T],
): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  const results = await Promise.allSettled(steps);
  const failure = results.find((result): result is PromiseRejectedResult => result.status === 'rejected');
  if (failure) throw failure.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as never;
}

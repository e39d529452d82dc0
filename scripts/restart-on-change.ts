// Development with `npm run dev`: when a source file changes, workers and API stop as they would for a deployment and
// start again. Node's own --watch is of no use here: it sends messages through the worker threads of the Temporal SDK,
// which takes them for its own and ends.

import { watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Report } from '../config/local-binaries.ts';
import { checkout } from './processes.ts';
import type { Stack } from './stack.ts';

const folders = 'activities api config db domain integrations temporal workers workflows'.split(' ');
const names = ['workers', 'api'];

/** An editor writes several files at once, and some of them twice. */
const SETTLE_MS = 300;

/** Watches until the returned function is called. */
export function restartOnChange({ stack, report }: { stack: Stack; report: Report }): () => void {
  let changed: string | undefined;
  let restarting = false;

  const restart = async () => {
    if (restarting) return;
    restarting = true;
    while (changed !== undefined) {
      await delay(SETTLE_MS);
      report(`${changed} has changed; starting workers and API again …`);
      changed = undefined;
      await Promise.all(names.map((name) => startAnew({ stack, name, report })));
    }
    restarting = false;
  };

  const watchers = folders.map((folder) =>
    watch(join(checkout, folder), { recursive: true }, (_event, file) => {
      if (!file?.endsWith('.ts') || file.endsWith('.test.ts')) return;
      changed = join(folder, file);
      void restart();
    }),
  );
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}

async function startAnew({
  stack,
  name,
  report,
}: {
  stack: Stack;
  name: string;
  report: Report;
}): Promise<void> {
  try {
    if (stack.process(name).isRunning()) await stack.stopProcess(name);
    await stack.start(name);
    report(`${name} runs again.`);
  } catch (error) {
    report(`${(error as Error).message}\nWaiting for the next change …`);
  }
}

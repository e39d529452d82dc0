// A child process with a name, a log file and a known way to stop. Children run in process groups of their own, so
// that Ctrl-C in a terminal reaches only the parent, which then stops them in the right order.

import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** How to run a process; the same description starts it again after a kill. */
export type ProcessDescription = {
  name: string;
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  logFile: string;
  runAs?: { uid: number; gid: number } | undefined;
  stopSignal?: NodeJS.Signals;
  /** How long a stop may take before it is enforced. */
  graceMs?: number;
  onLine?: ((line: string) => void) | undefined;
};

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

export type ManagedProcess = {
  readonly name: string;
  readonly pid: number;
  /** Resolves when it has ended, for whatever reason. */
  readonly exited: Promise<Exit>;
  /** Its end was asked for by `stop` or `kill`. */
  readonly isExpectedToEnd: () => boolean;
  readonly isRunning: () => boolean;
  readonly lastLines: () => string[];
  /** Sends a signal (SIGKILL unless told otherwise) and waits for the end. */
  readonly kill: (signal?: NodeJS.Signals) => Promise<Exit>;
  /** Sends a signal and does not wait, for SIGSTOP and SIGCONT. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Lets it finish, and kills it when the grace period is over. */
  readonly stop: () => Promise<Exit>;
};

const LINES_KEPT = 60;
const GRACE_MS = 10_000;

/** Starts the process; throws when the program cannot be run at all. */
export async function startProcess(description: ProcessDescription): Promise<ManagedProcess> {
  const {
    name,
    command,
    args,
    env,
    cwd,
    runAs,
    logFile,
    stopSignal = 'SIGTERM',
    graceMs = GRACE_MS,
  } = description;
  mkdirSync(dirname(logFile), { recursive: true });
  const child = spawn(command, args, {
    cwd,
    env,
    ...runAs,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await spawned(child, name);

  let expected = false;
  let running = true;
  const lines = recordLines({ child, logFile, onLine: description.onLine });
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      running = false;
      children.delete(child);
      resolve({ code, signal });
    });
  });
  children.set(child, stopSignal);

  const kill = (signal: NodeJS.Signals = 'SIGKILL') => {
    expected = true;
    child.kill(signal);
    return exited;
  };
  return {
    name,
    pid: child.pid as number,
    exited,
    isExpectedToEnd: () => expected,
    isRunning: () => running,
    lastLines: () => [...lines],
    kill,
    signal: (signal) => void child.kill(signal),
    stop: async () => {
      const ended = kill(stopSignal);
      const enforce = new AbortController();
      void delay(graceMs, undefined, { signal: enforce.signal }).then(
        () => child.kill('SIGKILL'),
        () => {},
      );
      return ended.finally(() => enforce.abort());
    },
  };
}

/** Waits until `isReady`; throws when the process ends before, or does not become ready in time. */
export async function untilReady({
  process: started,
  isReady,
  timeoutMs = 120_000,
}: {
  process: ManagedProcess;
  isReady: () => Promise<boolean>;
  timeoutMs?: number;
}): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isReady())) {
    if (!started.isRunning()) throw new Error(describeEnd(started, await started.exited));
    if (Date.now() > deadline) {
      throw new Error(
        `${started.name} is not ready after ${timeoutMs / 1000} s.\n${indented(started.lastLines())}`,
      );
    }
    await delay(50);
  }
}

/** Says which process ended, how, and what it said last. */
export function describeEnd(ended: ManagedProcess, { code, signal }: Exit): string {
  const how = signal ? `was killed by ${signal}` : `ended with code ${code}`;
  return `${ended.name} ${how}. Its last words:\n${indented(ended.lastLines())}`;
}

/** A parent that ends without stopping its children takes them along. */
const children = new Map<ChildProcess, NodeJS.Signals>();
process.once('exit', () => {
  for (const [child, stopSignal] of children) child.kill(stopSignal);
});

/** Without a handler a signal ends Node without the event `exit`; a script that has one of its own decides itself. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(1);
  });
}

function spawned(child: ChildProcess, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Error(`${name} could not be started: ${error.message}`)));
  });
}

function recordLines({
  child,
  logFile,
  onLine,
}: {
  child: ChildProcess;
  logFile: string;
  onLine: ((line: string) => void) | undefined;
}): string[] {
  const lines: string[] = [];
  const log = createWriteStream(logFile, { flags: 'a' });
  log.on('error', () => {});
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > LINES_KEPT) lines.shift();
      log.write(`${line}\n`);
      onLine?.(line);
    });
  }
  child.once('close', () => log.end());
  return lines;
}

function indented(lines: readonly string[]): string {
  return lines.length === 0
    ? '  (nothing)'
    : lines
        .slice(-20)
        .map((line) => `  ${line}`)
        .join('\n');
}

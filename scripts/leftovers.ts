// A stack that was killed leaves its children behind, holding ports and the database. Each stack writes down what it
// runs; the next one in the same folder reads it, refuses to run beside a live one, and ends what was left behind.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './processes.ts';

type RunFile = { starter: RunningProcess; children: RunningProcess[] };
type RunningProcess = { name: string; pid: number; commandLine: string };

/** Another stack is running on the same folder. */
export class AlreadyRunningError extends Error {
  constructor(pid: number, home: string) {
    super(
      `A stack is already running on ${home} (process ${pid}). Stop it with Ctrl-C, or set PERENNIAL_HOME.`,
    );
    this.name = 'AlreadyRunningError';
  }
}

/** Notes who runs what on `home`. */
export function writeRunFile(home: string, children: readonly { name: string; pid: number }[]): void {
  mkdirSync(home, { recursive: true });
  const content: RunFile = {
    starter: describe({ name: 'starter', pid: process.pid }),
    children: children.map(describe),
  };
  writeFileSync(runFile(home), JSON.stringify(content, null, 2));
}

/** Nothing of this stack runs any more. */
export function removeRunFile(home: string): void {
  rmSync(runFile(home), { force: true });
}

/** Ends what an earlier stack left behind on `home`; throws when that stack is still alive. */
export async function endLeftovers(home: string, report: (line: string) => void): Promise<void> {
  if (!existsSync(runFile(home))) return;
  const earlier = readRunFile(home);
  if (earlier && isStill(earlier.starter) && earlier.starter.pid !== process.pid) {
    throw new AlreadyRunningError(earlier.starter.pid, home);
  }
  for (const child of (earlier?.children ?? []).filter(isStill).reverse()) {
    report(`Ending ${child.name} (process ${child.pid}), left behind by a stack that was killed …`);
    await end(child);
  }
  removeRunFile(home);
}

async function end(child: RunningProcess): Promise<void> {
  const isGone = () => Promise.resolve(!isStill(child));
  // PostgreSQL waits for its clients on SIGTERM, and not on SIGINT.
  process.kill(child.pid, child.name === 'postgres' ? 'SIGINT' : 'SIGTERM');
  if (await eventually(isGone, 5_000)) return;
  process.kill(child.pid, 'SIGKILL');
  await eventually(isGone, 5_000);
}

/** A process id is used again after a while; the command line tells whether it is the one we started. */
function isStill({ pid, commandLine }: RunningProcess): boolean {
  return commandLine !== '' && commandLineOf(pid) === commandLine;
}

function describe({ name, pid }: { name: string; pid: number }): RunningProcess {
  return { name, pid, commandLine: commandLineOf(pid) };
}

function commandLineOf(pid: number): string {
  try {
    if (process.platform === 'linux') {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    }
    return execFileSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

function readRunFile(home: string): RunFile | undefined {
  try {
    return JSON.parse(readFileSync(runFile(home), 'utf8')) as RunFile;
  } catch {
    return undefined;
  }
}

function runFile(home: string): string {
  return join(home, 'running.json');
}

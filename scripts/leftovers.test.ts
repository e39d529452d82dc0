import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AlreadyRunningError, endLeftovers, writeRunFile } from './leftovers.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'perennial-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

test('what a killed stack left behind is ended, and its note with it', async () => {
  const { pid, ended } = sleeper();
  writeRunFile(home, [{ name: 'workers', pid }]);
  await changeRunFile((file) => ({
    ...file,
    starter: { name: 'starter', pid: 999_999_999, commandLine: 'gone' },
  }));
  const lines: string[] = [];
  await endLeftovers(home, (line) => lines.push(line));
  expect(await ended).toBe('SIGTERM');
  expect(lines.join()).toContain(`Ending workers (process ${pid})`);
  expect(existsSync(join(home, 'running.json'))).toBe(false);
});

test('another program that got the number of a dead process is left alone', async () => {
  const { pid, child } = sleeper();
  writeRunFile(home, [{ name: 'workers', pid }]);
  await changeRunFile((file) => ({
    starter: { name: 'starter', pid: 999_999_999, commandLine: 'gone' },
    children: file.children.map((each) => ({ ...each, commandLine: 'node workers/main.ts' })),
  }));
  await endLeftovers(home, () => {});
  expect(child.exitCode ?? child.signalCode).toBeNull();
  child.kill('SIGKILL');
});

test('a stack that is alive is not disturbed', async () => {
  const { pid, child } = sleeper();
  writeRunFile(home, []);
  const starter = { name: 'starter', pid, commandLine: await commandLine(pid) };
  await changeRunFile((file) => ({ ...file, starter }));
  await expect(endLeftovers(home, () => {})).rejects.toThrow(AlreadyRunningError);
  expect(child.exitCode ?? child.signalCode).toBeNull();
  child.kill('SIGKILL');
});

type Noted = { name: string; pid: number; commandLine: string };
type RunFile = { starter: Noted; children: Noted[] };

async function changeRunFile(change: (file: RunFile) => RunFile): Promise<void> {
  const path = join(home, 'running.json');
  await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')) as RunFile)));
}

/** As it would be noted, by noting it. */
async function commandLine(pid: number): Promise<string> {
  const path = join(home, 'running.json');
  writeRunFile(home, [{ name: 'x', pid }]);
  return (JSON.parse(await readFile(path, 'utf8')) as RunFile).children[0]?.commandLine ?? '';
}

function sleeper() {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('close', (_code, signal) => resolve(signal)),
  );
  return { child, pid: child.pid as number, ended };
}

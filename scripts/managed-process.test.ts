import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeEnd, type ProcessDescription, startProcess, untilReady } from './managed-process.ts';
import { eventually } from './processes.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perennial-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a process that ends before it is ready is told with its last words', async () => {
  const started = await startProcess(script('console.error("port is taken"); process.exit(7)'));
  const ready = untilReady({ process: started, isReady: () => Promise.resolve(false) });
  await expect(ready).rejects.toThrow(/child ended with code 7[\s\S]*port is taken/);
});

test('an end that was asked for is told apart from one that was not', async () => {
  const stopped = await startProcess(script('setInterval(() => {}, 1000)'));
  const died = await startProcess(script('process.exit(1)'));
  expect(await stopped.kill()).toEqual({ code: null, signal: 'SIGKILL' });
  expect(describeEnd(died, await died.exited)).toContain('ended with code 1');
  expect([stopped.isExpectedToEnd(), died.isExpectedToEnd()]).toEqual([true, false]);
});

test('a process that is stopped may finish its work', async () => {
  const lines: string[] = [];
  const code =
    'process.on("SIGTERM", () => { console.log("finished"); process.exit(0) }); setInterval(() => {}, 1000); console.log("up")';
  const started = await startProcess({ ...script(code), onLine: (line) => lines.push(line) });
  await eventually(() => Promise.resolve(lines.includes('up')), 10_000);
  expect(await started.stop()).toEqual({ code: 0, signal: null });
  expect(lines).toEqual(['up', 'finished']);
});

test('a process that does not want to stop is killed after its grace period', async () => {
  const lines: string[] = [];
  const code = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up")';
  const started = await startProcess({ ...script(code), graceMs: 100, onLine: (line) => lines.push(line) });
  await eventually(() => Promise.resolve(lines.includes('up')), 10_000);
  expect(await started.stop()).toEqual({ code: null, signal: 'SIGKILL' });
});

test('everything a process prints is in its log file', async () => {
  const started = await startProcess(script('console.log("out"); console.error("err")'));
  await started.exited;
  const log = () => readFile(join(folder, 'child.log'), 'utf8');
  expect(await eventually(async () => (await log()).split('\n').length === 3, 5_000)).toBe(true);
  expect((await log()).trim().split('\n').sort()).toEqual(['err', 'out']);
});

test('a program that does not exist is named', async () => {
  await expect(startProcess({ ...script(''), command: '/nowhere/program' })).rejects.toThrow(
    /child could not be started/,
  );
});

function script(code: string): ProcessDescription {
  return {
    name: 'child',
    command: process.execPath,
    args: ['-e', code],
    env: process.env,
    cwd: folder,
    logFile: join(folder, 'child.log'),
  };
}

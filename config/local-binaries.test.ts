import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildOnce, findOnPath, runWithProgress } from './local-binaries.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perennial-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a build that fails leaves nothing that looks finished', async () => {
  const build = async (into: string) => {
    await program(join(into, 'server'));
    throw new Error('interrupted');
  };
  await expect(buildOnce({ folder: join(folder, 'v1'), file: 'server', build })).rejects.toThrow(
    'interrupted',
  );
  expect(await readdir(folder)).toEqual([]);
});

test('what has been built once is not built again', async () => {
  let builds = 0;
  const build = async (into: string) => {
    builds += 1;
    await program(join(into, 'server'));
  };
  const paths = [];
  for (let i = 0; i < 2; i++)
    paths.push(await buildOnce({ folder: join(folder, 'v1'), file: 'server', build }));
  expect(paths).toEqual([join(folder, 'v1', 'server'), join(folder, 'v1', 'server')]);
  expect(builds).toBe(1);
});

test('two builds at the same time end with one complete result', async () => {
  const build = (into: string) => program(join(into, 'server'));
  const both = await Promise.all(
    [1, 2].map(() => buildOnce({ folder: join(folder, 'v1'), file: 'server', build })),
  );
  expect(new Set(both)).toEqual(new Set([join(folder, 'v1', 'server')]));
  expect(await readdir(folder)).toEqual(['v1']);
});

test('a file on the PATH that may not be run is not found', async () => {
  await writeFile(join(folder, 'temporal'), '');
  expect(findOnPath('temporal', { PATH: folder })).toBeUndefined();
  await chmod(join(folder, 'temporal'), 0o755);
  expect(findOnPath('temporal', { PATH: folder })).toBe(join(folder, 'temporal'));
});

test('a command that fails is reported with what it said', async () => {
  const lines: string[] = [];
  const args = ['-e', 'console.error("no space left"); process.exit(3)'];
  const run = runWithProgress({
    label: 'Building',
    command: process.execPath,
    args,
    report: (line) => lines.push(line),
  });
  await expect(run).rejects.toThrow(/code 3:\nno space left/);
  expect(lines[0]).toBe('Building …');
});

async function program(path: string): Promise<void> {
  await writeFile(path, '#!/bin/sh\n');
  await chmod(path, 0o755);
}

// What setup.mjs says on a machine that lacks something: in a small checkout of its own, with a Node and an npm that
// are not what they should be. Each failure ends with exit code 1 and what to do.

import { spawn } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout } from '../../scripts/processes.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perennial-setup-'));
  for (const name of ['scripts', 'programs']) await mkdir(join(folder, name));
  await copyFile(join(checkout, 'scripts', 'setup.mjs'), join(folder, 'scripts', 'setup.mjs'));
  await writeFile(join(folder, 'scripts', 'hello.ts'), 'console.log("Hello", process.argv[2]);');
  await lock({ zod: { version: '4.6.7' } });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a Node that is too old is told, with where to get another, before anything is installed', async () => {
  await npm('echo "npm was run"');
  expect(await setUp({ nodeVersion: '18.20.8' })).toEqual({
    code: 1,
    stdout: '',
    stderr: ['Node 18.20.8 is too old.', 'Install Node 20 or newer from https://nodejs.org.'],
  });
});

test('a Node that cannot run TypeScript, where none was installed, is told with both ways out', async () => {
  await lock({});
  await install();
  expect(await setUp({ nodeVersion: '20.20.2' })).toEqual({
    code: 1,
    stdout: '',
    stderr: [
      'This needs Node 22.18 or 24; here is 20.20.2, and the npm package that carries Node 24 did not',
      'install its program (npm may be set to ignore install scripts).',
      'Either run: npm rebuild node --ignore-scripts=false   or install Node 24 from https://nodejs.org.',
    ],
  });
});

test('a missing npm is told, with where it comes from', async () => {
  expect(await setUp()).toEqual({
    code: 1,
    stdout: '',
    stderr: ['npm is missing.', 'It comes with Node: install Node 20 or newer from https://nodejs.org.'],
  });
});

test('a failing npm ci is told after its own reason, and the next run tries again', async () => {
  await npm('if [ "$1" = ci ]; then echo "npm error network ETIMEDOUT" >&2; exit 1; fi');
  for (const _run of ['first', 'next']) {
    const { code, stderr } = await setUp();
    expect(stderr.filter((line) => !line.startsWith('Installing dependencies'))).toEqual([
      'npm error network ETIMEDOUT',
      'npm ci failed; its reason is above.',
      'If it is about the network, check that this machine reaches the npm registry (npm ping).',
      'If package.json and package-lock.json disagree, run: npm install',
      'Otherwise delete node_modules and run this again.',
    ]);
    expect(code).toBe(1);
  }
  expect(await readdir(folder)).not.toContain('node_modules');
});

test('a missing lock file is told, with how to get it back', async () => {
  await rm(join(folder, 'package-lock.json'));
  expect(await setUp()).toEqual({
    code: 1,
    stdout: '',
    stderr: ['package-lock.json is missing.', 'Restore it: git checkout package-lock.json'],
  });
});

test('where everything is there the script runs, with its arguments', async () => {
  await install();
  expect(await setUp()).toMatchObject({ code: 0, stdout: 'Hello you\n' });
});

test('a script that does not exist is told', async () => {
  await install();
  const { code, stderr } = await setUp({ args: ['helo'] });
  expect(stderr).toEqual(['There is no scripts/helo.ts.']);
  expect(code).toBe(1);
});

/** Runs setup.mjs with only the programs of this test, by a Node that calls itself as told. */
async function setUp({
  args = ['hello', 'you'],
  nodeVersion = '24.21.0',
}: {
  args?: string[];
  nodeVersion?: string;
} = {}) {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '${nodeVersion}' });`;
  const options = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`];
  const child = spawn(process.execPath, [...options, join(folder, 'scripts', 'setup.mjs'), ...args], {
    env: { PATH: join(folder, 'programs') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    printed.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    printed.stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const { stdout, stderr } = printed;
  return { code, stdout, stderr: stderr.split('\n').filter((line) => line !== '') };
}

/** An npm that does as the shell script says. */
async function npm(script: string): Promise<void> {
  const file = join(folder, 'programs', 'npm');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
}

/** What npm leaves behind when it has installed what the lock file says. */
async function install(): Promise<void> {
  await mkdir(join(folder, 'node_modules'), { recursive: true });
  await copyFile(join(folder, 'package-lock.json'), join(folder, 'node_modules', '.package-lock.json'));
}

async function lock(packages: Record<string, object>): Promise<void> {
  const entries = Object.entries(packages).map(([name, entry]) => [`node_modules/${name}`, entry]);
  const content = JSON.stringify({ packages: { '': {}, ...Object.fromEntries(entries) } });
  await writeFile(join(folder, 'package-lock.json'), content);
}

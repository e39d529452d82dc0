import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cachedTemporalCli, devServerCommand, findTemporalCli } from './local-server.ts';
import { cachedTimeSkippingServer, findTimeSkippingServer } from './time-skipping-server.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perennial-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const noDownload = () => Promise.resolve(undefined);
const report = () => {};

test('the program on the PATH comes before the one in the cache, the cache before a download', async () => {
  const onPath = await program(
    join(folder, 'bin', 'temporal'),
    'temporal version 1.6.0 (Server 1.30.0, UI 2.45.0)',
  );
  const cached = await program(cachedTemporalCli(folder), '');
  const find = (path: string) =>
    findTemporalCli({ cacheDir: folder, report, env: { PATH: path }, download: noDownload });
  expect(await find(`${dirname(onPath)}:/usr/bin:/bin`)).toBe(onPath);
  expect(await find('/nowhere')).toBe(cached);
  await rm(cached);
  const download = () => Promise.resolve('/downloaded');
  expect(await findTemporalCli({ cacheDir: folder, report, env: { PATH: '/nowhere' }, download })).toBe(
    '/downloaded',
  );
});

test('a program on the PATH with an older server than ours is passed over, and a person is told', async () => {
  const onPath = await program(
    join(folder, 'bin', 'temporal'),
    'temporal version 1.0.0 (Server 1.24.2, UI 2.28.0)',
  );
  const cached = await program(cachedTemporalCli(folder), '');
  const lines: string[] = [];
  const env = { PATH: `${dirname(onPath)}:/usr/bin:/bin` };
  const found = await findTemporalCli({
    cacheDir: folder,
    report: (line) => lines.push(line),
    env,
    download: noDownload,
  });
  expect(found).toBe(cached);
  expect(lines.join()).toContain('server 1.24, older than 1.29');
});

test('where nothing helps, the message names every choice', async () => {
  const options = { cacheDir: folder, report, env: { PATH: '/nowhere' }, download: noDownload };
  await expect(findTemporalCli(options)).rejects.toThrow(
    /TEMPORAL_ADDRESS[\s\S]*PATH[\s\S]*Go 1\.24[\s\S]*temporal\.download/,
  );
  await expect(findTimeSkippingServer(options)).rejects.toThrow(
    /Java 11[\s\S]*Maven[\s\S]*temporal\.download/,
  );
});

test('the time-skipping server in the cache is used only where Java can run it', async () => {
  const cached = await program(cachedTimeSkippingServer(folder), '');
  const java = await program(join(folder, 'bin', 'java'), '');
  const find = (path: string) =>
    findTimeSkippingServer({
      cacheDir: folder,
      report,
      env: { PATH: path },
      download: () => Promise.resolve('/downloaded'),
    });
  expect(await find(dirname(java))).toBe(cached);
  expect(await find('/nowhere')).toBe('/downloaded');
});

test('the dev server listens on this machine only, and forgets nothing where it has a file', () => {
  const { args } = devServerCommand({ executable: 'temporal', port: 1, uiPort: 2, databaseFile: 'state.db' });
  expect(args.join(' ')).toContain('--ip 127.0.0.1 --port 1');
  expect(args.join(' ')).toContain('--ui-port 2 --db-filename state.db');
});

async function program(path: string, output: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho '${output}'\n`);
  await chmod(path, 0o755);
  return path;
}

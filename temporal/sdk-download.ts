// The SDK can download Temporal's dev server and its time-skipping test server by itself, as a side effect of
// starting them. That start is made in a process of its own, because it installs signal handlers and a native
// runtime which the caller has no use for.

import { spawn } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isExecutable, type Report } from '../config/local-binaries.ts';

type ServerKind = 'dev-server' | 'time-skipping';

/** The path of the downloaded program, or undefined where the download is not reachable. */
export async function downloadBySdk({
  server,
  cacheDir,
  report,
}: {
  server: ServerKind;
  cacheDir: string;
  report: Report;
}): Promise<string | undefined> {
  const folder = join(cacheDir, `temporal-sdk-${server}`);
  const earlier = await downloadedProgram(folder);
  if (earlier) return earlier;

  report(`Downloading Temporal (${server}) …`);
  await mkdir(folder, { recursive: true });
  const code = await new Promise<number | null>((resolve) => {
    const child = spawn(process.execPath, [import.meta.filename, server, folder], { stdio: 'ignore' });
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  const downloaded = code === 0 ? await downloadedProgram(folder) : undefined;
  report(
    downloaded ? `Downloaded Temporal (${server}).` : 'The download is not reachable; trying the next way.',
  );
  return downloaded;
}

async function downloadedProgram(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.startsWith('temporal') && !name.endsWith('.downloading'))
    .map((name) => join(folder, name))
    .find(isExecutable);
}

async function startOnce(server: ServerKind, downloadDir: string): Promise<void> {
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const executable = { type: 'cached-download' as const, downloadDir };
  const environment =
    server === 'dev-server'
      ? await TestWorkflowEnvironment.createLocal({ server: { executable } })
      : await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
  await environment.teardown();
}

if (import.meta.main) {
  const [server, downloadDir] = process.argv.slice(2);
  await startOnce(server as ServerKind, String(downloadDir));
}

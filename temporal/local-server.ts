// The Temporal server of development and tests: one program that is server, database and Web UI. This file knows
// where the program comes from and with which settings it runs; starting and stopping it is the caller's business.

import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  buildOnce,
  findOnPath,
  goInstall,
  isExecutable,
  MissingProgramError,
  type Report,
} from '../config/local-binaries.ts';
import { downloadBySdk } from './sdk-download.ts';

/** Newer tags of the CLI carry a `replace` in their go.mod and cannot be installed by `go install`. */
const CLI_VERSION = 'v1.5.1';
const SERVER_VERSION_MIN = { major: 1, minor: 29 };

/**
 * The path of the `temporal` program: from the PATH, the cache, the SDK's own download, or built with Go.
 * Takes about three minutes where it has to be built, and no time afterwards.
 */
export async function findTemporalCli({
  cacheDir,
  report,
  env = process.env,
  download = downloadBySdk,
}: {
  cacheDir: string;
  report: Report;
  env?: NodeJS.ProcessEnv;
  download?: typeof downloadBySdk;
}): Promise<string> {
  const onPath = findOnPath('temporal', env);
  if (onPath && (await isRecentEnough(onPath, report))) return onPath;

  const cached = cachedTemporalCli(cacheDir);
  if (isExecutable(cached)) return cached;

  const downloaded = await download({ server: 'dev-server', cacheDir, report });
  if (downloaded) return downloaded;

  return buildWithGo({ cacheDir, report, env });
}

/** Where the program is kept once it has been built. */
export function cachedTemporalCli(cacheDir: string): string {
  return join(cacheDir, `temporal-cli-${CLI_VERSION}`, 'temporal');
}

/** Command line of the dev server. Without `databaseFile` it forgets everything when it stops. */
export function devServerCommand({
  executable,
  port,
  uiPort,
  codecEndpoint,
  databaseFile,
}: {
  executable: string;
  port: number;
  /** Undefined: no Web UI. */
  uiPort?: number | undefined;
  codecEndpoint?: string | undefined;
  databaseFile?: string | undefined;
}): { command: string; args: string[] } {
  return {
    command: executable,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--log-level', 'error'],
      ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
      ...(codecEndpoint ? ['--ui-codec-endpoint', codecEndpoint] : []),
      ...(databaseFile ? ['--db-filename', databaseFile] : []),
      ...Object.entries(dynamicConfig).flatMap(([key, value]) => [
        '--dynamic-config-value',
        `${key}=${value}`,
      ]),
    ],
  };
}

/**
 * Server settings for a small machine. The default poll rates hold every task back for 50 ms on each hop; one
 * partition a queue and eager activities save hops where one or two workers are all there is.
 */
export const dynamicConfig: Readonly<Record<string, number | boolean>> = {
  'history.transferProcessorMaxPollRPS': 2000,
  'history.timerProcessorMaxPollRPS': 2000,
  'history.visibilityProcessorMaxPollRPS': 2000,
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
  'system.enableActivityEagerExecution': true,
};

async function isRecentEnough(executable: string, report: Report): Promise<boolean> {
  const { stdout } = await promisify(execFile)(executable, ['--version']).catch(() => ({ stdout: '' }));
  const [, major, minor] = /Server (\d+)\.(\d+)/.exec(stdout)?.map(Number) ?? [];
  const { major: majorMin, minor: minorMin } = SERVER_VERSION_MIN;
  if (major === undefined || minor === undefined) {
    report(`${executable} does not tell its server version; it is not used.`);
    return false;
  }
  const enough = major > majorMin || (major === majorMin && minor >= minorMin);
  if (!enough) {
    report(`${executable} has server ${major}.${minor}, older than ${majorMin}.${minorMin}; it is not used.`);
  }
  return enough;
}

async function buildWithGo({
  cacheDir,
  report,
  env,
}: {
  cacheDir: string;
  report: Report;
  env: NodeJS.ProcessEnv;
}): Promise<string> {
  const go = findOnPath('go', env);
  if (!go) throw new MissingProgramError(choices('Go is not installed.'));
  try {
    return await buildOnce({
      folder: dirname(cachedTemporalCli(cacheDir)),
      file: 'temporal',
      build: (into) =>
        goInstall({
          go,
          program: `github.com/temporalio/cli/cmd/temporal@${CLI_VERSION}`,
          into,
          label: `Building Temporal ${CLI_VERSION} with Go (about three minutes, once)`,
          report,
        }),
    });
  } catch (error) {
    throw new MissingProgramError(choices(`Building it with Go failed: ${(error as Error).message}`));
  }
}

function choices(reason: string): string {
  return [
    `Temporal was not found, and its download is not reachable. ${reason}`,
    'Any one of these helps:',
    '  - set TEMPORAL_ADDRESS to a server that is running (and TEMPORAL_UI_URL to its Web UI);',
    '  - put the `temporal` program on the PATH (https://docs.temporal.io/cli);',
    '  - install Go 1.24 or newer (https://go.dev/dl) and run this again: it is then built once;',
    '  - allow this machine to reach temporal.download, where the SDK fetches it from.',
  ].join('\n');
}

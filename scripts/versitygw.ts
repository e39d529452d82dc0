// versitygw is an S3 server in one program, which keeps its objects in a folder: tests store files in it as in a bucket of
// Amazon's. It honours conditions and checks signatures.

import { dirname, join } from 'node:path';
import {
  buildOnce,
  findOnPath,
  goInstall,
  isExecutable,
  MissingProgramError,
  type Report,
} from '../config/local-binaries.ts';

const VERSION = 'v1.8.0';

/** The path of the program: from the PATH, the cache, or built with Go in a minute or two. */
export async function findVersitygw({
  cacheDir,
  report,
}: {
  cacheDir: string;
  report: Report;
}): Promise<string> {
  const cached = cachedVersitygw(cacheDir);
  const found = [findOnPath('versitygw'), cached].find((path) => path && isExecutable(path));
  if (found) return found;

  const go = findOnPath('go');
  if (!go) {
    throw new MissingProgramError(
      'versitygw was not found. Put it on the PATH (https://github.com/versity/versitygw), or install Go 1.24 or newer ' +
        '(https://go.dev/dl) and run this again: it is then built once.',
    );
  }
  return buildOnce({
    folder: dirname(cached),
    file: 'versitygw',
    build: (into) =>
      goInstall({
        go,
        program: `github.com/versity/versitygw/cmd/versitygw@${VERSION}`,
        into,
        label: `Building versitygw ${VERSION} with Go (a minute or two, once)`,
        report,
      }),
  });
}

/** Where the program is kept once it has been built. */
export function cachedVersitygw(cacheDir: string): string {
  return join(cacheDir, `versitygw-${VERSION}`, 'versitygw');
}

/** Command line of the server: objects in `dataDir`, what is known of them beside it, as not every file system can keep it. */
export function versitygwCommand({
  executable,
  port,
  dataDir,
  metadataDir,
}: {
  executable: string;
  port: number;
  dataDir: string;
  metadataDir: string;
}): { command: string; args: string[] } {
  return {
    command: executable,
    args: ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', '--sidecar', metadataDir, dataDir],
  };
}

/** Public on purpose: the server listens on this machine only. */
export const versitygwLogin = { accessKeyId: 'perennial', secretAccessKey: 'development' };

/** The server reads its login from the environment. */
export function versitygwEnvironment(): Record<string, string> {
  return {
    ROOT_ACCESS_KEY_ID: versitygwLogin.accessKeyId,
    ROOT_SECRET_ACCESS_KEY: versitygwLogin.secretAccessKey,
  };
}

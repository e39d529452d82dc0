// versitygw is an S3 server in one program, which keeps its objects in a folder: tests store files in it as in a bucket of
// Amazon's. It honours conditions and checks signatures.

import type { GoProgram } from '../config/local-binaries.ts';

export const versitygwProgram: GoProgram = {
  name: 'versitygw',
  version: 'v1.8.0',
  source: 'github.com/versity/versitygw/cmd/versitygw',
  home: 'https://github.com/versity/versitygw',
  takes: 'a minute or two, once',
};

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

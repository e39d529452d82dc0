// stripe-mock is Stripe's own stand-in: it answers from their OpenAPI document and refuses parameters they do not
// have. Our sandbox remembers what happened; this one knows what requests must look like. Tests use both.

import { dirname, join } from 'node:path';
import {
  buildOnce,
  findOnPath,
  goInstall,
  isExecutable,
  MissingProgramError,
  type Report,
} from '../config/local-binaries.ts';

const VERSION = 'v0.203.0';

/** The path of the program: from the PATH, the cache, or built with Go in a few seconds. */
export async function findStripeMock({
  cacheDir,
  report,
}: {
  cacheDir: string;
  report: Report;
}): Promise<string> {
  const cached = cachedStripeMock(cacheDir);
  const found = [findOnPath('stripe-mock'), cached].find((path) => path && isExecutable(path));
  if (found) return found;

  const go = findOnPath('go');
  if (!go) {
    throw new MissingProgramError(
      'stripe-mock was not found. Put it on the PATH (https://github.com/stripe/stripe-mock), or install Go 1.24 or ' +
        'newer (https://go.dev/dl) and run this again: it is then built once.',
    );
  }
  return buildOnce({
    folder: dirname(cached),
    file: 'stripe-mock',
    build: (into) =>
      goInstall({
        go,
        program: `github.com/stripe/stripe-mock@${VERSION}`,
        into,
        label: `Building stripe-mock ${VERSION} with Go (once)`,
        report,
      }),
  });
}

/** Where the program is kept once it has been built. */
export function cachedStripeMock(cacheDir: string): string {
  return join(cacheDir, `stripe-mock-${VERSION}`, 'stripe-mock');
}

/** Command line of the server. It listens for HTTPS too, on one fixed port for all of them unless told otherwise. */
export function stripeMockCommand({ executable, port }: { executable: string; port: number }): {
  command: string;
  args: string[];
} {
  return { command: executable, args: ['-http-addr', `127.0.0.1:${port}`, '-https-addr', '127.0.0.1:0'] };
}

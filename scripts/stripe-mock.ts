// stripe-mock is Stripe's own stand-in: it answers from their OpenAPI document and refuses parameters they do not
// have. Our sandbox remembers what happened; this one knows what requests must look like. Tests use both.

import type { GoProgram } from '../config/local-binaries.ts';

export const stripeMockProgram: GoProgram = {
  name: 'stripe-mock',
  version: 'v0.203.0',
  source: 'github.com/stripe/stripe-mock',
  home: 'https://github.com/stripe/stripe-mock',
  takes: 'once',
};

/** Command line of the server. It listens for HTTPS too, on one fixed port for all of them unless told otherwise. */
export function stripeMockCommand({ executable, port }: { executable: string; port: number }): {
  command: string;
  args: string[];
} {
  return { command: executable, args: ['-http-addr', `127.0.0.1:${port}`, '-https-addr', '127.0.0.1:0'] };
}

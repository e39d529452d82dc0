// `npm start`: the whole product on this machine, until Ctrl-C. `npm run dev` is the same with API and workers
// starting again when a file changes, and with everything they log.

import { type Config, loadConfig } from '../config/env.ts';
import { loadEnvironmentFile } from './environment-file.ts';
import type { ChainProcess } from './processes.ts';
import { restartOnChange } from './restart-on-change.ts';
import { type Stack, startStack } from './stack.ts';
import { progress, runScript, table } from './terminal.ts';

/** Ctrl-C in a terminal arrives here several times: from the terminal and from each process above this one. */
const SAME_KEYSTROKE_MS = 1_000;

await runScript(async () => {
  loadEnvironmentFile();
  const watch = process.argv.includes('--watch');
  const startedAt = Date.now();
  const interrupted = untilInterrupted();
  const starting = startStack({
    home: loadConfig().home,
    chains: true,
    mayEnd: watch ? ['workers', 'api'] : [],
    report: progress,
    onLine: (name, line) => showLine({ name, line, everything: watch }),
  });

  // An interrupt during the start waits for it to end, so that no child is left behind.
  const stack = await starting.catch((error: unknown) => {
    // The keystroke reaches what is being set up, too, and ends it.
    if (!interrupted.happened()) throw error;
    return undefined;
  });
  if (stack === undefined) return progress('Stopped.');
  if (!interrupted.happened()) {
    progress(`Ready in ${Math.round((Date.now() - startedAt) / 1000)} s.\n`);
    process.stdout.write(`${welcome(stack)}\n`);
  }
  const stopWatching = watch ? restartOnChange({ stack, report: progress }) : () => {};
  const failure = await Promise.race([interrupted.promise, stack.failed]);
  if (failure) progress(`\n${failure}\n  (all of it is in ${stack.home}/logs)\n`);
  stopWatching();
  await stack.stop();
  progress('Stopped.');
  if (failure) process.exitCode = 1;
});

function welcome({ urls, demo, config, home }: Stack): string {
  const addresses: [string, string][] = [
    ['API', urls.api],
    ['API reference', urls.apiDocs],
    ['Temporal Web UI', `${urls.temporalUi}/namespaces/${config.temporal.namespace}/workflows`],
    ['Mail that was sent', config.resend.sandboxed ? urls.mail : 'by Resend (RESEND_API_KEY is set)'],
    ['Chat of the operators', config.operatorChat.sandboxed ? urls.chat : 'not used in production'],
    ['Stripe sandbox', config.stripe.sandboxed ? urls.stripeSandbox : 'not used (STRIPE_SECRET_KEY is set)'],
    [
      'Razorpay sandbox',
      config.razorpay.sandboxed ? urls.razorpaySandbox : 'not used (RAZORPAY_KEY_ID is set)',
    ],
    [
      'Coinbase sandbox',
      config.coinbase.sandboxed ? urls.coinbaseSandbox : 'not used (COINBASE_BUSINESS_KEY_NAME is set)',
    ],
    ['Plaid sandbox', config.plaid.sandboxed ? urls.plaidSandbox : 'not used (PLAID_CLIENT_ID is set)'],
    ['Local Bitcoin', chainOf('btcd', config)],
    ['Local Ethereum', chainOf('anvil', config)],
    ['Codec endpoint', urls.codec],
    ['Workers', `${urls.worker}/readyz`],
    ['Logs', `${home}/logs`],
    ['Demo tenant', demo?.tenantId ?? '-'],
    ['Demo API key', demo?.apiKey ?? '-'],
  ];
  const next = [
    `curl -s ${urls.api}/v1/customers \\`,
    `  -H 'Authorization: Bearer ${demo?.apiKey ?? '<key>'}' \\`,
    `  -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first-customer' \\`,
    `  -d '{"email": "ada@example.com", "name": "Ada Lovelace", "currency": "USD"}'`,
  ];
  return `${table(addresses)}\n\nTry:\n  ${next.join('\n  ')}\n\nCtrl-C stops everything; what happened stays for the next start.`;
}

/** Where coins without value are paid, see `npm run pay`. */
function chainOf(name: ChainProcess, { chains }: Config): string {
  const { bitcoin, ethereum } = chains.watched;
  const [node] = (name === 'btcd' ? bitcoin : ethereum).nodes;
  if (node === undefined) return 'not there';
  // The password of a node that was named is nobody's business.
  const { protocol, host } = new URL(node);
  return `${protocol}//${host}`;
}

/** Of what the processes log, a person needs to see what went wrong; the files have the rest. */
function showLine({ name, line, everything }: { name: string; line: string; everything: boolean }): void {
  const isOurs = name === 'api' || name === 'workers' || name.endsWith('-sandbox');
  if (!isOurs) return;
  const { level, msg, err, sdkComponent } = parseLogLine(line);
  if (level === undefined) {
    // A stack of a process that dies is told once, when it has died.
    if (everything) progress(`[${name}] ${line}`);
    return;
  }
  // The SDK warns about what is as it should be, such as a worker without workflows.
  const isBad = level === 'error' || level === 'fatal' || (level === 'warn' && !sdkComponent);
  if (!everything && !isBad) return;
  const reason = err?.message && err.message !== msg ? `: ${err.message}` : '';
  progress(`[${name}] ${level}: ${msg ?? ''}${reason}`);
}

type LogLine = { level?: string; msg?: string; err?: { message?: string }; sdkComponent?: string };

function parseLogLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return {};
  }
}

function untilInterrupted(): { promise: Promise<undefined>; happened: () => boolean } {
  let firstAt: number | undefined;
  const promise = new Promise<undefined>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (firstAt !== undefined && Date.now() - firstAt > SAME_KEYSTROKE_MS) process.exit(1);
        if (firstAt === undefined) progress('\nStopping; press Ctrl-C again to stop at once …');
        firstAt ??= Date.now();
        resolve(undefined);
      });
    }
  });
  return { promise, happened: () => firstAt !== undefined };
}

// `npm run demo -- <process>`: plays a process on the real servers with short days, narrates it, and ends with one
// line of JSON. Exit code 1 when the books at the end are not what the demo promises.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { playBankReconciliation } from './demo/bank-reconciliation.ts';
import { demoQuoteMinutes, playCryptoInvoice } from './demo/crypto-invoice.ts';
import { type Ending, playSubscription } from './demo/subscription.ts';
import { type Stack, startStack } from './stack.ts';
import { progress, runScript } from './terminal.ts';

type Demo = {
  play: (stack: Stack) => Promise<Ending>;
  /** Beside the usual ones. */
  env: Record<string, string>;
  chains?: boolean;
};

const demos: Record<string, Demo> = {
  subscription: { play: playSubscription, env: { DEMO_DAY_SECONDS: '1' } },
  'crypto-invoice': {
    play: playCryptoInvoice,
    // Nothing is due while it plays.
    env: { DEMO_DAY_SECONDS: '3600', CRYPTO_QUOTE_MINUTES: String(demoQuoteMinutes) },
    chains: true,
  },
  // Nothing is due while it plays.
  'bank-reconciliation': { play: playBankReconciliation, env: { DEMO_DAY_SECONDS: '3600' } },
};

await runScript(async () => {
  const names = Object.keys(demos);
  const name = process.argv[2] ?? 'subscription';
  const demo = demos[name];
  if (demo === undefined) throw new Error(`There is no demo of ${name}; there is: ${names.join(', ')}.`);

  const home = await mkdtemp(join(tmpdir(), 'perennial-demo-'));
  const stack = await startStack({
    home,
    ports: 'free',
    isolated: true,
    chains: demo.chains ?? false,
    env: { LOG_LEVEL: 'warn', ...demo.env },
    report: progress,
  });
  try {
    progress(
      `\nWatch it in the Web UI: ${stack.urls.temporalUi}\nRead its mails:          ${stack.urls.mail}\n`,
    );
    const ending = await Promise.race([demo.play(stack), stack.failed]);
    if (typeof ending === 'string') throw new Error(ending);
    console.log(JSON.stringify(ending.outcome));
    if (ending.broken.length > 0) throw new Error(`The demo broke a promise:\n${ending.broken.join('\n')}`);
  } finally {
    await stack.stop();
    await rm(home, { recursive: true, force: true });
  }
});

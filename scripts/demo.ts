// `npm run demo -- <process>`: plays a process on the real servers with short days, narrates it, and ends with one
// line of JSON. Exit code 1 when the books at the end are not what the demo promises.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ending, playSubscription } from './demo/subscription.ts';
import { type Stack, startStack } from './stack.ts';
import { progress, runScript } from './terminal.ts';

/** A day of the demo, in seconds. */
const daySeconds = 1;

const plays: Record<string, (stack: Stack) => Promise<Ending>> = { subscription: playSubscription };

await runScript(async () => {
  const names = Object.keys(plays);
  const name = process.argv[2] ?? 'subscription';
  const play = plays[name];
  if (play === undefined) throw new Error(`There is no demo of ${name}; there is: ${names.join(', ')}.`);

  const home = await mkdtemp(join(tmpdir(), 'perennial-demo-'));
  const stack = await startStack({
    home,
    ports: 'free',
    isolated: true,
    chains: name === 'crypto-invoice',
    env: { DEMO_DAY_SECONDS: String(daySeconds), LOG_LEVEL: 'warn' },
    report: progress,
  });
  try {
    progress(
      `\nWatch it in the Web UI: ${stack.urls.temporalUi}\nRead its mails:          ${stack.urls.mail}\n`,
    );
    const ending = await Promise.race([play(stack), stack.failed]);
    if (typeof ending === 'string') throw new Error(ending);
    console.log(JSON.stringify(ending.outcome));
    if (ending.broken.length > 0) throw new Error(`The demo broke a promise:\n${ending.broken.join('\n')}`);
  } finally {
    await stack.stop();
    await rm(home, { recursive: true, force: true });
  }
});

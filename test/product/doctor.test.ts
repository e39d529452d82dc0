// `npm run doctor` tells what stands in the way, each thing with what to do about it, and says so with its exit code.

import { expect, test } from 'vitest';
import { freePorts } from '../../scripts/ports.ts';
import { finish, runCommand, type Settings } from './command.ts';
import { occupy, ownPlace } from './place.ts';

test('where nothing is wrong it says so, with exit code 0', async () => {
  const { code, wrong, lastLine } = await examine({});
  expect(wrong).toEqual([]);
  expect(lastLine).toBe('Nothing stands in the way.');
  expect(code).toBe(0);
});

test('a port that is taken is named, with the variable that moves ours', async () => {
  const { port } = await freePorts(['port']);
  await occupy(port);
  const { code, wrong, lastLine } = await examine({ STRIPE_SANDBOX_PORT: String(port) });
  expect(wrong).toEqual([
    `ports: Port ${port} is taken by another program; set another one for the Stripe sandbox: STRIPE_SANDBOX_PORT=${port + 10_000}`,
  ]);
  expect(lastLine).toBe('1 to mend.');
  expect(code).toBe(1);
});

test('a database that does not answer is named without its password', async () => {
  const { port } = await freePorts(['port']);
  const { code, stdout, wrong } = await examine({
    DATABASE_URL: `postgres://perennial:not-to-be-shown@127.0.0.1:${port}/perennial`,
  });
  expect(wrong).toEqual([
    `PostgreSQL: nothing answers at 127.0.0.1:${port}; check DATABASE_URL, and that the server runs`,
  ]);
  expect(stdout).not.toContain('not-to-be-shown');
  expect(code).toBe(1);
});

test('a Temporal server that does not answer is named', async () => {
  const { port } = await freePorts(['port']);
  const { code, wrong } = await examine({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
  expect(wrong).toEqual([
    `Temporal: nothing answers at 127.0.0.1:${port}; check TEMPORAL_ADDRESS, and that the server runs`,
  ]);
  expect(code).toBe(1);
});

test('every mistake in the environment is named at once, and no value is shown', async () => {
  const { code, stdout, wrong, lastLine } = await examine({
    API_PORT: 'three-thousand',
    RESEND_API_KEY: 'whatever',
  });
  expect(wrong).toEqual([
    'environment: API_PORT must be a port number from 1 to 65535.',
    'environment: RESEND_API_KEY must be an API key of Resend (re_…).',
  ]);
  expect(stdout).not.toMatch(/three-thousand|whatever/);
  expect(lastLine).toBe('2 to mend.');
  expect(code).toBe(1);
});

/** Runs the doctor with these settings, all else being well. */
async function examine(settings: Settings) {
  const { code, stdout } = await finish(runCommand(['doctor'], { ...(await ownPlace()), ...settings }));
  const wrong = [...stdout.matchAll(/^wrong +(\S+) {2,}(.+)$/gm)].map(
    ([, about, text]) => `${about}: ${text}`,
  );
  return { code, stdout, wrong, lastLine: stdout.trim().split('\n').at(-1) };
}

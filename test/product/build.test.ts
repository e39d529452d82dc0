// `npm run build` and the image that is made of it, without a container: the files that the Dockerfile copies, with the
// packages of production alone, in a folder of their own. The worker there runs the workflows that were built ahead.

import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { dirname, join, matchesGlob, relative } from 'node:path';
import { promisify } from 'node:util';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../config/env.ts';
import { type ManagedProcess, startProcess, untilReady } from '../../scripts/managed-process.ts';
import { freePorts } from '../../scripts/ports.ts';
import { answersOk, checkout, localCommand } from '../../scripts/processes.ts';
import { type Stack, startStack } from '../../scripts/stack.ts';
import { portEnvironment } from '../../scripts/stack-plan.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import type { Settings } from './command.ts';
import { createFolder } from './place.ts';

const dockerfile = await readFile(join(checkout, 'Dockerfile'), 'utf8');
const finalStage = dockerfile.slice(dockerfile.lastIndexOf('FROM '));
const patient = { timeout: 60_000, interval: 200 };

let folder: string;
let printed: string;
/** Where the Dockerfile builds, and what it makes. */
let source: string;
let image: string;

beforeAll(async () => {
  folder = await createFolder();
  source = join(folder, 'source');
  image = join(folder, 'image');
  await copySource();
  ({ stdout: printed } = await promisify(execFile)(
    process.execPath,
    [join(source, 'scripts', 'setup.mjs'), 'build'],
    { cwd: source, env: { PATH: process.env['PATH'], HOME: process.env['HOME'] } },
  ));
  await makeImage();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test('npm run build writes the bundle that the image takes, and says where', async () => {
  expect(await readdir(join(source, 'dist'))).toEqual(['workflow-bundle.js']);
  expect(printed).toMatch(/dist\/workflow-bundle\.js \(\d+ KiB\)\n$/);
  const taken = imageEnvironment()['WORKFLOW_BUNDLE'] ?? '';
  expect(await readFile(taken)).toEqual(await readFile(join(source, 'dist', 'workflow-bundle.js')));
});

describe('the image, in production', () => {
  let stack: Stack;
  let temporal: Client;
  const programs: ManagedProcess[] = [];

  beforeAll(async () => {
    stack = await startStack({
      home: join(folder, 'stack'),
      ports: 'free',
      isolated: true,
      durable: false,
      only: ['postgres', 'temporal', 'stripe-sandbox', 'resend-sandbox'],
    });
    // Nothing can be bundled here any more: whatever runs was built ahead.
    await rm(join(image, 'workflows', 'index.ts'));
    for (const name of ['workers', 'api'] as const) {
      const { worker, api } = stack.ports;
      const isReady = () => answersOk(`http://127.0.0.1:${name === 'api' ? api : worker}/readyz`);
      const program = await startProgram(name, production(stack));
      programs.push(program);
      await untilReady({ process: program, isReady });
    }
    temporal = createTemporalClient({
      target: { ...stack.config.temporal, credentials: {} },
      dataConverter: createDataConverter(loadConfig(production(stack)).encryption),
    });
  });

  afterAll(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    await temporal?.connection.close();
    await stack?.stop();
  });

  test('is told what docker-compose.yml tells its programs', async () => {
    const compose = parse(await readFile(join(checkout, 'docker-compose.yml'), 'utf8')) as Compose;
    const told = Object.keys(compose['x-program'].environment);
    expect(Object.keys(production(stack))).toEqual(expect.arrayContaining(told));
    expect(loadConfig(production(stack)).environment).toBe('production');
  });

  test('takes the tasks of a subscription: it is started, and waits for its first timer', async () => {
    const { id } = await subscribe();
    await expect.poll(() => eventsOf(id), patient).toContain('timerStarted');
    expect(await eventsOf(id)).not.toContain('workflowTaskFailed');
  });

  test('charges the card of a subscription that converts: its activities run, and the mail leaves', async () => {
    const { id, email } = await subscribe();
    const path = `/v1/subscriptions/${id}`;
    await send('PUT', `${path}/payment_method`, { paymentMethodId: 'pm_card_visa' });
    const converted = await send('POST', `${path}/convert`, {});
    expect(converted).toMatchObject({ outcome: 'paid', subscription: { status: 'active' } });

    const mails = async () => (await fetch(`http://127.0.0.1:${stack.ports.resendSandbox}`)).text();
    await expect.poll(mails, patient).toContain(email);
  });

  test('without the bundle ends with the reason, as it has nothing to bundle', async () => {
    const own = portEnvironment(await freePorts(['worker', 'metrics', 'codec']));
    const without = await startProgram('workers', { ...production(stack), ...own, WORKFLOW_BUNDLE: '' });
    onTestFinished(async () => void (await without.stop()));
    expect((await without.exited).code).toBe(1);
    expect(without.lastLines().join('\n')).toMatch(/workflows\/index\.ts.*cannot go on/s);
  });

  test('ends cleanly when it is told to', async () => {
    for (const program of programs.toReversed()) {
      expect(await program.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    }
  });

  /** A new customer with a trial. */
  async function subscribe(): Promise<{ id: string; email: string }> {
    const email = `ada-${Date.now()}@example.com`;
    const customer = await send('POST', '/v1/customers', { email, name: 'Ada', currency: 'USD' });
    const order = { customerId: customer.id, planCode: 'pro-monthly' };
    const subscription = await send('POST', '/v1/subscriptions', order);
    expect(subscription).toMatchObject({ status: 'trialing' });
    return { id: subscription.id, email };
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests read the fields they assert.
  async function send(method: string, path: string, body: object): Promise<any> {
    const answer = await fetch(`http://127.0.0.1:${stack.ports.api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${stack.demo?.apiKey}`,
        'content-type': 'application/json',
        'idempotency-key': crypto.randomUUID(),
      },
      body: JSON.stringify(body),
    });
    const json = await answer.json();
    expect(answer.status, JSON.stringify(json)).toBeLessThan(300);
    return json;
  }

  /** What happened in the workflow of the subscription, by the names of the server. */
  async function eventsOf(subscriptionId: string): Promise<string[]> {
    const { events } = await temporal.workflow.getHandle(`subscription/${subscriptionId}`).fetchHistory();
    return (events ?? []).flatMap((event) =>
      Object.keys(event).flatMap((key) => /^(.+)EventAttributes$/.exec(key)?.[1] ?? []),
    );
  }
});

type Compose = { 'x-program': { environment: Record<string, string> } };

/** What a build gets: the checkout without what .dockerignore names. */
async function copySource(): Promise<void> {
  const lines = (await readFile(join(checkout, '.dockerignore'), 'utf8')).split('\n');
  const ignored = lines.filter((line) => line !== '' && !line.startsWith('#'));
  await cp(checkout, source, {
    recursive: true,
    filter: (path) => !ignored.some((pattern) => matchesGlob(relative(checkout, path), pattern)),
  });
  await symlink(join(checkout, 'node_modules'), join(source, 'node_modules'));
}

type Copy = { from: string | undefined; path: string };

/** The `COPY` lines of the image, one for each path. */
function copies(): Copy[] {
  const lines = [...finalStage.matchAll(/^COPY (?:--from=(\w+) )?(.+) (\S+)$/gm)];
  return lines.flatMap(([, from, paths = '', target = '']): Copy[] =>
    from === undefined ? paths.split(' ').map((path) => ({ from, path })) : [{ from, path: target }],
  );
}

async function makeImage(): Promise<void> {
  await mkdir(image);
  for (const { from, path } of copies()) {
    if (from === 'dependencies') await linkProductionPackages(join(image, path));
    else await cp(join(source, path), join(image, path), { recursive: true });
  }
}

/** As `npm ci --omit=dev` installs them: what only development needs is not found from the image. */
async function linkProductionPackages(into: string): Promise<void> {
  const lock = JSON.parse(await readFile(join(source, 'package-lock.json'), 'utf8')) as Lock;
  const top = Object.entries(lock.packages).filter(([path, { dev, optional }]) => {
    return /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && !dev && !optional;
  });
  for (const [path] of top) {
    const link = join(into, relative('node_modules', path));
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(checkout, path), link);
  }
}

type Lock = { packages: Record<string, { dev?: boolean; optional?: boolean }> };

/** The `ENV` of the image, whose folder is `/app`. */
function imageEnvironment(): Settings {
  const block = /^ENV ((?:.*\\\n)*.*)$/m.exec(finalStage)?.[1] ?? '';
  const pairs = [...block.matchAll(/(\w+)=(\S+)/g)].map(([, name, value = '']) => [
    name,
    value.replace(/^\/app\b/, image),
  ]);
  return Object.fromEntries(pairs);
}

/** What the image and docker-compose.yml set, with the servers and sandboxes of this test. */
function production({ config, ports }: Stack): Settings {
  return {
    ...imageEnvironment(),
    NODE_ENV: 'production',
    LOG_LEVEL: 'info',
    PUBLIC_URL: `http://127.0.0.1:${ports.api}`,
    DATABASE_URL: config.database.url,
    TEMPORAL_ADDRESS: config.temporal.address,
    TEMPORAL_NAMESPACE: config.temporal.namespace,
    TEMPORAL_UI_URL: config.temporal.uiUrl,
    PERENNIAL_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    PERSON_KEY_SECRET: 'a-secret-of-this-test-alone',
    STRIPE_SECRET_KEY: 'sk_test_build',
    STRIPE_API_BASE: `http://127.0.0.1:${ports.stripeSandbox}`,
    STRIPE_WEBHOOK_SECRETS: 'whsec_sandbox',
    STRIPE_TAX: '',
    RAZORPAY_KEY_ID: '',
    RAZORPAY_KEY_SECRET: '',
    RAZORPAY_WEBHOOK_SECRETS: '',
    COINBASE_BUSINESS_KEY_NAME: '',
    COINBASE_BUSINESS_PRIVATE_KEY: '',
    COINBASE_BUSINESS_WEBHOOK_SECRETS: '',
    COINBASE_COMMERCE_WEBHOOK_SECRETS: '',
    PLAID_CLIENT_ID: '',
    PLAID_SECRET: '',
    PLAID_ENVIRONMENT: '',
    CRYPTO_NETWORK: '',
    BITCOIN_NODES: '',
    ETHEREUM_NODES: '',
    BASE_NODES: '',
    POLYGON_NODES: '',
    CRYPTO_QUOTE_MINUTES: '',
    CRYPTO_LATE: '',
    COINGECKO_API_KEY: '',
    STORAGE_BUCKET: '',
    STORAGE_REGION: '',
    STORAGE_ENDPOINT: '',
    STORAGE_PATH_STYLE: '',
    STORAGE_ACCESS_KEY_ID: '',
    STORAGE_SECRET_ACCESS_KEY: '',
    STORAGE_FOLDER: join(folder, 'files'),
    RESEND_API_KEY: 're_sandbox',
    RESEND_BASE_URL: `http://127.0.0.1:${ports.resendSandbox}`,
    MAIL_FROM: 'Billing <billing@company.example>',
    OPERATOR_CHAT_HOSTS: '',
    MAX_CACHED_WORKFLOWS: '',
    WORKER_DEPLOYMENT_NAME: '',
    WORKER_BUILD_ID: '',
    ...portEnvironment(ports),
    API_HOST: '127.0.0.1',
    WORKER_HOST: '127.0.0.1',
  };
}

/** A program as the container runs it: in the folder of the image, with nothing from the environment of the test. */
function startProgram(name: 'workers' | 'api', settings: Settings): Promise<ManagedProcess> {
  return startProcess({
    name,
    ...localCommand(name),
    env: { PATH: process.env['PATH'], ...settings },
    cwd: image,
    logFile: join(folder, 'logs', `${name}.log`),
    graceMs: 30_000,
  });
}

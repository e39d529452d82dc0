/** The whole product as processes of its own, on free ports and in a folder that is removed afterwards. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import pino from 'pino';
import { createDatabase, type Database } from '../../db/client.ts';
import type { FaultPlanInput } from '../../integrations/sandbox/faults.ts';
import { allOrNothing } from '../../scripts/processes.ts';
import { type Stack, startStack } from '../../scripts/stack.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import { bundleWorkflows } from '../../workers/workflow-bundle.ts';
import type { Victim } from './kills.ts';

export type FaultStack = {
  stack: Stack;
  db: Database;
  temporal: Client;
  /** Addresses of all API processes. */
  apiUrls: string[];
  /** Asks a sandbox for something its vendor does not offer, such as faults. */
  control<T = unknown>(vendor: 'stripe' | 'resend', path: string, body?: unknown): Promise<T>;
  setFaults(vendor: 'stripe' | 'resend', plan: FaultPlanInput): Promise<unknown>;
  /** What a sandbox tells of itself. */
  look<T>(vendor: 'stripe' | 'resend', path: string): Promise<T>;
  victim(name: string): Victim;
  close(): Promise<void>;
};

/**
 * Two worker processes and two APIs, with the workflow bundle built ahead, so that a restart is quick. The database
 * must be `durable` where it is killed itself: otherwise its last commits are only in its own memory.
 */
export async function startFaultStack({ durable }: { durable: boolean }): Promise<FaultStack> {
  const home = await mkdtemp(join(tmpdir(), 'perennial-faults-'));
  // PostgreSQL runs as another user where we are root, and must be able to reach its folder.
  await chmod(home, 0o755);
  const bundle = join(home, 'workflow-bundle.js');
  const { code } = await bundleWorkflows({ log: pino({ level: 'silent' }) });
  await writeFile(bundle, code);

  const stack = await startStack({
    home,
    ports: 'free',
    isolated: true,
    durable,
    seed: false,
    env: { LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'warn', WORKFLOW_BUNDLE: bundle },
  });
  const remove = async () => {
    await stack.stop();
    await rm(home, { recursive: true, force: true });
  };
  const second = await addSeconds(stack).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  const db = createDatabase({ url: stack.config.database.url, max: 4 });
  const temporal = createTemporalClient({
    target: { ...stack.config.temporal, credentials: {} },
    dataConverter: createDataConverter(stack.config.encryption),
  });
  const sandboxes = {
    stripe: stack.urls.stripeSandbox,
    resend: `http://127.0.0.1:${stack.ports.resendSandbox}`,
  };
  const ask = async <T>(vendor: keyof typeof sandboxes, path: string, init?: RequestInit): Promise<T> => {
    const response = await fetch(`${sandboxes[vendor]}/_sandbox/${path}`, init);
    if (!response.ok) throw new Error(`${vendor} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };
  const control: FaultStack['control'] = (vendor, path, body = {}) =>
    ask(vendor, path, { method: 'POST', body: JSON.stringify(body) });
  return {
    stack,
    db,
    temporal,
    apiUrls: [stack.urls.api, `http://127.0.0.1:${second.api}`],
    control,
    look: ask,
    setFaults: (vendor, plan) => control(vendor, 'faults', plan),
    victim: (name) => ({
      name,
      kill: () => stack.kill(name),
      start: () => startAlways(stack, name),
      isRunning: () => stack.process(name).isRunning(),
    }),
    close: async () => {
      await temporal.connection.close();
      await db.close();
      await remove();
    },
  };
}

async function addSeconds(stack: Stack): Promise<{ api: number }> {
  const [, api] = await allOrNothing([
    stack.add({ name: 'workers-2', like: 'workers' }),
    stack.add({ name: 'api-2', like: 'api' }),
  ]);
  return api;
}

/** A worker exits when it cannot go on, which its supervisor answers with another start. */
async function startAlways(stack: Stack, name: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      if (!stack.process(name).isRunning()) await stack.start(name);
      return;
    } catch (error) {
      if (tries >= STARTS_MAX) throw error;
    }
  }
}

const STARTS_MAX = 5;

/**
 * How the product compares with bare Temporal on the same machine, in the same run: each measurement is taken in turn
 * with its bare counterpart, so that a slow moment hits both.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import pg from 'pg';
import { createTemporalClient, temporalTarget } from '../../temporal/connection.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import type { Stack } from '../stack.ts';
import { bareTaskQueue } from './bare-activities.ts';
import { type BenchTenant, createBenchTenant, type Payer } from './tenant.ts';

export type Ratios = { apiStartP50: number; apiSignalP50: number; throughput: number };

const pairs = 150;
const roundSize = 100;
const rounds = 3;
const concurrency = 16;

export async function measureRatios(stack: Stack): Promise<Ratios> {
  const tenant = await createBenchTenant(stack);
  const client = createTemporalClient({
    target: temporalTarget(stack.config.temporal, stack.env),
    dataConverter: createDataConverter(stack.config.encryption),
  });
  const admin = new pg.Client({ connectionString: stack.config.database.adminUrl });
  await admin.connect();
  await admin.query(
    'CREATE TABLE IF NOT EXISTS bench_rows (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT now())',
  );
  const worker = await startBareWorker(stack);
  try {
    const started = await compareStarts(tenant, client);
    return {
      apiStartP50: started.ratio,
      apiSignalP50: await compareUpdates(tenant, client, started),
      throughput: await compareThroughput(tenant, client, admin),
    };
  } finally {
    worker.disconnect();
    await once(worker, 'exit');
    await admin.end();
    await client.connection.close();
  }
}

/** POST /v1/subscriptions against the client's start; both answer once the server has the workflow. */
async function compareStarts(tenant: BenchTenant, client: Client) {
  const payers = await tenant.payers(pairs);
  const bareIds: string[] = [];
  const subscriptionIds: string[] = [];
  const { api, bare } = await inTurn(
    payers.map((payer) => async () => {
      subscriptionIds.push(await tenant.startTrial(payer));
    }),
    () => async () => {
      const workflowId = `bench-waiting/${randomUUID()}`;
      await client.workflow.start('bareWaiting', { taskQueue: bareTaskQueue, workflowId });
      bareIds.push(workflowId);
    },
  );
  return { ratio: median(api) / median(bare), bareIds, subscriptionIds };
}

/** An act of the API (an update that writes) against an update that inserts one row. */
async function compareUpdates(
  tenant: BenchTenant,
  client: Client,
  { bareIds, subscriptionIds }: { bareIds: string[]; subscriptionIds: string[] },
): Promise<number> {
  const { api, bare } = await inTurn(
    subscriptionIds.map((id) => () => tenant.extendTrial(id)),
    (index) => async () => {
      await client.workflow.getHandle(bareIds[index] ?? '').executeUpdate('insert');
    },
  );
  return median(api) / median(bare);
}

/** Subscriptions that start with a payment and are active, against bare processes that are finished; per second. */
async function compareThroughput(tenant: BenchTenant, client: Client, admin: pg.Client): Promise<number> {
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const payers = await tenant.payers(roundSize);
    const product = await rate(roundSize, async () => {
      await atOnce(payers.map((payer: Payer) => () => tenant.startPaid(payer)));
      await until(async () => (await tenant.activeAmong(payers)) === roundSize);
    });
    const bare = await rate(roundSize, async () => {
      const before = await rowCount(admin);
      await atOnce(
        payers.map(
          () => () =>
            client.workflow.start('bareProcess', {
              taskQueue: bareTaskQueue,
              workflowId: `bench/${randomUUID()}`,
            }),
        ),
      );
      await until(async () => (await rowCount(admin)) - before === 2 * roundSize);
    });
    ratios.push(product / bare);
  }
  return median(ratios);
}

async function startBareWorker(stack: Stack): Promise<ChildProcess> {
  const worker = fork(fileURLToPath(new URL('./bare-worker.ts', import.meta.url)), {
    env: stack.env,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  await once(worker, 'message');
  return worker;
}

async function inTurn(
  product: (() => Promise<void>)[],
  bareAt: (index: number) => () => Promise<void>,
): Promise<{ api: number[]; bare: number[] }> {
  const api: number[] = [];
  const bare: number[] = [];
  for (const [index, act] of product.entries()) {
    api.push(await millisecondsOf(act));
    bare.push(await millisecondsOf(bareAt(index)));
  }
  return { api, bare };
}

async function rate(count: number, work: () => Promise<void>): Promise<number> {
  return count / (await millisecondsOf(work));
}

async function millisecondsOf(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

async function atOnce(work: (() => Promise<unknown>)[]): Promise<void> {
  const queue = [...work];
  const lane = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await next();
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(await condition())) {
    if (Date.now() > deadline)
      throw new Error('The processes of the bench did not finish within two minutes');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function rowCount(admin: pg.Client): Promise<number> {
  const { rows } = await admin.query<{ count: string }>('SELECT count(*) FROM bench_rows');
  return Number(rows[0]?.count);
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

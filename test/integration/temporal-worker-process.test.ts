// The worker process on real servers: it comes up before Temporal, outlives its absence, and ends cleanly.

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/env.ts';
import { createDatabase, type Database, withSystem } from '../../db/client.ts';
import { appendOutbox } from '../../db/queries/operations/outbox.ts';
import { readScheduleRuns } from '../../db/queries/operations/schedule-runs.ts';
import { outbox } from '../../db/schema/operations.ts';
import { type ManagedProcess, startProcess, untilReady } from '../../scripts/managed-process.ts';
import { freePorts } from '../../scripts/ports.ts';
import { checkout, isListening, localCommand } from '../../scripts/processes.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import { devServerCommand, findTemporalCli } from '../../temporal/local-server.ts';
import { triggerSchedule } from '../../temporal/schedules.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const namespace = `test-${randomUUID()}`;
const patient = { timeout: 50_000, interval: 200 };

let folder: string;
let ports: Record<'temporal' | 'worker' | 'metrics' | 'codec', number>;
let env: NodeJS.ProcessEnv;
let testDatabase: TestDatabase;
let db: Database;
let client: Client;
let worker: ManagedProcess;
let temporal: ManagedProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perennial-worker-'));
  ports = await freePorts(['temporal', 'worker', 'metrics', 'codec']);
  testDatabase = await createTestDatabase();
  db = createDatabase({ url: testDatabase.url });
  const target = { address: `127.0.0.1:${ports.temporal}`, namespace, credentials: {} };
  client = createTemporalClient({ target, dataConverter: createDataConverter(loadConfig({}).encryption) });
  env = {
    PATH: process.env['PATH'],
    DATABASE_URL: testDatabase.url,
    TEMPORAL_ADDRESS: target.address,
    TEMPORAL_NAMESPACE: namespace,
    WORKER_PORT: String(ports.worker),
    METRICS_PORT: String(ports.metrics),
    CODEC_PORT: String(ports.codec),
  };
  worker = await startWorker('worker', env);
});
afterAll(async () => {
  await Promise.all([worker, temporal].map((each) => each?.stop()));
  await client.connection.close();
  await db.close();
  await testDatabase.drop();
  await rm(folder, { recursive: true, force: true });
});

const startWorker = (name: string, environment: NodeJS.ProcessEnv) =>
  startProcess({
    name,
    ...localCommand('workers'),
    env: environment,
    cwd: checkout,
    logFile: join(folder, `${name}.log`),
    graceMs: 30_000,
  });

async function startTemporal(): Promise<ManagedProcess> {
  const { cacheDir } = loadConfig({ XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] });
  const started = await startProcess({
    name: 'temporal',
    ...devServerCommand({
      executable: await findTemporalCli({ cacheDir, report: () => {} }),
      port: ports.temporal,
      databaseFile: join(folder, 'temporal.db'),
    }),
    env: process.env,
    cwd: folder,
    logFile: join(folder, 'temporal.log'),
  });
  await untilReady({ process: started, isReady: () => isListening(ports.temporal) });
  return started;
}

type Ready = {
  status: number;
  body: { checks: Record<string, { ok: boolean }>; overdueSchedules: unknown[] };
};

const at = (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`);
const readiness = async (): Promise<Ready> => {
  const response = await at(ports.worker, '/readyz');
  return { status: response.status, body: (await response.json()) as Ready['body'] };
};
const statusOf = (path: string) =>
  at(ports.worker, path).then(
    ({ status }) => status,
    () => 0,
  );

/** Runs a schedule's workflow and waits until it has recorded its success. */
async function sweep(): Promise<void> {
  const lastSuccess = async () =>
    (await readScheduleRuns(db, ['relay-sweep']))[0]?.lastSuccessAt?.getTime() ?? 0;
  const before = await lastSuccess();
  await triggerSchedule(client, 'relay-sweep');
  await expect.poll(lastSuccess, patient).toBeGreaterThan(before);
}

describe('before Temporal is there', () => {
  it('the process is alive, says what it waits for, and is not ready', async () => {
    await expect.poll(() => statusOf('/healthz'), patient).toBe(200);
    const { status, body } = await readiness();
    expect(status).toBe(503);
    expect(body.checks).toMatchObject({
      database: { ok: true },
      migrations: { ok: true },
      temporal: { ok: false },
      workers: { ok: false, state: 'waiting for Temporal' },
    });
    await expect
      .poll(() => worker.lastLines().some((line) => line.includes('Temporal cannot be reached')), patient)
      .toBe(true);
  });
});

describe('when Temporal comes', () => {
  beforeAll(async () => {
    temporal = await startTemporal();
    await untilReady({ process: worker, isReady: async () => (await statusOf('/readyz')) === 200 });
  });

  it('every queue has a worker that polls, and nothing is missing or overdue', async () => {
    const { body } = await readiness();
    const polls = { ok: true, state: 'RUNNING' };
    expect(body.checks['workers']).toMatchObject({
      billing: { ...polls, pollers: { workflows: 'POLLING', activities: 'POLLING' } },
      stripe: { ...polls, pollers: { activities: 'POLLING' } },
      operations: { ...polls, pollers: { workflows: 'POLLING', activities: 'POLLING' } },
    });
    expect(body.checks['relay']).toEqual({ ok: true, running: true, listening: true, lastError: null });
    expect(body.overdueSchedules).toEqual([]);
  });

  it('the schedules exist and their workflows do their work', sweep);

  it('the relay delivers what is committed', async () => {
    const workflowId = `card-payment/${randomUUID()}`;
    await withSystem(db, (tx) =>
      appendOutbox(tx, null, [
        {
          topic: 'workflow.start',
          workflowType: 'none',
          workflowId,
          taskQueue: 'billing',
          args: [],
          reuse: 'reject_duplicate',
        },
      ]),
    );
    await expect
      .poll(async () => (await withSystem(db, (tx) => tx.select().from(outbox)))[0]?.deliveredAt, patient)
      .toBeInstanceOf(Date);
    await client.workflow.getHandle(workflowId).terminate();
  });

  it('operators get metrics in the form Prometheus reads, and histories through the codec endpoint', async () => {
    const metrics = await (await at(ports.metrics, '/metrics')).text();
    expect(metrics).toMatch(/^# TYPE temporal_workflow_completed_total counter$/m);
    expect(metrics).toMatch(/^temporal_worker_task_slots_available\{.*task_queue="stripe".*\} \d+$/m);
    const decoded = await fetch(`http://127.0.0.1:${ports.codec}/decode`, {
      method: 'POST',
      body: '{"payloads":[]}',
    });
    expect(await decoded.json()).toEqual({ payloads: [] });
  });
});

describe('when Temporal goes away', () => {
  it('the process stays, is not ready meanwhile, and works again when Temporal is back', async () => {
    await temporal.kill();
    await expect.poll(() => statusOf('/readyz'), patient).toBe(503);
    expect(await statusOf('/healthz')).toBe(200);

    temporal = await startTemporal();
    await expect.poll(() => statusOf('/readyz'), patient).toBe(200);
    await sweep();
    expect(worker.isRunning()).toBe(true);
  });
});

describe('its end', () => {
  it('on SIGTERM is clean, with exit code 0', async () => {
    expect(await worker.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    const lines = worker.lastLines();
    const afterTheSignal = lines.slice(lines.findIndex((line) => line.includes('the workers stop')));
    expect(afterTheSignal.filter((line) => !line.includes('"level":"info"'))).toEqual([]);
    expect(await statusOf('/healthz')).toBe(0);
  });

  it('is an exit code other than 0 and a reason when a port is taken', async () => {
    const occupant = await occupy(ports.codec);
    const second = await startWorker('second', env);
    expect((await second.exited).code).toBe(1);
    expect(second.lastLines().join('\n')).toMatch(/EADDRINUSE.*cannot go on/);
    await new Promise((resolve) => occupant.close(resolve));
  });

  it('is an exit code other than 0 and the list of mistakes when the environment is wrong', async () => {
    const wrong = await startWorker('wrong', {
      ...env,
      WORKER_PORT: 'x',
      PERENNIAL_ENCRYPTION_KEYS: 'k:short',
    });
    expect((await wrong.exited).code).toBe(1);
    expect(wrong.lastLines().join('\n')).toMatch(/2 mistakes.*PERENNIAL_ENCRYPTION_KEYS.*WORKER_PORT/s);
  });
});

describe('with Worker Deployment Versioning switched on', () => {
  it('the process takes new workflows once its build is made the current one', async () => {
    const version = { WORKER_DEPLOYMENT_NAME: 'perennial', WORKER_BUILD_ID: 'build-7' };
    worker = await startWorker('versioned', { ...env, ...version });
    await untilReady({ process: worker, isReady: async () => (await statusOf('/readyz')) === 200 });
    const makeCurrent = () =>
      client.workflowService.setWorkerDeploymentCurrentVersion({
        namespace,
        deploymentName: 'perennial',
        buildId: 'build-7',
      });
    await expect.poll(() => makeCurrent().then(() => 'current', String), patient).toBe('current');

    await sweep();
    const { info } = await client.schedule.getHandle('perennial/relay-sweep').describe();
    const run = client.workflow.getHandle(info.recentActions.at(-1)?.action.workflow.workflowId ?? '');
    const { versioningInfo } = (await run.describe()).raw.workflowExecutionInfo ?? {};
    expect(versioningInfo?.deploymentVersion).toMatchObject({
      deploymentName: 'perennial',
      buildId: 'build-7',
    });
  });
});

function occupy(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

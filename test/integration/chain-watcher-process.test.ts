/** The process that keeps a chain watched: begun once, handed from worker to worker, ended where no worker has a node any more. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import pino from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createChainWatcherActivities, type WatchedChain } from '../../activities/payments/chain-watcher.ts';
import { loadConfig } from '../../config/env.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import { ensureNamespace } from '../../temporal/namespace.ts';
import { composeChains, ensureChainWatchers } from '../../workers/chains.ts';
import { bundleWorkflows } from '../../workers/workflow-bundle.ts';
import { chainWatcherWorkflowId } from '../../workflows/payments/chain-watcher.contract.ts';
import { temporalAddress } from '../support/services.ts';
import { bitcoinTransaction, createStillChain, type StillNode } from '../support/still-chain.ts';
import { type ChainScene, createChainScene, DUE } from './chain-scene.ts';

const log = pino({ level: 'silent' });
const patient = { timeout: 30_000, interval: 100 };

let scene: ChainScene;
let node: StillNode;
let client: Client;
let connection: NativeConnection;
let workflowBundle: WorkflowBundle;
let stopLast = async () => {};

beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
  });
  scene = await createChainScene();
  node = createStillChain({ clock: scene.now }).node();
  client = createTemporalClient({
    target: { address: temporalAddress(), namespace: `test-${randomUUID()}`, credentials: {} },
    dataConverter: createDataConverter(loadConfig({}).encryption),
  });
  await ensureNamespace({ client, log });
  [connection, workflowBundle] = await Promise.all([
    NativeConnection.connect({ address: temporalAddress() }),
    bundleWorkflows({ log }),
  ]);
});
afterAll(async () => {
  await stopLast();
  await connection?.close();
  await client?.connection.close();
  await scene?.close();
});

it('watches from worker to worker, and ends where none has a node any more', async () => {
  const watched: WatchedChain = { chain: 'bitcoin', nodes: [node], everyMs: 50, startHeight: null };
  const chainWatching = { network: 'local', chains: [watched] } as const;
  const first = await startWorker([watched]);
  await ensureChainWatchers(client, chainWatching);
  await ensureChainWatchers(client, chainWatching);
  await vi.waitFor(async () => expect((await scene.chain()).height).toBe(0), patient);

  // The process has the real clock.
  const { id, target } = await scene.offer({ expiresIn: YEARS });
  node.mine([bitcoinTransaction([{ to: target, units: DUE }])]);
  await vi.waitFor(async () => expect(await scene.payments(id)).toEqual(['100000 mined @1']), patient);

  const stoppedAt = Date.now();
  await first.stop();
  // The grace of a worker is for what is short; a watch ends by itself, long before.
  expect(Date.now() - stoppedAt).toBeLessThan(GRACE_MS / 2);
  node.mineEmpty(2);
  const second = await startWorker([watched]);
  await vi.waitFor(async () => expect(await scene.standing(id)).toBe('settled'), patient);
  await second.stop();

  const third = await startWorker([]);
  await client.workflow.getHandle(chainWatcherWorkflowId('bitcoin')).result();
  await third.stop();
}, 180_000);

it('has no chain to watch where none has a node', () => {
  expect(composeChains(loadConfig({}).chains)).toMatchObject({ network: 'local', chains: [] });
  const { chains } = composeChains(
    loadConfig({ BITCOIN_NODES: 'http://user:secret@127.0.0.1:18334', BASE_NODES: 'http://127.0.0.1:8545' })
      .chains,
  );
  expect(chains.map(({ chain, nodes }) => [chain, nodes.map(({ name }) => name)])).toEqual([
    ['bitcoin', ['127.0.0.1:18334']],
    ['base', ['127.0.0.1:8545']],
  ]);
});

const GRACE_MS = 60_000;
/** Minutes. */
const YEARS = 10 * 365 * 24 * 60;

/** The two queues that a watch needs. */
async function startWorker(chains: readonly WatchedChain[]): Promise<{ stop(): Promise<void> }> {
  const stopping = new AbortController();
  const { namespace, dataConverter } = client.options;
  const common = { connection, namespace, dataConverter, shutdownGraceTime: GRACE_MS } as const;
  const workers = [
    await Worker.create({ ...common, taskQueue: taskQueues.operations, workflowBundle }),
    await Worker.create({
      ...common,
      taskQueue: taskQueues.chains,
      activities: createChainWatcherActivities({
        db: scene.db,
        chainWatching: { network: 'local', chains },
        log,
        stopping: stopping.signal,
      }),
    }),
  ];
  const running = Promise.all(workers.map((worker) => worker.run()));
  stopLast = async () => {
    stopping.abort();
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await running;
  };
  return { stop: stopLast };
}

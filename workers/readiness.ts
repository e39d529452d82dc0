/** What `/readyz` of the worker process looks at. */
import type { Client } from '@temporalio/client';
import type { Database } from '../db/client.ts';
import { pendingMigrations } from '../db/queries/operations/pending-migrations.ts';
import { type Check, type Readiness, runChecks } from './health.ts';
import type { Relay } from './relay.ts';
import type { ScheduleWatch } from './schedule-watch.ts';
import type { TaskQueueWorkers } from './task-queue-workers.ts';

/** Makes the function that looks. `workers` are undefined as long as they have not been created. */
export function createReadiness({
  db,
  client,
  relay,
  schedules,
  workers,
}: {
  db: Database;
  client: Client;
  relay: Pick<Relay, 'health'>;
  schedules: Pick<ScheduleWatch, 'look'>;
  workers: () => TaskQueueWorkers | undefined;
}): () => Promise<Readiness> {
  return async () => {
    const [checks, overdueSchedules] = await Promise.all([
      runChecks({
        database: () => checkDatabase(db),
        migrations: () => checkMigrations(db),
        temporal: () => checkTemporal(client),
        workers: () => checkWorkers(workers()),
        relay: () => checkRelay(relay),
      }),
      schedules.look().catch(() => []),
    ]);
    return { ready: Object.values(checks).every(({ ok }) => ok), checks, overdueSchedules };
  };
}

const TEMPORAL_TIMEOUT_MS = 2_000;

async function checkDatabase(db: Database): Promise<Check> {
  await db.pool.query('SELECT 1');
  return { ok: true };
}

async function checkMigrations(db: Database): Promise<Check> {
  const missing = await pendingMigrations(db);
  return { ok: missing.length === 0, ...(missing.length > 0 ? { missing } : {}) };
}

async function checkTemporal(client: Client): Promise<Check> {
  const { namespace } = client.options;
  await client.withDeadline(Date.now() + TEMPORAL_TIMEOUT_MS, () =>
    client.workflowService.describeNamespace({ namespace }),
  );
  return { ok: true, namespace };
}

/** A worker may run and yet poll no longer, so both are looked at. A queue without workflows has no such poller. */
function checkWorkers(workers: TaskQueueWorkers | undefined): Check {
  if (!workers) return { ok: false, state: 'waiting for Temporal' };
  const queues = Object.entries(workers).map(([queue, worker]) => {
    const status = worker.getStatus();
    const pollers = {
      ...(worker.options.workflowBundle ? { workflows: status.workflowPollerState } : {}),
      activities: status.activityPollerState,
    };
    const ok = status.runState === 'RUNNING' && Object.values(pollers).every((state) => state === 'POLLING');
    return [
      queue,
      { ok, state: status.runState, pollers, cachedWorkflows: status.numCachedWorkflows },
    ] as const;
  });
  return { ok: queues.every(([, { ok }]) => ok), ...Object.fromEntries(queues) };
}

function checkRelay(relay: Pick<Relay, 'health'>): Check {
  const health = relay.health();
  return { ok: health.running && health.lastError === null, ...health };
}

/**
 * Health. `/healthz`: this process answers. `/readyz`: what it stands on is there as well: the database with every
 * migration, Temporal, and workers that take tasks. A job that has not succeeded for two intervals is listed.
 */
import type { RequestHandler } from 'express';
import { z } from 'zod';
import type { Database } from '../../db/client.ts';
import { pendingMigrations } from '../../db/queries/operations/pending-migrations.ts';
import { readScheduleRuns } from '../../db/queries/operations/schedule-runs.ts';
import { overdueSchedules, scheduleManifest } from '../../temporal/schedules.ts';
import type { ApiDependencies } from '../dependencies.ts';
import type { OpenRoute } from '../route.ts';
import { instant } from '../schemas.ts';
import { pingTemporal, queuesWithoutWorkers } from './temporal-health.ts';

const health = z.object({ ok: z.literal(true) }).meta({ id: 'Health' });

const check = z.object({ ok: z.boolean(), problem: z.string().optional() });

const readiness = z
  .object({
    ready: z.boolean(),
    checks: z.object({ database: check, migrations: check, temporal: check, workers: check }),
    overdueSchedules: z.array(
      z.object({ schedule: z.string(), lastSuccessAt: instant.nullable(), everySeconds: z.int() }),
    ),
  })
  .meta({ id: 'Readiness' });

type Check = z.infer<typeof check>;
type Readiness = z.infer<typeof readiness>;

const ok: Check = { ok: true };
const exampleReadiness: Readiness = {
  ready: true,
  checks: { database: ok, migrations: ok, temporal: ok, workers: ok },
  overdueSchedules: [],
};

export function healthRoutes(deps: ApiDependencies): readonly OpenRoute[] {
  return [
    {
      method: 'get',
      path: '/healthz',
      operationId: 'getHealth',
      tag: 'Health',
      summary: 'Whether this process answers',
      responses: { 200: { description: 'It does.', schema: health, example: ok } },
      handlers: [(_req, res) => void res.set('Cache-Control', 'no-store').json(ok)],
    },
    {
      method: 'get',
      path: '/readyz',
      operationId: 'getReadiness',
      tag: 'Health',
      summary: 'Whether everything this process stands on is there',
      responses: {
        200: { description: 'Ready.', schema: readiness, example: exampleReadiness },
        503: {
          description: 'Something is missing. Calls are still taken while Temporal or workers are missing.',
          schema: readiness,
          example: {
            ...exampleReadiness,
            ready: false,
            checks: { ...exampleReadiness.checks, temporal: { ok: false, problem: 'does not answer' } },
          },
        },
      },
      handlers: [answerReadiness(deps)],
    },
  ];
}

function answerReadiness(deps: ApiDependencies): RequestHandler {
  const workers = cached(() => checkWorkers(deps), WORKERS_CACHE_MS);
  return async (req, res) => {
    const [database, migrations, temporal, working, overdue] = await Promise.all([
      look(() => deps.db.pool.query('SELECT 1'), 'does not answer'),
      look(() => checkMigrations(deps.db), 'cannot be read'),
      look(() => pingTemporal(deps.temporal), 'does not answer'),
      look(workers, 'cannot be asked'),
      findOverdue(deps.db).catch(() => []),
    ]);
    const checks = { database, migrations, temporal, workers: working };
    const ready = Object.values(checks).every((each) => each.ok);
    if (!ready) req.log.warn({ checks }, 'not ready');
    res
      .status(ready ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({ ready, checks, overdueSchedules: overdue } satisfies Readiness);
  };
}

/** A problem a check names itself is told; anything else is told in the given words, and the log has the rest. */
class CheckFailed extends Error {}

async function look(check: () => Promise<unknown>, otherwise: string): Promise<Check> {
  try {
    await check();
    return ok;
  } catch (error) {
    return { ok: false, problem: error instanceof CheckFailed ? error.message : otherwise };
  }
}

async function checkMigrations(db: Database): Promise<void> {
  const missing = await pendingMigrations(db);
  if (missing.length > 0) throw new CheckFailed(`not applied: ${missing.join(', ')}`);
}

async function checkWorkers({ temporal }: ApiDependencies): Promise<void> {
  const idle = await queuesWithoutWorkers(temporal);
  if (idle.length > 0) throw new CheckFailed(`no worker asks for tasks of: ${idle.join(', ')}`);
}

async function findOverdue(db: Database): Promise<Readiness['overdueSchedules']> {
  const runs = await readScheduleRuns(db, Object.keys(scheduleManifest));
  return overdueSchedules({ runs, now: new Date() }).map(({ lastSuccessAt, ...each }) => ({
    ...each,
    lastSuccessAt: lastSuccessAt?.toISOString() ?? null,
  }));
}

/** Describing a task queue counts against the server's limit of visibility reads, so probes share an answer. */
const WORKERS_CACHE_MS = 5_000;

function cached<T>(work: () => Promise<T>, lifetimeMs: number): () => Promise<T> {
  let held: { answer: Promise<T>; until: number } | undefined;
  return () => {
    if (held === undefined || held.until <= Date.now())
      held = { answer: work(), until: Date.now() + lifetimeMs };
    return held.answer;
  };
}

/** Schedules: how the recurring jobs fare, and a run by hand. */
import { z } from 'zod';
import { listScheduleRuns, type ScheduleRunRow } from '../../db/queries/operations/schedule-runs.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import {
  overdueSchedules,
  type ScheduleName,
  scheduleManifest,
  triggerSchedule,
} from '../../temporal/schedules.ts';
import { type Route, route } from '../route.ts';
import { emptyBody, instant } from '../schemas.ts';

const names = Object.keys(scheduleManifest) as [ScheduleName, ...ScheduleName[]];

const name = z.enum(names).meta({ example: 'trial-statistics' });

const schedule = z
  .object({
    name,
    summary: z.string(),
    everySeconds: z.int(),
    lastSuccessAt: instant.nullable(),
    overdue: z.boolean().meta({ description: 'It has not succeeded for two intervals.' }),
  })
  .meta({ id: 'Schedule' });

type ScheduleBody = z.infer<typeof schedule>;

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/schedules',
  operationId: 'listSchedules',
  tag: 'Schedules',
  scope: 'operations:read',
  summary: 'List the recurring jobs with their last success',
  responses: {
    200: { description: 'All jobs.', schema: z.object({ data: z.array(schedule), nextCursor: z.null() }) },
  },
  handler: async ({ tx }) => {
    const runs = await listScheduleRuns(tx);
    return { status: 200, body: { data: names.map((each) => toSchedule(each, runs)), nextCursor: null } };
  },
});

const trigger = route({
  effect: 'act',
  method: 'post',
  path: '/v1/schedules/{scheduleName}/trigger',
  operationId: 'triggerSchedule',
  tag: 'Schedules',
  scope: 'operations:write',
  summary: 'Run a job now',
  description: 'Where it runs already, once more after that. Its success shows in the list.',
  params: z.strictObject({ scheduleName: name }),
  body: emptyBody,
  responses: {
    202: {
      description: 'The job is triggered.',
      schema: z.object({ name, triggeredAt: instant }),
      example: { name: 'trial-statistics', triggeredAt: '2026-11-21T09:00:00.000Z' },
    },
  },
  problems: ['temporal_unavailable'],
  handler: {
    look: async () => undefined,
    act: ({ deps, params: { scheduleName } }) =>
      deps.temporal.withDeadline(Date.now() + TRIGGER_TIMEOUT_MS, () =>
        triggerSchedule(deps.temporal, scheduleName),
      ),
    answer: async ({ tx, caller: { tenantId, actor }, now, params: { scheduleName } }) => {
      await writeAudit(tx, {
        tenantId,
        actor,
        action: 'schedule.triggered',
        entityType: 'schedule',
        entityId: scheduleName,
        at: now,
      });
      return { name: scheduleName, triggeredAt: now.toISOString() };
    },
  },
});

export const scheduleRoutes: readonly Route[] = [list, trigger];

const TRIGGER_TIMEOUT_MS = 5_000;

function toSchedule(each: ScheduleName, runs: ScheduleRunRow[]): ScheduleBody {
  const { summary, everySeconds } = scheduleManifest[each];
  const own = runs.filter((run) => run.name === each);
  return {
    name: each,
    summary,
    everySeconds,
    lastSuccessAt: own[0]?.lastSuccessAt?.toISOString() ?? null,
    overdue: overdueSchedules({ runs: own, now: new Date() }).length > 0,
  };
}

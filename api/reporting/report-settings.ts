/** Where the daily report goes, and at which time of day. */
import { z } from 'zod';
import {
  findReportSettings,
  putReportSettings,
  type ReportSettings,
  usualReportSettings,
} from '../../db/queries/reporting/report-settings.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { defaultSendAt } from '../../domain/reporting/daily-report.ts';
import { type Route, route } from '../route.ts';
import { email } from '../schemas.ts';

const clock = z.enum(['utc', 'tenant']).meta({
  description: 'Whose clocks show the time, and whose days are reported: UTC, or your own time zone.',
});

const sendAt = z
  .string()
  .regex(/^([01]\d|2[0-3]):(00|15|30|45)$/, 'must be a time on a quarter of an hour, such as 08:00')
  .meta({ example: '08:00' });

const settings = z
  .object({
    recipient: z.string().nullable().meta({ description: 'Null: no report is wanted.' }),
    sendAt,
    clock,
  })
  .meta({ id: 'ReportSettings' });

const example = { recipient: 'owner@example.com', sendAt: '08:00', clock: 'utc' as const };

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/report_settings',
  operationId: 'getReportSettings',
  tag: 'Reports',
  scope: 'reports:read',
  summary: 'Read where the daily report goes',
  responses: { 200: { description: 'The settings.', schema: settings, example } },
  handler: async ({ tx }) => ({
    status: 200,
    body: toSettings((await findReportSettings(tx)) ?? usualReportSettings),
  }),
});

const put = route({
  effect: 'write',
  method: 'put',
  path: '/v1/report_settings',
  operationId: 'putReportSettings',
  tag: 'Reports',
  scope: 'reports:write',
  summary: 'Set where the daily report goes, and when',
  description:
    'The figures of a day are mailed on the day after: revenue by rail, new subscriptions, cancellations, MRR. Reports begin with the next that is due.',
  body: z
    .strictObject({
      recipient: email.nullable(),
      sendAt: sendAt.default(defaultSendAt),
      clock: clock.default('utc'),
    })
    .meta({ id: 'NewReportSettings' }),
  example,
  responses: { 200: { description: 'The settings.', schema: settings, example } },
  handler: async ({ tx, caller: { tenantId, actor }, now, body }) => {
    await putReportSettings(tx, { tenantId, settings: body, at: now });
    await writeAudit(tx, {
      tenantId,
      actor,
      action: 'report_settings.changed',
      entityType: 'tenant',
      entityId: tenantId,
      details: { sendAt: body.sendAt, clock: body.clock, isWanted: body.recipient !== null },
      at: now,
    });
    return { status: 200, body: toSettings(body) };
  },
});

export const reportSettingsRoutes: readonly Route[] = [read, put];

function toSettings({ recipient, sendAt: time, clock: whose }: ReportSettings): z.infer<typeof settings> {
  return { recipient, sendAt: time, clock: whose };
}

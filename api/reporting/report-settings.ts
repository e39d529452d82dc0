/** Where the daily report goes, and at which time of day; and the chat in which operators are told what needs them. */
import { z } from 'zod';
import { seal } from '../../config/seal.ts';
import {
  type ChatSettings,
  chatSealedFor,
  findReportSettings,
  noChat,
  putReportSettings,
  type ReportSettings,
  usualReportSettings,
} from '../../db/queries/reporting/report-settings.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import {
  chatUrlLengthMax,
  chatUrlMistakeInWords,
  chatUrlMistakes,
  readChatUrl,
} from '../../domain/messaging/operator-chat.ts';
import { defaultSendAt } from '../../domain/reporting/daily-report.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Problem } from '../problem.ts';
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
    chat: z.object({ host: z.string() }).nullable().meta({
      description:
        'The chat of your operators, by its host: its address is a secret and is not answered. Null: there is none.',
    }),
  })
  .meta({ id: 'ReportSettings' });

const example = { recipient: 'owner@example.com', sendAt: '08:00', clock: 'utc' as const };
const exampleAnswer = { ...example, chat: { host: 'hooks.slack.com' } };

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/report_settings',
  operationId: 'getReportSettings',
  tag: 'Reports',
  scope: 'reports:read',
  summary: 'Read where the daily report and notices to operators go',
  responses: { 200: { description: 'The settings.', schema: settings, example: exampleAnswer } },
  handler: async ({ tx }) => ({
    status: 200,
    body: toSettings((await findReportSettings(tx)) ?? { ...usualReportSettings, ...noChat }),
  }),
});

const put = route({
  effect: 'write',
  method: 'put',
  path: '/v1/report_settings',
  operationId: 'putReportSettings',
  tag: 'Reports',
  scope: 'reports:write',
  summary: 'Set where the daily report and notices to operators go',
  description:
    'The figures of a day are mailed on the day after: revenue by rail, new subscriptions, cancellations, MRR. Reports begin with the next that is due. What needs your operators is mailed to the same address, and posted to their chat where one is set.',
  body: z
    .strictObject({
      recipient: email.nullable(),
      sendAt: sendAt.default(defaultSendAt),
      clock: clock.default('utc'),
      chatUrl: z.string().min(1).max(chatUrlLengthMax).nullable().optional().meta({
        writeOnly: true,
        example: 'https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX',
        description:
          'An incoming webhook of Slack, or of a chat that takes the same, on a host that this installation allows. A secret: it is not answered again. Null: no chat any more. Left out: the chat stays as it is.',
      }),
    })
    .meta({ id: 'NewReportSettings' }),
  example,
  problems: ['chat_address_unusable'],
  reasons: { chat_address_unusable: chatUrlMistakes },
  responses: { 200: { description: 'The settings.', schema: settings, example: exampleAnswer } },
  handler: async ({ deps, tx, caller: { tenantId, actor }, now, body: { chatUrl, ...body } }) => {
    const given = chatUrl === undefined ? undefined : toChat(deps.config, tenantId, chatUrl);
    const chat = await putReportSettings(tx, { tenantId, settings: body, chat: given, at: now });
    await writeAudit(tx, {
      tenantId,
      actor,
      action: 'report_settings.changed',
      entityType: 'tenant',
      entityId: tenantId,
      details: {
        sendAt: body.sendAt,
        clock: body.clock,
        isWanted: body.recipient !== null,
        chatHost: chat.chatHost,
      },
      at: now,
    });
    return { status: 200, body: toSettings({ ...body, ...chat }) };
  },
});

export const reportSettingsRoutes: readonly Route[] = [read, put];

/** Throws a problem for an address that may not be posted to; it is not repeated. */
function toChat(
  { encryption, operatorChat: { hosts } }: ApiDependencies['config'],
  tenantId: string,
  chatUrl: string | null,
): ChatSettings {
  if (chatUrl === null) return noChat;
  const address = readChatUrl(chatUrl, hosts);
  if ('mistake' in address) {
    const detail = chatUrlMistakeInWords(address.mistake, hosts);
    throw new Problem({ code: 'chat_address_unusable', reason: address.mistake, detail });
  }
  return { chatUrl: seal(encryption, address.url, chatSealedFor(tenantId)), chatHost: address.host };
}

function toSettings({
  recipient,
  sendAt: time,
  clock: whose,
  chatHost,
}: ReportSettings & ChatSettings): z.infer<typeof settings> {
  return { recipient, sendAt: time, clock: whose, chat: chatHost === null ? null : { host: chatHost } };
}

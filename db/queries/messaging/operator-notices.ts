/**
 * Notices to the operators of a tenant: by mail where it has named an address for its reports, and in its chat where it has
 * named one. A tenant that has named neither is told nothing; what waits for a person is listed besides.
 *
 * Why it is safe to run twice: mail and chat have a row each, unique by the key of the notice, written with what is owed for it
 * in the transaction that decides. Both leave after it, each on its own: a chat that fails takes nothing from the mail.
 */
import { sql } from 'drizzle-orm';
import type { NotificationVariables, TenantNotification } from '../../../domain/messaging/notification.ts';
import type { ChatSend } from '../../../domain/operations/outbox.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { together } from '../../together.ts';
import { findReportSettings } from '../reporting/report-settings.ts';
import { enqueueNotification, insertOnce } from './notifications.ts';

/** `key` is its business identity: the same notice is decided once. `at` is business time. */
export type OperatorNoticeRequest = { tenantId: string; key: string; at: Date } & NoticeWords;

/** Words of its own, or those of a template. Nobody's name or address: a chat is read by many and erased by nobody. */
type NoticeWords =
  | {
      /** In a few words. */
      subject: string;
      /** In sentences, with what to do. */
      text: string;
    }
  | {
      [T in OperatorTemplate]: { template: T; variables: NotificationVariables[T] };
    }[OperatorTemplate];

type OperatorTemplate = Exclude<TenantNotification['template'], 'daily_report'>;

export async function enqueueOperatorNotice(tx: Tx, notice: OperatorNoticeRequest): Promise<void> {
  const { tenantId, key, at } = notice;
  const settings = await findReportSettings(tx);
  if (settings === null) return;
  const message =
    'template' in notice
      ? { template: notice.template, variables: notice.variables }
      : {
          template: 'operator_notice' as const,
          variables: { title: notice.subject, what: notice.text },
        };
  const { recipient, chatUrl } = settings;
  await together([
    recipient === null
      ? undefined
      : enqueueNotification(tx, {
          tenantId,
          at,
          request: { ...message, recipient, dedupeKey: key } as TenantNotification,
        }),
    chatUrl === null ? undefined : enqueueChat(tx, { tenantId, key, at, ...message }),
  ]);
}

/** Where it goes is read when it is posted: the address is a secret and stays in one place. */
async function enqueueChat(
  tx: Tx,
  {
    tenantId,
    key,
    at,
    template,
    variables,
  }: {
    tenantId: string;
    key: string;
    at: Date;
    template: OperatorTemplate;
    variables: NotificationVariables[OperatorTemplate];
  },
): Promise<void> {
  const id = newId('ntf');
  const envelope: ChatSend = { topic: 'chat.send', notificationId: id };
  const row = {
    id,
    tenantId,
    channel: 'chat' as const,
    template,
    dedupeKey: `chat:${key}`,
    variables: sql`${JSON.stringify(variables)}::jsonb`,
    decidedAt: at,
  };
  await insertOnce(tx, row, envelope);
}

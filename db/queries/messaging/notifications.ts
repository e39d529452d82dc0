/** Notification rows: decided inside a transaction, sent after it. */
import { sql } from 'drizzle-orm';
import type { PgInsertValue } from 'drizzle-orm/pg-core';
import type { NotificationRequest } from '../../../domain/messaging/notification.ts';
import type { ChatSend, MailSend } from '../../../domain/operations/outbox.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { notifications } from '../../schema/messaging.ts';
import { outbox } from '../../schema/operations.ts';
import { together } from '../../together.ts';

/**
 * Decides a message. Its `dedupeKey` is its business identity: deciding it again does nothing, so a repeated
 * activity never mails twice. `at` is business time.
 */
export async function enqueueNotification(
  tx: Tx,
  { tenantId, at, request }: { tenantId: string; at: Date; request: NotificationRequest },
): Promise<void> {
  const id = newId('ntf');
  const envelope: MailSend = { topic: 'mail.send', notificationId: id };
  const row = {
    id,
    tenantId,
    ...('recipient' in request
      ? { recipient: request.recipient }
      : {
          customerId: request.customerId,
          subscriptionId: request.subscriptionId ?? null,
          attaches: request.attaches ?? null,
        }),
    template: request.template,
    dedupeKey: request.dedupeKey,
    variables: sql`${JSON.stringify(request.variables)}::jsonb`,
    decidedAt: at,
  };
  await insertOnce(tx, row, envelope);
}

/** A row that is there already, under its key, stays as it is, and nothing more is owed for it. */
export async function insertOnce(tx: Tx, row: NewNotification, envelope: MailSend | ChatSend): Promise<void> {
  await together([
    tx
      .insert(notifications)
      .values(row)
      .onConflictDoNothing({ target: [notifications.tenantId, notifications.dedupeKey] })
      .execute(),
    // Owed for a new message only: of one that was decided before, the row has another id.
    tx
      .execute(sql`
        insert into ${outbox} (tenant_id, topic, envelope)
        select ${row.tenantId}, ${envelope.topic}, ${JSON.stringify(envelope)}::jsonb
        where exists (select from ${notifications} where ${notifications.id} = ${row.id})`)
      .execute(),
  ]);
}

type NewNotification = PgInsertValue<typeof notifications> & { id: string; tenantId: string };

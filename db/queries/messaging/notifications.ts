/** Notification rows: decided inside a transaction, sent after it. */
import { sql } from 'drizzle-orm';
import type { NotificationRequest } from '../../../domain/messaging/notification.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { notifications } from '../../schema/messaging.ts';
import { appendOutbox } from '../operations/outbox.ts';

/**
 * Decides a message. Its `dedupeKey` is its business identity: deciding it again does nothing, so a repeated
 * activity never mails twice. `at` is business time.
 */
export async function enqueueNotification(
  tx: Tx,
  { tenantId, at, request }: { tenantId: string; at: Date; request: NotificationRequest },
): Promise<void> {
  const [row] = await tx
    .insert(notifications)
    .values({
      id: newId('ntf'),
      tenantId,
      customerId: request.customerId,
      subscriptionId: request.subscriptionId ?? null,
      template: request.template,
      dedupeKey: request.dedupeKey,
      variables: sql`${JSON.stringify(request.variables)}::jsonb`,
      decidedAt: at,
    })
    .onConflictDoNothing({ target: [notifications.tenantId, notifications.dedupeKey] })
    .returning({ id: notifications.id });
  if (row !== undefined) await appendOutbox(tx, tenantId, [{ topic: 'mail.send', notificationId: row.id }]);
}

/** Notifications as they are read: what customers and operators were told, and whether it went out. */
import { and, desc, eq, lt } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { type NotificationChannel, type NotificationStatus, notifications } from '../../schema/messaging.ts';

export type NotificationRow = typeof notifications.$inferSelect;

export type NotificationFilter = {
  customerId: string | undefined;
  subscriptionId: string | undefined;
  status: NotificationStatus | undefined;
  channel: NotificationChannel | undefined;
  cursor: string | undefined;
  limit: number;
};

/** Newest first. */
export function listNotifications(tx: Tx, filter: NotificationFilter): Promise<NotificationRow[]> {
  const { customerId, subscriptionId, status, channel, cursor, limit } = filter;
  return tx
    .select()
    .from(notifications)
    .where(
      and(
        customerId === undefined ? undefined : eq(notifications.customerId, customerId),
        subscriptionId === undefined ? undefined : eq(notifications.subscriptionId, subscriptionId),
        status === undefined ? undefined : eq(notifications.status, status),
        channel === undefined ? undefined : eq(notifications.channel, channel),
        cursor === undefined ? undefined : lt(notifications.id, cursor),
      ),
    )
    .orderBy(desc(notifications.id))
    .limit(limit);
}

export async function findNotification(tx: Tx, notificationId: string): Promise<NotificationRow | null> {
  const [row] = await tx.select().from(notifications).where(eq(notifications.id, notificationId));
  return row ?? null;
}

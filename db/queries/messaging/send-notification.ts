/** The row of one message on its way out. Its status is what a crash leaves behind, so it is written before the call. */
import { and, eq, inArray, sql } from 'drizzle-orm';
import type { InvoiceDocument } from '../../../domain/billing/invoice-document.ts';
import type { Tx } from '../../client.ts';
import { customers } from '../../schema/billing.ts';
import { type NotificationStatus, notifications } from '../../schema/messaging.ts';
import { tenants } from '../../schema/tenants.ts';
import { together } from '../../together.ts';

export type NotificationToSend = {
  notification: typeof notifications.$inferSelect;
  /** Null: the message is to the tenant itself. */
  customer: { email: string | null; name: string | null; erasedAt: Date | null } | null;
  tenant: { name: string; portalUrl: string };
  /** The first try is so long ago that the vendor may have forgotten our key. */
  keyMayBeForgotten: boolean;
};

/** Resend remembers idempotency keys for 24 hours; an hour is left for the call itself and for clocks that differ. */
const keyTrustedHours = 23;

/** The message with everything it needs, locked until the transaction ends; null when there is no such row. */
export async function lockNotification(tx: Tx, notificationId: string): Promise<NotificationToSend | null> {
  // The rows are read by a statement of its own, once the lock is ours: a join that waits for the lock would see the
  // message as an erasure has left it, and the customer as before.
  const isIt = eq(notifications.id, notificationId);
  const locked = tx.select({ id: notifications.id }).from(notifications).where(isIt).for('update').execute();
  const read = tx
    .select({
      notification: notifications,
      customer: {
        // Drizzle takes a joined object for null where its first column is.
        id: customers.id,
        email: customers.email,
        name: customers.name,
        erasedAt: customers.erasedAt,
      },
      tenant: { name: tenants.name, portalUrl: tenants.portalUrl },
      keyMayBeForgotten: sql<boolean>`coalesce(${notifications.firstTriedAt} < now() - make_interval(hours => ${keyTrustedHours}), false)`,
    })
    .from(notifications)
    .leftJoin(customers, eq(customers.id, notifications.customerId))
    .innerJoin(tenants, eq(tenants.id, notifications.tenantId))
    .where(isIt)
    .execute();
  const [, [found]] = await together([locked, read]);
  return found ?? null;
}

/** From here on the vendor may know the message. `firstTriedAt` is when its memory of our key began. */
export async function markSending(
  tx: Tx,
  notificationId: string,
  { recipient, subject, attached }: { recipient: string; subject: string; attached: InvoiceDocument | null },
): Promise<void> {
  await tx
    .update(notifications)
    .set({
      status: 'sending',
      recipient,
      subject,
      attached,
      attempts: sql`${notifications.attempts} + 1`,
      firstTriedAt: sql`coalesce(${notifications.firstTriedAt}, now())`,
      error: null,
    })
    .where(eq(notifications.id, notificationId));
}

export async function markSent(tx: Tx, notificationId: string, externalId: string | null): Promise<void> {
  await tx
    .update(notifications)
    .set({ status: 'sent', externalId, sentAt: sql`now()`, error: null, attached: null })
    .where(eq(notifications.id, notificationId));
}

/** Ends a message that is not sent (`failed`, `unknown`, `skipped`). One that was sent meanwhile stays sent. */
export async function markNotSent(
  tx: Tx,
  notificationId: string,
  { status, error }: { status: Extract<NotificationStatus, 'failed' | 'unknown' | 'skipped'>; error: string },
): Promise<void> {
  await tx.update(notifications).set({ status, error, attached: null }).where(onItsWay(notificationId));
}

/**
 * Records a try that will be repeated. `nothingHappened`: the vendor certainly took no notice, so a message that was
 * never in doubt is in the queue again, and a long outage does not put it in doubt.
 */
export async function markRetry(
  tx: Tx,
  notificationId: string,
  { error, nothingHappened }: { error: string; nothingHappened: boolean },
): Promise<void> {
  const firstTriedAt = nothingHappened ? null : sql`coalesce(${notifications.firstTriedAt}, now())`;
  const status = nothingHappened ? 'queued' : 'sending';
  await tx.update(notifications).set({ status, firstTriedAt, error }).where(onItsWay(notificationId));
}

/** Nobody tries any more. What was never in doubt has failed; of what was, nobody knows. */
export async function giveUpNotification(tx: Tx, notificationId: string, error: string): Promise<void> {
  const status = sql<NotificationStatus>`case when ${notifications.firstTriedAt} is null then 'failed' else 'unknown' end`;
  await tx.update(notifications).set({ status, error, attached: null }).where(onItsWay(notificationId));
}

function onItsWay(notificationId: string) {
  return and(eq(notifications.id, notificationId), inArray(notifications.status, ['queued', 'sending']));
}

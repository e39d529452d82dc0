/** What we tell customers: one row per message with its status. */
import { sql } from 'drizzle-orm';
import { index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { NotificationTemplate } from '../../domain/messaging/notification.ts';
import { createdAt, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

/** `unknown`: the answer was lost and the vendor has forgotten our key; a person decides. `skipped`: no address any more. */
export type NotificationStatus = 'queued' | 'sending' | 'sent' | 'failed' | 'unknown' | 'skipped';

export const notifications = pgTable(
  'notifications',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text().notNull(),
    subscriptionId: text(),
    template: text().$type<NotificationTemplate>().notNull(),
    /** Business identity of the message; a second row for it cannot exist. */
    dedupeKey: text().notNull(),
    /** The template's variables. Erased with the customer. */
    variables: jsonb().$type<Record<string, unknown>>().notNull(),
    /** Address at the time of sending. Erased with the customer. */
    recipient: text(),
    subject: text(),
    status: text().$type<NotificationStatus>().notNull().default('queued'),
    /** The vendor's id of the message. */
    externalId: text(),
    error: text(),
    attempts: integer().notNull().default(0),
    decidedAt: instant().notNull(),
    firstTriedAt: instant(),
    sentAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('notifications_dedupe').on(t.tenantId, t.dedupeKey),
    index('notifications_customer').on(t.tenantId, t.customerId, t.id),
    index('notifications_waiting').on(t.status).where(sql`${t.status} in ('queued', 'sending')`),
  ],
);

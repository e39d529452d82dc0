/** What we tell customers, and tenants of their own business: one row per message with its status. */
import { sql } from 'drizzle-orm';
import { check, index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { InvoiceDocument } from '../../domain/billing/invoice-document.ts';
import type { AttachedDocument, NotificationTemplate } from '../../domain/messaging/notification.ts';
import { createdAt, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

/** `unknown`: the answer was lost and the vendor has forgotten our key; a person decides. `skipped`: no address any more. */
export type NotificationStatus = 'queued' | 'sending' | 'sent' | 'failed' | 'unknown' | 'skipped';

/** A mail to somebody, or a notice in the chat of the tenant's operators. */
export type NotificationChannel = 'mail' | 'chat';

export const notifications = pgTable(
  'notifications',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    /** Null: a message to the tenant itself. */
    customerId: text(),
    subscriptionId: text(),
    channel: text().$type<NotificationChannel>().notNull().default('mail'),
    template: text().$type<NotificationTemplate>().notNull(),
    /** Business identity of the message; a second row for it cannot exist. */
    dedupeKey: text().notNull(),
    /** The template's variables. Erased with the customer. */
    variables: jsonb().$type<Record<string, unknown>>().notNull(),
    /** The document that goes with it; null for most. */
    attaches: jsonb().$type<AttachedDocument>(),
    /** What that document says, from the first try until the outcome is known. Erased with the customer. */
    attached: jsonb().$type<InvoiceDocument>(),
    /**
     * Address at the time of sending, of a message to the tenant when it was decided. Erased with the customer. Of a chat its
     * host: the address of a chat is a secret.
     */
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
    check(
      'notifications_recipient',
      sql`${t.customerId} is not null or ${t.recipient} is not null or ${t.channel} = 'chat'`,
    ),
    check(
      'notifications_channel',
      sql`${t.channel} = 'mail' or (${t.channel} = 'chat' and ${t.customerId} is null)`,
    ),
    index('notifications_waiting').on(t.status).where(sql`${t.status} in ('queued', 'sending')`),
  ],
);

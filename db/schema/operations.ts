/** What transactions still owe the outside (outbox), what vendors told us (inbox), and how schedules fare. */
import { sql } from 'drizzle-orm';
import { bigint, index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { OutboxEnvelope } from '../../domain/operations/outbox.ts';
import { createdAt, id, instant } from './columns.ts';

/** Written in the transaction that decided it; NOTIFY `outbox` at the commit wakes the relay. */
export const outbox = pgTable(
  'outbox',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    tenantId: text(),
    topic: text().notNull(),
    envelope: jsonb().$type<OutboxEnvelope>().notNull(),
    /** Not before this instant; also the end of a lease while someone delivers. */
    dueAt: instant().notNull().defaultNow(),
    attempts: integer().notNull().default(0),
    lastError: text(),
    deliveredAt: instant(),
    /** Given up: a person must look. */
    failedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => {
    const isOwed = sql`${t.deliveredAt} is null and ${t.failedAt} is null`;
    return [
      index('outbox_due').on(t.dueAt).where(isOwed),
      index('outbox_workflow').on(sql`(${t.envelope} ->> 'workflowId')`, t.id).where(isOwed),
    ];
  },
);

export type InboxStatus = 'received' | 'ignored' | 'processed';

/** Vendors' events, stored before they are answered. */
export const inboxEvents = pgTable(
  'inbox_events',
  {
    id: id(),
    provider: text().$type<'stripe' | 'razorpay' | 'coinbase' | 'coinbase_commerce' | 'plaid'>().notNull(),
    account: text().notNull(),
    externalId: text().notNull(),
    type: text().notNull(),
    /** The vendor's object the event speaks of. */
    objectId: text(),
    /** Known once the object has been read again. */
    tenantId: text(),
    /** `webhook`, or `reconciler` for an event whose webhook never came. */
    source: text().$type<'webhook' | 'reconciler'>().notNull(),
    status: text().$type<InboxStatus>().notNull(),
    occurredAt: instant().notNull(),
    receivedAt: instant().notNull().defaultNow(),
    /** When its process was last told again; null until it had to be. */
    retoldAt: instant(),
    processedAt: instant(),
  },
  (t) => [
    uniqueIndex('inbox_events_once').on(t.provider, t.account, t.externalId),
    index('inbox_events_waiting').on(t.receivedAt).where(sql`${t.status} = 'received'`),
  ],
);

/** One row per schedule: when it last did its work to the end. */
export const scheduleRuns = pgTable('schedule_runs', {
  name: text().primaryKey(),
  firstSeenAt: instant().notNull().defaultNow(),
  lastSuccessAt: instant(),
  lastResult: jsonb(),
  /** How far a reconciler has read the vendor's events. */
  watermark: instant(),
});

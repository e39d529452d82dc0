/** Facts that reports add up, figures computed by schedules, and where a tenant wants its daily report. */
import { sql } from 'drizzle-orm';
import { check, index, integer, numeric, pgTable, real, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { MovementKind } from '../../domain/reporting/mrr.ts';
import { customers, plans, subscriptions } from './billing.ts';
import { createdAt, currency, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

/** Trial statistics per tenant and run (seed 003: conversion rate, average days to convert). */
export const trialStatistics = pgTable(
  'trial_statistics',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    at: instant().notNull(),
    started: integer().notNull(),
    running: integer().notNull(),
    converted: integer().notNull(),
    ended: integer().notNull(),
    /** converted / (converted + ended); null while none has finished. */
    conversionRate: real(),
    /** Mean of (converted − started) in days; null while none has converted. */
    averageDaysToConvert: real(),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('trial_statistics_run').on(t.tenantId, t.at)],
);

/** Minor units × `denominator`: no integer of the database is wide enough for every price. */
const numerator = () => numeric({ precision: 40, scale: 0, mode: 'bigint' });

/**
 * Every change of a subscription's monthly recurring revenue, written in the transaction that changes the row. Exact:
 * both values stand over one denominator. Never updated, never deleted.
 */
export const mrrMovements = pgTable(
  'mrr_movements',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    subscriptionId: text()
      .notNull()
      .references(() => subscriptions.id),
    /** The version of the subscription's row that the change made. */
    subscriptionVersion: integer().notNull(),
    at: instant().notNull(),
    kind: text().$type<MovementKind>().notNull(),
    /** The kind of the timeline's entry that says why. */
    cause: text().notNull(),
    currency: currency().notNull(),
    beforeNumerator: numerator().notNull(),
    afterNumerator: numerator().notNull(),
    denominator: integer().notNull(),
    /** What is paid for from then on. */
    planId: text()
      .notNull()
      .references(() => plans.id),
    quantity: integer().notNull(),
    /** When the customer first brought revenue: its cohort. */
    customerSince: instant().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    // One change of a row is one fact.
    uniqueIndex('mrr_movements_change').on(t.subscriptionId, t.subscriptionVersion),
    index('mrr_movements_at').on(t.tenantId, t.at, t.id),
    index('mrr_movements_customer').on(t.tenantId, t.customerId),
    check(
      'mrr_movements_kind',
      sql`(${t.kind} in ('new', 'expansion', 'reactivation')) = (${t.afterNumerator} > ${t.beforeNumerator}) and ${t.afterNumerator} <> ${t.beforeNumerator}`,
    ),
    check(
      'mrr_movements_amounts',
      sql`${t.beforeNumerator} >= 0 and ${t.afterNumerator} >= 0 and ${t.denominator} > 0`,
    ),
    check('mrr_movements_first', sql`${t.kind} <> 'new' or ${t.customerSince} = ${t.at}`),
  ],
);

/** Where a tenant's daily report and its operators' notices go, and when. */
export const reportSettings = pgTable(
  'report_settings',
  {
    tenantId: text()
      .primaryKey()
      .references(() => tenants.id),
    /** Null: no report is wanted. */
    recipient: text(),
    /** `08:00`, on a quarter of an hour. */
    sendAt: text().notNull(),
    /** Whose clocks show it, and whose days are reported. */
    clock: text().$type<'utc' | 'tenant'>().notNull(),
    /** The incoming webhook of the operators' chat, sealed (`config/seal.ts`): it is its own password. Null: there is none. */
    chatUrl: text(),
    /** Its host, as people may see it. */
    chatHost: text(),
    /** Reports that were due before are not made up. */
    since: instant().notNull(),
    updatedAt: instant().notNull(),
  },
  (t) => [
    check('report_settings_send_at', sql`${t.sendAt} ~ '^([01][0-9]|2[0-3]):(00|15|30|45)$'`),
    check('report_settings_chat', sql`(${t.chatUrl} is null) = (${t.chatHost} is null)`),
  ],
);

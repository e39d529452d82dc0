/** Razorpay's own subscriptions, which collect ours, and the plans at Razorpay that say what one of their cycles costs. */
import { sql } from 'drizzle-orm';
import { check, index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { BillingInterval } from '../../domain/calendar.ts';
import type {
  RazorpayEndReason,
  RazorpaySubscriptionStatus,
} from '../../domain/payments/razorpay-subscription.ts';
import { customers, plans, subscriptions } from './billing.ts';
import { amountMinor, createdAt, currency, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

/** One price of a plan as Razorpay knows it: made once, used by everybody who pays it. Razorpay cannot change a plan. */
export const razorpayPlans = pgTable(
  'razorpay_plans',
  {
    /** Also in the vendor's notes, by which the plan is found. */
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    planId: text()
      .notNull()
      .references(() => plans.id),
    /** A whole cycle: all seats, tax included. */
    amountMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    interval: jsonb().$type<BillingInterval>().notNull(),
    /** The vendor's id (`plan_…`) once known. */
    externalId: text(),
    /** Set before the vendor is asked: from then on the plan is looked up there before it is asked for again. */
    askedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('razorpay_plans_price').on(t.tenantId, t.planId, t.amountMinor),
    check('razorpay_plans_amount', sql`${t.amountMinor} > 0`),
  ],
);

/** A subscription at Razorpay. `creating` without an id means: look it up before anything else. */
export const razorpaySubscriptions = pgTable(
  'razorpay_subscriptions',
  {
    /** Also in the vendor's notes, by which the subscription is found. */
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    /** Ours, whose periods it pays. */
    subscriptionId: text()
      .notNull()
      .references(() => subscriptions.id),
    razorpayPlanId: text()
      .notNull()
      .references(() => razorpayPlans.id),
    status: text().$type<RazorpaySubscriptionStatus>().notNull(),
    /** The vendor's id (`sub_…`) once known. */
    externalId: text(),
    /** Where the customer authorises it. */
    shortUrl: text(),
    /** What a cycle costs. */
    amountMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    /** When Razorpay charges first; null: right after the authorisation. */
    startsAt: instant(),
    cycles: integer().notNull(),
    requestedAt: instant().notNull(),
    /** Set before the vendor is asked: from then on it is looked up there before it is asked for again. */
    askedAt: instant(),
    /** It is to end: owed to the vendor until its status says so. */
    endRequestedAt: instant(),
    endReason: text().$type<RazorpayEndReason>(),
    endedAt: instant(),
    /** Why the vendor made none, as a code. */
    failureCode: text(),
    /** When it was last read at the vendor, in business time. */
    lookedAt: instant(),
    /** The same by the clock of whoever read it: an answer that was asked for earlier changes nothing any more. */
    readAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('razorpay_subscriptions_external').on(t.tenantId, t.externalId),
    // One that is meant to go on per subscription of ours.
    uniqueIndex('razorpay_subscriptions_current')
      .on(t.subscriptionId)
      .where(
        sql`${t.endRequestedAt} is null and ${t.status} not in ('refused', 'cancelled', 'completed', 'expired')`,
      ),
    index('razorpay_subscriptions_subscription').on(t.tenantId, t.subscriptionId),
    index('razorpay_subscriptions_to_look_at').on(t.tenantId, t.lookedAt).where(sql`${t.endedAt} is null`),
    check('razorpay_subscriptions_amount', sql`${t.amountMinor} > 0`),
    check(
      'razorpay_subscriptions_named',
      sql`${t.externalId} is not null or ${t.status} in ('creating', 'refused')`,
    ),
    check(
      'razorpay_subscriptions_ended',
      sql`(${t.status} in ('refused', 'cancelled', 'completed', 'expired')) = (${t.endedAt} is not null)`,
    ),
  ],
);

/** Coupons, and who has redeemed them. */
import { sql } from 'drizzle-orm';
import { check, index, integer, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { customers, subscriptions } from './billing.ts';
import { amountMinor, createdAt, currency, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

/** A coupon's terms never change; only how often it was redeemed does, and whether it is still offered. */
export const coupons = pgTable(
  'coupons',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    /** Upper case, as customers are told it. */
    code: text().notNull(),
    /** One of the two: a whole percentage, or an amount of `currency`. */
    percent: integer(),
    reductionMinor: amountMinor(),
    currency: currency(),
    /** Period invoices it reduces; null: for ever. */
    periods: integer(),
    maxRedemptions: integer(),
    redemptions: integer().notNull().default(0),
    expiresAt: instant(),
    /** The only person who may redeem it, as `customers.person_key`; null: anybody. */
    personKey: text(),
    /** The subscription whose last mail offered it; null: made by an operator. */
    wonBackFrom: text().references(() => subscriptions.id),
    archivedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('coupons_code').on(t.tenantId, t.code),
    uniqueIndex('coupons_won_back_from').on(t.wonBackFrom),
    check('coupons_off', sql`(${t.percent} is null) <> (${t.reductionMinor} is null)`),
    check('coupons_percent', sql`${t.percent} between 1 and 100`),
    check(
      'coupons_amount',
      sql`${t.reductionMinor} > 0 and (${t.reductionMinor} is null) = (${t.currency} is null)`,
    ),
    check('coupons_periods', sql`${t.periods} > 0`),
    check(
      'coupons_redemptions',
      sql`${t.redemptions} between 0 and coalesce(${t.maxRedemptions}, ${t.redemptions})`,
    ),
  ],
);

/** Never changed, never deleted: one for each time a coupon was put on a subscription. */
export const couponRedemptions = pgTable(
  'coupon_redemptions',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    couponId: text()
      .notNull()
      .references(() => coupons.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    subscriptionId: text()
      .notNull()
      .references(() => subscriptions.id),
    redeemedAt: instant().notNull(),
  },
  (t) => [
    index('coupon_redemptions_coupon').on(t.tenantId, t.couponId),
    // A coupon is put on a subscription once, however often it is asked for.
    uniqueIndex('coupon_redemptions_once').on(t.couponId, t.subscriptionId),
  ],
);

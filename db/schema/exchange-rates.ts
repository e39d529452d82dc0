/** What currencies were worth: reference rates that all tenants share, and rates that a tenant entered for itself. */
import { sql } from 'drizzle-orm';
import { check, date, index, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { createdAt, currency, id, instant } from './columns.ts';
import { tenants } from './tenants.ts';

/** One unit of `base` is `rate` units of `quote`. Never updated, never deleted: a correction is another row. */
export const exchangeRates = pgTable(
  'exchange_rates',
  {
    id: id(),
    /** Null: published, and seen by all. */
    tenantId: text().references(() => tenants.id),
    day: date({ mode: 'string' }).notNull(),
    base: currency().notNull(),
    quote: currency().notNull(),
    /** An exact decimal above 0, never a float. */
    rate: text().notNull(),
    /** `ecb`, or `manual` for what a person entered. */
    source: text().notNull(),
    /** When it was fetched or entered. */
    fetchedAt: instant().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    // What is published of a day is fetched once.
    uniqueIndex('exchange_rates_published')
      .on(t.day, t.base, t.quote, t.source)
      .where(sql`${t.tenantId} is null`),
    index('exchange_rates_entered').on(t.tenantId, t.day).where(sql`${t.tenantId} is not null`),
    check('exchange_rates_rate', sql`${t.rate} ~ '^[0-9]{1,12}([.][0-9]{1,20})?$' and ${t.rate} ~ '[1-9]'`),
    check('exchange_rates_pair', sql`${t.base} <> ${t.quote}`),
    check('exchange_rates_owner', sql`(${t.tenantId} is not null) = (${t.source} = 'manual')`),
  ],
);

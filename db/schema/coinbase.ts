/** Checkouts at Coinbase: an invoice's amount due, offered on a page of theirs. */
import { sql } from 'drizzle-orm';
import { check, index, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { CheckoutProviderName, KnownCheckoutStatus } from '../../domain/payments/coinbase-checkout.ts';
import { customers, invoices } from './billing.ts';
import { amountMinor, createdAt, currency, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

/** `creating` without an id means: look it up before anything else. */
export const coinbaseCheckouts = pgTable(
  'coinbase_checkouts',
  {
    /** Also in the provider's metadata, by which the checkout is found; its idempotency key is made of it. */
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    /** `commerce`: a charge that Coinbase Commerce has left behind. */
    provider: text().$type<CheckoutProviderName>().notNull(),
    status: text().$type<KnownCheckoutStatus>().notNull(),
    /** The provider's id once known. */
    externalId: text(),
    /** Where the customer pays. */
    url: text(),
    /** What was asked for. */
    amountMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    /** What came, to the last digit, with its coin. */
    received: text(),
    /** On the chain, of the latest payment. */
    transactionId: text(),
    requestedAt: instant().notNull(),
    /** Set before the provider is asked: from then on it is looked up there before it is asked for again. */
    askedAt: instant(),
    expiresAt: instant(),
    /** Since when a payment is under way. */
    processingAt: instant(),
    /** When it was last read at the provider. */
    lookedAt: instant(),
    /** From then on nobody is shown it; money that still comes is booked all the same. */
    closedAt: instant(),
    /** Why it was closed unpaid, as a code. */
    failureCode: text(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('coinbase_checkouts_external').on(t.tenantId, t.externalId),
    // One checkout a customer can pay per invoice.
    uniqueIndex('coinbase_checkouts_current')
      .on(t.invoiceId)
      .where(sql`${t.provider} = 'business' and ${t.closedAt} is null`),
    index('coinbase_checkouts_invoice').on(t.tenantId, t.invoiceId),
    check('coinbase_checkouts_amount', sql`${t.amountMinor} > 0`),
    check(
      'coinbase_checkouts_named',
      sql`${t.externalId} is not null or ${t.status} in ('creating', 'refused')`,
    ),
    check(
      'coinbase_checkouts_closed',
      sql`${t.closedAt} is not null or ${t.status} in ('creating', 'active', 'processing')`,
    ),
  ],
);

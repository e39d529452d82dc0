/** Payment methods, charge attempts, payments on any rail, and the ledger they post to. */
import { sql } from 'drizzle-orm';
import { check, index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { DeclineClass } from '../../domain/payments/card-payment.ts';
import type { ChargeOrigin, PaymentRail } from '../../domain/payments/payment.ts';
import { customers, invoices } from './billing.ts';
import { amountMinor, createdAt, currency, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

/** A card as shown to people; the card itself is at the vendor. */
export const paymentMethods = pgTable(
  'payment_methods',
  {
    /** The vendor's id (`pm_…`). */
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    brand: text().notNull(),
    last4: text().notNull(),
    expMonth: integer().notNull(),
    expYear: integer().notNull(),
    /** Set by a hard decline: never charged again. */
    refusedAt: instant(),
    attachedAt: instant().notNull(),
    createdAt: createdAt(),
  },
  (t) => [index('payment_methods_customer').on(t.tenantId, t.customerId)],
);

export type ChargeAttemptStatus = 'pending' | 'succeeded' | 'failed' | 'requires_action' | 'processing';

/** One try to collect an invoice by card. `pending` without an answer means: look it up before anything else. */
export const chargeAttempts = pgTable(
  'charge_attempts',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    /** 1, 2, 3 … per invoice; part of the vendor's idempotency key. */
    ordinal: integer().notNull(),
    origin: text().$type<ChargeOrigin>().notNull(),
    /** Business identity of the try (`renewal`, `dunning:<case>:<step>` …): the same try is never a second row. */
    originKey: text().notNull(),
    paymentMethodId: text()
      .notNull()
      .references(() => paymentMethods.id),
    vendorCustomerId: text().notNull(),
    status: text().$type<ChargeAttemptStatus>().notNull(),
    /** The vendor's payment id once known. */
    externalId: text(),
    amountMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    /** Where the customer confirms, while the attempt waits for it. */
    actionUrl: text(),
    declineCode: text(),
    declineClass: text().$type<DeclineClass>(),
    startedAt: instant().notNull(),
    /** We asked the vendor to cancel it, to charge anew or because nothing is due; its end means nothing more. */
    calledBackAt: instant(),
    finishedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('charge_attempts_ordinal').on(t.invoiceId, t.ordinal),
    uniqueIndex('charge_attempts_origin').on(t.invoiceId, t.originKey),
    uniqueIndex('charge_attempts_external').on(t.externalId),
    // One charge under way per invoice.
    uniqueIndex('charge_attempts_in_flight')
      .on(t.invoiceId)
      .where(sql`${t.status} in ('pending', 'processing', 'requires_action')`),
  ],
);

/** Money that arrived, on any rail. */
export const payments = pgTable(
  'payments',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    rail: text().$type<PaymentRail>().notNull(),
    externalId: text().notNull(),
    amountMinor: amountMinor().notNull(),
    /** The part that paid the invoice; the rest is the customer's credit. */
    allocatedMinor: amountMinor().notNull(),
    refundedMinor: amountMinor().notNull().default(0),
    currency: currency().notNull(),
    receivedAt: instant().notNull(),
    note: text(),
    createdAt: createdAt(),
  },
  (t) => [
    // The same money is never booked twice.
    uniqueIndex('payments_external').on(t.tenantId, t.rail, t.externalId),
    index('payments_invoice').on(t.tenantId, t.invoiceId),
    check(
      'payments_amounts',
      sql`${t.amountMinor} > 0 and ${t.allocatedMinor} between 0 and ${t.amountMinor} and ${t.refundedMinor} between 0 and ${t.amountMinor}`,
    ),
  ],
);

export const refunds = pgTable(
  'refunds',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    paymentId: text()
      .notNull()
      .references(() => payments.id),
    externalId: text().notNull(),
    amountMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    /** The part that came out of the customer's credit: money that had paid no invoice. */
    creditMinor: amountMinor().notNull().default(0),
    refundedAt: instant().notNull(),
    /** The bank sent it back: nothing was given back after all. */
    reversedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('refunds_external').on(t.tenantId, t.externalId)],
);

/** One business fact; its entries sum to zero per currency (deferred trigger). Never updated, never deleted. */
export const ledgerTransactions = pgTable(
  'ledger_transactions',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    kind: text().notNull(),
    /** The invoice, payment or refund it books; with `kind` unique, so a fact is booked once. */
    reference: text().notNull(),
    at: instant().notNull(),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('ledger_transactions_fact').on(t.tenantId, t.kind, t.reference)],
);

export const ledgerEntries = pgTable(
  'ledger_entries',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    transactionId: text()
      .notNull()
      .references(() => ledgerTransactions.id),
    /** `receivable`, `revenue`, `cash:<rail>`, `customer_credit`, `rounding`, `refunds`, `bad_debt`. */
    account: text().notNull(),
    currency: currency().notNull(),
    /** Debit positive, credit negative. */
    amountMinor: amountMinor().notNull(),
    details: jsonb().notNull().default(sql`'{}'::jsonb`),
  },
  (t) => [
    index('ledger_entries_transaction').on(t.transactionId),
    index('ledger_entries_account').on(t.tenantId, t.account),
    check('ledger_entries_amount', sql`${t.amountMinor} <> 0`),
  ],
);

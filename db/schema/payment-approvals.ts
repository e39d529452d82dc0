/** Payments that one person has recorded and another one has to look at; nothing of them is booked until then. */
import { sql } from 'drizzle-orm';
import { check, index, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { ApprovalStatus, ManualMethod } from '../../domain/payments/manual-payment.ts';
import { customers, invoices } from './billing.ts';
import { amountMinor, createdAt, currency, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

export const paymentApprovals = pgTable(
  'payment_approvals',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    status: text().$type<ApprovalStatus>().notNull(),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    /** The invoice it was recorded for; null for one that names none. */
    invoiceId: text().references(() => invoices.id),
    // What was asked for, as it was asked for.
    reference: text().notNull(),
    method: text().$type<ManualMethod>().notNull(),
    chequeNumber: text(),
    amountMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    bankFeeMinor: amountMinor().notNull().default(0),
    exchangeRate: text(),
    rateSource: text(),
    receivedAt: instant().notNull(),
    note: text(),
    reason: text().notNull(),
    /** What it was worth in US dollars; null where no rate said that. */
    usdMinor: amountMinor(),
    askedBy: text().notNull(),
    askedAt: instant().notNull(),
    decidedBy: text(),
    decidedAt: instant(),
    /** Why it was rejected. */
    rejection: text(),
    createdAt: createdAt(),
  },
  (t) => [
    // The same money is asked about once at a time.
    uniqueIndex('payment_approvals_waiting').on(t.tenantId, t.reference).where(sql`${t.status} = 'asked'`),
    index('payment_approvals_status').on(t.tenantId, t.status, t.id),
    index('payment_approvals_customer').on(t.tenantId, t.customerId),
    check('payment_approvals_amount', sql`${t.amountMinor} > 0 and ${t.bankFeeMinor} >= 0`),
    check('payment_approvals_rate', sql`(${t.exchangeRate} is null) = (${t.rateSource} is null)`),
    check('payment_approvals_cheque', sql`${t.chequeNumber} is null or ${t.method} = 'cheque'`),
    // Whoever decides is somebody else than who has asked.
    check(
      'payment_approvals_decided',
      sql`num_nonnulls(${t.decidedBy}, ${t.decidedAt}) = case when ${t.status} = 'asked' then 0 else 2 end and (${t.decidedBy} is null or ${t.decidedBy} <> ${t.askedBy}) and (${t.rejection} is not null) = (${t.status} = 'rejected')`,
    ),
  ],
);

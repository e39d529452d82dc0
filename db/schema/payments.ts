/** Payment methods, charge attempts, payments on any rail, what is given or taken back, and the ledger they post to. */
import { sql } from 'drizzle-orm';
import {
  type AnyPgColumn,
  boolean,
  check,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { DeclineClass, PaymentMethodType } from '../../domain/payments/card-payment.ts';
import type { DisputeStatus } from '../../domain/payments/dispute.ts';
import type { RateLeg } from '../../domain/payments/exchange-rate.ts';
import type { ManualMethod } from '../../domain/payments/manual-payment.ts';
import type { ChargeOrigin, PaymentRail } from '../../domain/payments/payment.ts';
import type { OrderPaymentStatus, OrderStatus } from '../../domain/payments/razorpay-order.ts';
import type { RefundLine, RefundStatus } from '../../domain/payments/refund.ts';
import { customers, invoiceLines, invoices } from './billing.ts';
import { amountMinor, createdAt, currency, id, instant, tenantId } from './columns.ts';
import { paymentApprovals } from './payment-approvals.ts';
import { tenants } from './tenants.ts';

/** A card or a bank account as shown to people; itself it is at the vendor. */
export const paymentMethods = pgTable(
  'payment_methods',
  {
    /** The vendor's id (`pm_…`). */
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    type: text().$type<PaymentMethodType>().notNull().default('card'),
    /** A card's brand, or the bank's name. */
    brand: text().notNull(),
    last4: text().notNull(),
    /** 0 for a bank account. */
    expMonth: integer().notNull(),
    expYear: integer().notNull(),
    /** The vendor's id of the customer's authorisation to debit the bank account. */
    mandateId: text(),
    /** The bank says that the customer does not authorise debits, or not any more. */
    mandateEndedAt: instant(),
    /** Set by a hard decline: never charged again. */
    refusedAt: instant(),
    attachedAt: instant().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    index('payment_methods_customer').on(t.tenantId, t.customerId),
    // Nobody's account is debited without an authorisation.
    check('payment_methods_mandate', sql`(${t.type} = 'us_bank_account') = (${t.mandateId} is not null)`),
  ],
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

/** One invoice's amount due, offered at Razorpay's checkout. `creating` without an id means: look it up before anything else. */
export const razorpayOrders = pgTable(
  'razorpay_orders',
  {
    /** Also the receipt, by which the vendor finds the order. */
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    status: text().$type<OrderStatus>().notNull(),
    /** The vendor's id (`order_…`) once known. */
    externalId: text(),
    amountMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    requestedAt: instant().notNull(),
    /** Set before the vendor is asked: from then on the order is looked up there before it is asked for again. */
    askedAt: instant(),
    /** The payment that came furthest (`pay_…`), how far, and when the customer began it. */
    paymentId: text(),
    paymentStatus: text().$type<OrderPaymentStatus>(),
    paymentAt: instant(),
    /** When the order was last read at the vendor. */
    lookedAt: instant(),
    closedAt: instant(),
    /** Why it was closed unpaid, as a code. */
    failureCode: text(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('razorpay_orders_external').on(t.tenantId, t.externalId),
    // One order a customer can pay per invoice.
    uniqueIndex('razorpay_orders_current').on(t.invoiceId).where(sql`${t.status} in ('creating', 'open')`),
    index('razorpay_orders_to_look_at').on(t.tenantId, t.lookedAt).where(sql`${t.status} <> 'paid'`),
    check('razorpay_orders_amount', sql`${t.amountMinor} > 0`),
    check('razorpay_orders_named', sql`${t.externalId} is not null or ${t.status} in ('creating', 'closed')`),
    check('razorpay_orders_closed', sql`(${t.status} in ('creating', 'open')) = (${t.closedAt} is null)`),
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
    /** What it counts for, in the invoice's currency. */
    amountMinor: amountMinor().notNull(),
    /** The part that paid the invoice; the rest is the customer's credit. */
    allocatedMinor: amountMinor().notNull(),
    refundedMinor: amountMinor().notNull().default(0),
    currency: currency().notNull(),
    /** The payment whose excess this one passes on to another invoice; on the rail `credit` only. */
    sourcePaymentId: text().references((): AnyPgColumn => payments.id),
    /** Of what was paid, in its own currency: what banks kept for themselves. */
    bankFeeMinor: amountMinor().notNull().default(0),
    // Of money that came in another currency: as it came, what it comes to at the rate, and the rate with its legs.
    receivedMinor: amountMinor(),
    receivedCurrency: currency(),
    convertedMinor: amountMinor(),
    exchangeRate: text(),
    rateDay: date({ mode: 'string' }),
    rateSource: text(),
    rateLegs: jsonb().$type<RateLeg[]>(),
    receivedAt: instant().notNull(),
    /** The customer's bank took the debit back, all of it or what was left: when, how much, and why (`R01`). */
    returnedAt: instant(),
    returnedMinor: amountMinor().notNull().default(0),
    returnCode: text(),
    note: text(),
    // Of money that a person recorded: how it came, why, who did it and when, and what it was worth in US dollars.
    method: text().$type<ManualMethod>(),
    chequeNumber: text(),
    reason: text(),
    recordedBy: text(),
    recordedAt: instant(),
    usdMinor: amountMinor(),
    /** The approval by which it was booked; null where one person recorded it alone. */
    approvalId: text().references((): AnyPgColumn => paymentApprovals.id),
    createdAt: createdAt(),
  },
  (t) => [
    // The same money is never booked twice.
    uniqueIndex('payments_external').on(t.tenantId, t.rail, t.externalId),
    index('payments_invoice').on(t.tenantId, t.invoiceId),
    // What was booked on proofs, as the matching looks for it.
    index('payments_on_proof')
      .on(t.tenantId, t.currency, t.amountMinor)
      .where(sql`${t.externalId} like 'proof:%'`),
    index('payments_source').on(t.sourcePaymentId).where(sql`${t.sourcePaymentId} is not null`),
    // Holds all that the report on revenue adds up, so that it reads nothing else.
    index('payments_received').on(t.tenantId, t.receivedAt, t.id, t.rail, t.currency, t.amountMinor),
    index('payments_returned').on(t.tenantId, t.returnedAt).where(sql`${t.returnedAt} is not null`),
    // What one person has recorded alone for a customer, and when.
    index('payments_recorded_alone')
      .on(t.tenantId, t.customerId, t.recordedBy, t.recordedAt)
      .where(sql`${t.recordedBy} is not null and ${t.approvalId} is null`),
    uniqueIndex('payments_approval').on(t.approvalId),
    check(
      'payments_recorded',
      sql`num_nonnulls(${t.method}, ${t.reason}, ${t.recordedBy}, ${t.recordedAt}) in (0, 4) and (${t.method} is null or ${t.rail} = 'manual') and (${t.approvalId} is null or ${t.method} is not null) and (${t.chequeNumber} is null or ${t.method} = 'cheque')`,
    ),
    // What nobody could put a worth to was approved.
    check(
      'payments_recorded_worth',
      sql`${t.method} is null or ${t.usdMinor} is not null or ${t.approvalId} is not null`,
    ),
    check(
      'payments_returned_whole',
      sql`(${t.returnedAt} is null) = (${t.returnCode} is null) and (${t.returnedAt} is null) = (${t.returnedMinor} = 0) and ${t.returnedMinor} between 0 and ${t.amountMinor}`,
    ),
    check(
      'payments_amounts',
      sql`${t.amountMinor} > 0 and ${t.allocatedMinor} between 0 and ${t.amountMinor} and ${t.refundedMinor} between 0 and ${t.amountMinor}`,
    ),
    check('payments_source', sql`${t.sourcePaymentId} is null or ${t.rail} = 'credit'`),
    check(
      'payments_bank_fee',
      sql`${t.bankFeeMinor} >= 0 and ${t.bankFeeMinor} < coalesce(${t.receivedMinor}, ${t.amountMinor})`,
    ),
    // All of it, or nothing.
    check(
      'payments_exchange',
      sql`num_nonnulls(${t.receivedMinor}, ${t.receivedCurrency}, ${t.convertedMinor}, ${t.exchangeRate}, ${t.rateDay}, ${t.rateSource}, ${t.rateLegs}) in (0, 7) and (${t.receivedMinor} is null or (${t.receivedMinor} > 0 and ${t.convertedMinor} > 0 and ${t.receivedCurrency} <> ${t.currency}))`,
    ),
  ],
);

/** Money given back, or about to be: asked for by us, or found in the vendor's own list. */
export const refunds = pgTable(
  'refunds',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    paymentId: text()
      .notNull()
      .references(() => payments.id),
    status: text().$type<RefundStatus>().notNull(),
    /** The vendor's id once known; none where no vendor is asked. */
    externalId: text(),
    amountMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    /** The part that came out of the customer's credit: money that had paid no invoice. */
    creditMinor: amountMinor().notNull().default(0),
    /** While it is pending, that part waits in `refunds_pending`; false where it is decided when the money is given. */
    isCreditHeld: boolean().notNull().default(false),
    // Of a payment that came in another currency: what was given back of it, and of what it came to at the rate.
    receivedMinor: amountMinor(),
    receivedCurrency: currency(),
    convertedMinor: amountMinor(),
    /** What of the invoice is given back, where that was named. */
    lines: jsonb().$type<RefundLine[]>().notNull().default([]),
    /** In the words of whoever asked. */
    reason: text(),
    requestedAt: instant().notNull(),
    /** Set before the vendor is asked: from then on it is looked up there before it is asked for again. */
    askedAt: instant(),
    refundedAt: instant(),
    /** The bank sent it back: nothing was given back after all. */
    reversedAt: instant(),
    /** Why nothing was given back, as a code. */
    failureCode: text(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('refunds_external').on(t.tenantId, t.externalId),
    index('refunds_payment').on(t.tenantId, t.paymentId),
    index('refunds_refunded').on(t.tenantId, t.refundedAt),
    check('refunds_amounts', sql`${t.amountMinor} > 0 and ${t.creditMinor} between 0 and ${t.amountMinor}`),
    check('refunds_dates', sql`${t.status} <> 'succeeded' or ${t.refundedAt} is not null`),
  ],
);

/** What corrects an invoice: a document with a number of its own. Never updated, never deleted. */
export const creditNotes = pgTable(
  'credit_notes',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    refundId: text()
      .notNull()
      .references(() => refunds.id),
    /** The note it takes back, because its refund did not arrive; its amounts are negative then. */
    reversesId: text().references((): AnyPgColumn => creditNotes.id),
    /** Gapless per tenant: `CN-000001`. */
    number: text().notNull(),
    /** Tax included. */
    totalMinor: amountMinor().notNull(),
    /** Of the total: what is taken back of the invoice's tax. */
    taxMinor: amountMinor().notNull().default(0),
    currency: currency().notNull(),
    issuedAt: instant().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('credit_notes_number').on(t.tenantId, t.number),
    // A refund corrects its invoice once, and is taken back once.
    uniqueIndex('credit_notes_refund').on(t.refundId).where(sql`${t.reversesId} is null`),
    uniqueIndex('credit_notes_reverses').on(t.reversesId),
    index('credit_notes_invoice').on(t.tenantId, t.invoiceId),
    check(
      'credit_notes_total',
      sql`(${t.totalMinor} < 0) = (${t.reversesId} is not null) and ${t.totalMinor} <> 0`,
    ),
  ],
);

export const creditNoteLines = pgTable(
  'credit_note_lines',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    creditNoteId: text()
      .notNull()
      .references(() => creditNotes.id),
    /** Order on the note, from 0. */
    position: integer().notNull(),
    /** The invoice's line it corrects, where one was named. */
    invoiceLineId: text().references(() => invoiceLines.id),
    description: text().notNull(),
    amountMinor: amountMinor().notNull(),
  },
  (t) => [index('credit_note_lines_note').on(t.tenantId, t.creditNoteId)],
);

/** The row lock that makes the numbers of credit notes gapless: taken and raised in the transaction that issues. */
export const creditNoteCounters = pgTable('credit_note_counters', {
  tenantId: text()
    .primaryKey()
    .references(() => tenants.id),
  lastNumber: integer().notNull(),
});

/** A payment the customer's bank wants back, as the vendor tells it. */
export const disputes = pgTable(
  'disputes',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    paymentId: text()
      .notNull()
      .references(() => payments.id),
    /** The vendor's id. */
    externalId: text().notNull(),
    amountMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    /** The bank's, as a code: `fraudulent`, `product_not_received` … */
    reason: text().notNull(),
    status: text().$type<DisputeStatus>().notNull(),
    openedAt: instant().notNull(),
    /** The vendor took the money out of our account, and put it back. */
    withdrawnAt: instant(),
    reinstatedAt: instant(),
    closedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('disputes_external').on(t.tenantId, t.externalId),
    index('disputes_payment').on(t.tenantId, t.paymentId),
    index('disputes_open').on(t.tenantId, t.customerId).where(sql`${t.status} = 'open'`),
    check('disputes_amount', sql`${t.amountMinor} > 0`),
    check('disputes_closed', sql`(${t.status} = 'open') = (${t.closedAt} is null)`),
  ],
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
    /** `receivable`, `revenue`, `cash:<rail>`, `customer_credit`, `rounding`, `refunds`, `bad_debt`, `disputed`, `tax_payable`, `fx_clearing`, `fx_fee`, `bank_fee`. */
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

/** Plans, customers, subscriptions, invoices and the dunning of what is unpaid. */
import { sql } from 'drizzle-orm';
import {
  type AnyPgColumn,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { Address } from '../../domain/billing/address.ts';
import type { Discount } from '../../domain/billing/coupon.ts';
import type { DunningStep, LadderLevel } from '../../domain/billing/dunning.ts';
import type { BillTo, Seller } from '../../domain/billing/invoice-document.ts';
import type { DraftLine } from '../../domain/billing/invoice-draft.ts';
import type { SubscriptionPolicy, TrialTemplate, WinBackTemplate } from '../../domain/billing/plan.ts';
import type { PendingChange, UnbilledChange } from '../../domain/billing/plan-change.ts';
import type { SubscriptionSnapshot, SubscriptionStatus } from '../../domain/billing/subscription.ts';
import type { TaxTreatment } from '../../domain/billing/tax.ts';
import type { AppliedRate } from '../../domain/billing/tax-amounts.ts';
import type { TaxHold } from '../../domain/billing/tax-hold.ts';
import type { TaxKind } from '../../domain/billing/tax-rate.ts';
import type { BillingInterval } from '../../domain/calendar.ts';
import { amountMinor, createdAt, currency, id, instant, tenantId } from './columns.ts';
import { taxCalculations } from './tax.ts';
import { tenants } from './tenants.ts';

export const plans = pgTable(
  'plans',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    code: text().notNull(),
    name: text().notNull(),
    family: text().notNull(),
    rank: integer().notNull(),
    priceMinor: amountMinor().notNull(),
    currency: currency().notNull(),
    interval: jsonb().$type<BillingInterval>().notNull(),
    policy: jsonb().$type<SubscriptionPolicy>().notNull(),
    /** What is sold, in the tax office's words: HSN or SAC in India. */
    taxCode: text(),
    archivedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('plans_code').on(t.tenantId, t.code),
    check('plans_price', sql`${t.priceMinor} between 0 and 9007199254740991`),
  ],
);

export const customers = pgTable(
  'customers',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    /** Personal fields are null after the erasure. */
    email: text(),
    name: text(),
    /** The telling words of the name in order (`nameKey`), as a payer's name is looked up by. */
    nameKey: text(),
    /** The caller's own id for this customer. */
    externalRef: text(),
    address: jsonb().$type<Address>(),
    /** Normalised; of the form the country of the address asks for. */
    taxId: text(),
    /** Why the customer pays no tax; null: not exempt. */
    taxExemptReason: text(),
    currency: currency().notNull(),
    /** Keyed hash of the normalised e-mail address; survives the erasure so that a trial is granted once. */
    personKey: text().notNull(),
    /** Stripe's customer id once there is one. */
    vendorCustomerId: text(),
    defaultPaymentMethodId: text(),
    /** Money we hold for the customer (overpayments), per the ledger. */
    creditMinor: amountMinor().notNull().default(0),
    /** What others begin with whom this customer has brought; null until it is asked for. */
    referralCode: text(),
    /** Who has brought this customer. */
    referredBy: text().references((): AnyPgColumn => customers.id),
    /** When that was rewarded: once. */
    referralRewardedAt: instant(),
    erasedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('customers_referral_code').on(t.tenantId, t.referralCode),
    index('customers_referred_by').on(t.tenantId, t.referredBy),
    uniqueIndex('customers_external_ref').on(t.tenantId, t.externalRef),
    index('customers_person').on(t.tenantId, t.personKey),
    index('customers_name_key').on(t.tenantId, t.nameKey).where(sql`${t.nameKey} is not null`),
    check('customers_credit', sql`${t.creditMinor} >= 0`),
    // Who empties the name at an erasure empties this as well.
    check('customers_name_key_erased', sql`${t.nameKey} is null or ${t.name} is not null`),
  ],
);

export const subscriptions = pgTable(
  'subscriptions',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    planId: text()
      .notNull()
      .references(() => plans.id),
    /** Seats: the plan's price is for one. */
    quantity: integer().notNull().default(1),
    /** A change that waits for its day or its payment. */
    pendingChange: jsonb().$type<PendingChange>(),
    /** The coupon that reduces what it pays. */
    discount: jsonb().$type<Discount>(),
    /** A change that counts already and is billed with the next invoice. */
    unbilledChange: jsonb().$type<UnbilledChange>(),
    status: text().$type<SubscriptionStatus>().notNull(),
    statusSince: instant().notNull(),
    /** Set by the dunning ladder while an invoice is unpaid. */
    ladder: text().$type<LadderLevel>(),
    policy: jsonb().$type<SubscriptionPolicy>().notNull(),
    startedAt: instant().notNull(),
    trialEndsAt: instant(),
    trialMessagesDone: text().array().$type<TrialTemplate[]>().notNull().default(sql`'{}'`),
    convertedAt: instant(),
    /** All periods are computed from it. */
    anchor: instant(),
    /** Index of the period that starts at the anchor: 0 unless the subscription was anchored anew. */
    anchorIndex: integer().notNull().default(0),
    periodIndex: integer(),
    periodStartsAt: instant(),
    periodEndsAt: instant(),
    /** When a paused subscription goes on by itself; null until somebody resumes it. */
    resumesAt: instant(),
    /** The next invoice waits for a tax engine. */
    taxHold: jsonb().$type<TaxHold>(),
    /** Until when a first payment is awaited, where that is longer than usual: a charge of it is not decided. */
    firstPaymentUntil: instant(),
    cancelAtPeriodEnd: boolean().notNull().default(false),
    /** Razorpay charges its periods by itself, by the customer's authorisation; nothing else is charged for them. */
    collectedByRazorpay: boolean().notNull().default(false),
    cancelReason: text(),
    cancelComment: text(),
    cancelRequestedAt: instant(),
    endedAt: instant(),
    plannedCharges: jsonb().$type<SubscriptionSnapshot['plannedCharges']>().notNull().default([]),
    winBackDone: text().array().$type<WinBackTemplate[]>().notNull().default(sql`'{}'`),
    closedAt: instant(),
    version: integer().notNull().default(1),
    createdAt: createdAt(),
  },
  (t) => [
    index('subscriptions_customer').on(t.tenantId, t.customerId),
    index('subscriptions_status').on(t.tenantId, t.status),
    check('subscriptions_quantity', sql`${t.quantity} > 0`),
  ],
);

/** The timeline: why was I charged, why was I suspended. Sentences hold no personal data. */
export const subscriptionEvents = pgTable(
  'subscription_events',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    subscriptionId: text()
      .notNull()
      .references(() => subscriptions.id),
    at: instant().notNull(),
    kind: text().notNull(),
    message: text().notNull(),
    details: jsonb().notNull().default(sql`'{}'::jsonb`),
    createdAt: createdAt(),
  },
  (t) => [index('subscription_events_subscription').on(t.tenantId, t.subscriptionId, t.id)],
);

/** Requests that were carried out, so that a repeated activity does not extend a trial twice. */
export const subscriptionRequests = pgTable(
  'subscription_requests',
  {
    tenantId: tenantId().references(() => tenants.id),
    subscriptionId: text()
      .notNull()
      .references(() => subscriptions.id),
    /** The caller's idempotency key. */
    requestId: text().notNull(),
    at: instant().notNull(),
  },
  (t) => [uniqueIndex('subscription_requests_once').on(t.subscriptionId, t.requestId)],
);

/** Time in which a subscription stood still: the service of what was billed moves on by as much. */
export const subscriptionPauses = pgTable(
  'subscription_pauses',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    subscriptionId: text()
      .notNull()
      .references(() => subscriptions.id),
    pausedAt: instant().notNull(),
    resumedAt: instant().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('subscription_pauses_once').on(t.subscriptionId, t.pausedAt),
    check('subscription_pauses_order', sql`${t.resumedAt} >= ${t.pausedAt}`),
  ],
);

/** One trial per person and plan family, for ever. */
export const trialGrants = pgTable(
  'trial_grants',
  {
    tenantId: tenantId().references(() => tenants.id),
    personKey: text().notNull(),
    planFamily: text().notNull(),
    subscriptionId: text()
      .notNull()
      .references(() => subscriptions.id),
    grantedAt: instant().notNull(),
  },
  (t) => [uniqueIndex('trial_grants_person_family').on(t.tenantId, t.personKey, t.planFamily)],
);

export type InvoiceStatus = 'open' | 'paid' | 'void' | 'uncollectible';

/**
 * `period` bills a period in advance; `change` the difference that a change of plan or seats makes; `one_off` what
 * somebody has drafted by hand.
 */
export type InvoiceKind = 'period' | 'change' | 'one_off';

export const invoices = pgTable(
  'invoices',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    subscriptionId: text()
      .notNull()
      .references(() => subscriptions.id),
    /** Gapless per tenant: `INV-000001`. */
    number: text().notNull(),
    kind: text().$type<InvoiceKind>().notNull().default('period'),
    /** The change it bills, by the caller's idempotency key; null for a period. */
    changeId: text(),
    /** The subscription's period it bills, or in which the change happened. */
    periodIndex: integer().notNull(),
    periodStartsAt: instant().notNull(),
    periodEndsAt: instant().notNull(),
    status: text().$type<InvoiceStatus>().notNull(),
    /** What is to be paid, tax included. */
    totalMinor: amountMinor().notNull(),
    /** Of the total. Below zero where a change takes back more tax than it brings. */
    taxMinor: amountMinor().notNull().default(0),
    subtotalMinor: amountMinor().notNull().generatedAlwaysAs(sql`total_minor - tax_minor`),
    /** Null where the seller had no tax settings. */
    taxTreatment: text().$type<TaxTreatment>(),
    /** The tax engine's answer it was issued by; null where the tenant's own rates decided. */
    taxCalculationId: text().references(() => taxCalculations.id),
    /** The lines' amounts contain their tax. */
    taxInclusive: boolean().notNull().default(false),
    /** What the invoice says of its tax, in whole sentences. */
    notes: text().array().notNull().default(sql`'{}'`),
    /** As it was when the invoice was issued; null where there were no tax settings. */
    seller: jsonb().$type<Seller>(),
    paidMinor: amountMinor().notNull().default(0),
    /** Of what counts as paid: a small rest that an operator has let go. */
    writtenOffMinor: amountMinor().notNull().default(0),
    dueMinor: amountMinor().notNull().generatedAlwaysAs(sql`total_minor - paid_minor`),
    refundedMinor: amountMinor().notNull().default(0),
    /** Taken back by the customer's bank: disputes we lost. */
    disputedMinor: amountMinor().notNull().default(0),
    currency: currency().notNull(),
    /** Name, address and tax id as billed; pseudonymised at the erasure. */
    billTo: jsonb().$type<BillTo & { email: string }>().notNull(),
    issuedAt: instant().notNull(),
    /** By when it is to be paid: at once where a card is charged for it. */
    dueAt: instant().notNull().defaultNow(),
    /** The latest reminder that was sent, by its days after the due date; 0 before the first. */
    remindedDays: integer().notNull().default(0),
    paidAt: instant(),
    /** First failed charge: the clock of the ladder. */
    firstFailedAt: instant(),
    /** It had been paid, and the bank took the payment back: since when it is open again. */
    reopenedAt: instant(),
    closedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('invoices_number').on(t.tenantId, t.number),
    // Exactly one invoice per subscription and period, whatever is retried or restarted.
    uniqueIndex('invoices_period')
      .on(t.subscriptionId, t.periodIndex)
      .where(sql`${t.status} <> 'void' and ${t.kind} = 'period'`),
    uniqueIndex('invoices_tax_calculation').on(t.taxCalculationId),
    // Two changes within one period are two invoices; one change is one, however often it is asked for.
    uniqueIndex('invoices_change').on(t.subscriptionId, t.changeId),
    check('invoices_kind', sql`(${t.kind} = 'change') = (${t.changeId} is not null)`),
    index('invoices_customer').on(t.tenantId, t.customerId, t.id),
    index('invoices_unpaid').on(t.tenantId, t.customerId).where(sql`${t.status} = 'open'`),
    // What a movement on a bank account may pay by its amount alone.
    index('invoices_due').on(t.tenantId, t.currency, t.dueMinor, t.issuedAt).where(sql`${t.status} = 'open'`),
    index('invoices_to_remind').on(t.tenantId, t.id).where(sql`${t.status} = 'open'`),
    check(
      'invoices_amounts',
      sql`${t.totalMinor} >= 0 and ${t.paidMinor} between 0 and ${t.totalMinor} and ${t.writtenOffMinor} between 0 and ${t.paidMinor} and ${t.refundedMinor} >= 0 and ${t.disputedMinor} >= 0`,
    ),
  ],
);

/**
 * - `plan`: a period of the plan.
 * - `change_credit`: the unused rest of an earlier line, negative.
 * - `change_charge`: the new plan or seats for the rest of the period, or for a new one.
 * - `item`: what was drafted by hand.
 * - `to_balance`: what the credits exceed the charges by; it becomes the customer's credit.
 */
export type InvoiceLineKind = 'plan' | 'change_credit' | 'change_charge' | 'item' | 'to_balance';

export const invoiceLines = pgTable(
  'invoice_lines',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    /** Order on the invoice, from 0. */
    position: integer().notNull().default(0),
    kind: text().$type<InvoiceLineKind>().notNull().default('plan'),
    description: text().notNull(),
    quantity: integer().notNull(),
    unitMinor: amountMinor().notNull(),
    /** What is billed: without the discount. */
    amountMinor: amountMinor().notNull(),
    /** What a coupon took off `quantity` × `unitMinor`. */
    discountMinor: amountMinor().notNull().default(0),
    /** The coupon's code, where it took something off. */
    discountCode: text(),
    /** The service it bills or takes back, half-open. */
    periodStartsAt: instant().notNull(),
    periodEndsAt: instant().notNull(),
    /** The line a credit takes back. */
    creditsLineId: text().references((): AnyPgColumn => invoiceLines.id),
    /** The plan's, when it was issued. */
    taxCode: text(),
    /** By which rates it was taxed: a credit takes the tax back by the same ones. */
    taxRates: jsonb().$type<AppliedRate[]>().notNull().default([]),
  },
  (t) => [
    index('invoice_lines_invoice').on(t.tenantId, t.invoiceId),
    index('invoice_lines_credits').on(t.creditsLineId),
    check('invoice_lines_credit', sql`(${t.kind} = 'change_credit') = (${t.creditsLineId} is not null)`),
  ],
);

/** What each line bears, by rate and part of a rate. Never updated, never deleted. */
export const invoiceLineTaxes = pgTable(
  'invoice_line_taxes',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    lineId: text()
      .notNull()
      .references(() => invoiceLines.id),
    /** Order on the line, from 0. */
    position: integer().notNull(),
    name: text().notNull(),
    kind: text().$type<TaxKind>().notNull(),
    /** An exact decimal: `9.975`. */
    percent: text().notNull(),
    /** Who gets it: `DE`, `IN-29`. */
    jurisdiction: text().notNull(),
    baseMinor: amountMinor().notNull(),
    amountMinor: amountMinor().notNull(),
  },
  (t) => [
    index('invoice_line_taxes_invoice').on(t.tenantId, t.invoiceId),
    uniqueIndex('invoice_line_taxes_position').on(t.lineId, t.position),
  ],
);

/**
 * What may become an invoice: without a number, in no book, owed by nobody. The invoice takes over its id, and the row
 * goes when the invoice is issued.
 */
export const invoiceDrafts = pgTable(
  'invoice_drafts',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    subscriptionId: text()
      .notNull()
      .references(() => subscriptions.id),
    currency: currency().notNull(),
    lines: jsonb().$type<DraftLine[]>().notNull(),
    daysUntilDue: integer().notNull(),
    /** When the daily run issues it; null until somebody does. */
    finalisesAt: instant(),
    draftedAt: instant().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    index('invoice_drafts_customer').on(t.tenantId, t.customerId),
    index('invoice_drafts_to_finalise').on(t.tenantId, t.id).where(sql`${t.finalisesAt} is not null`),
  ],
);

/** The row lock that makes numbers gapless: taken and raised in the transaction that issues. */
export const invoiceCounters = pgTable('invoice_counters', {
  tenantId: text()
    .primaryKey()
    .references(() => tenants.id),
  lastNumber: integer().notNull(),
});

/** Every version of a tenant's policies; the highest is the one new cases take. */
export const dunningPolicies = pgTable(
  'dunning_policies',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    name: text().notNull(),
    version: integer().notNull(),
    graceDays: integer().notNull(),
    steps: jsonb().$type<DunningStep[]>().notNull(),
    technicalRetryMinutes: integer().array().notNull(),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('dunning_policies_version').on(t.tenantId, t.name, t.version)],
);

export type DunningOutcome = 'recovered' | 'cancelled' | 'downgraded' | 'void' | 'written_off';

/** One ladder per customer; the earliest unpaid invoice drives it. */
export const dunningCases = pgTable(
  'dunning_cases',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text()
      .notNull()
      .references(() => customers.id),
    /** The invoice whose first failure is the clock. */
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    policyId: text()
      .notNull()
      .references(() => dunningPolicies.id),
    firstFailedAt: instant().notNull(),
    nextStepIndex: integer().notNull().default(0),
    /** Set while the bank works on a charge of the invoice: no step before this instant. */
    heldUntil: instant(),
    /** Raised with every change that the dunning workflow must hear of. */
    version: integer().notNull().default(1),
    openedAt: instant().notNull(),
    closedAt: instant(),
    outcome: text().$type<DunningOutcome>(),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('dunning_cases_open').on(t.tenantId, t.customerId).where(sql`${t.closedAt} is null`)],
);

/** What the ladder did, at most once per invoice, policy version and step. */
export const dunningSteps = pgTable(
  'dunning_steps',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    caseId: text()
      .notNull()
      .references(() => dunningCases.id),
    invoiceId: text()
      .notNull()
      .references(() => invoices.id),
    policyId: text()
      .notNull()
      .references(() => dunningPolicies.id),
    stepIndex: integer().notNull(),
    /** The step's own date; `performedAt` is later when a worker was down. */
    dueAt: instant().notNull(),
    performedAt: instant().notNull(),
    outcome: text().$type<'performed' | 'superseded'>().notNull(),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('dunning_steps_once').on(t.invoiceId, t.policyId, t.stepIndex)],
);

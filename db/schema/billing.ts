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
import type { DunningStep, LadderLevel } from '../../domain/billing/dunning.ts';
import type { SubscriptionPolicy, TrialTemplate, WinBackTemplate } from '../../domain/billing/plan.ts';
import type { PendingChange } from '../../domain/billing/plan-change.ts';
import type { SubscriptionSnapshot, SubscriptionStatus } from '../../domain/billing/subscription.ts';
import type { BillingInterval } from '../../domain/calendar.ts';
import { amountMinor, createdAt, currency, id, instant, tenantId } from './columns.ts';
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
    /** The caller's own id for this customer. */
    externalRef: text(),
    currency: currency().notNull(),
    /** Keyed hash of the normalised e-mail address; survives the erasure so that a trial is granted once. */
    personKey: text().notNull(),
    /** Stripe's customer id once there is one. */
    vendorCustomerId: text(),
    defaultPaymentMethodId: text(),
    /** Money we hold for the customer (overpayments), per the ledger. */
    creditMinor: amountMinor().notNull().default(0),
    erasedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('customers_external_ref').on(t.tenantId, t.externalRef),
    index('customers_person').on(t.tenantId, t.personKey),
    check('customers_credit', sql`${t.creditMinor} >= 0`),
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
    cancelAtPeriodEnd: boolean().notNull().default(false),
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

/** `period` bills a period in advance; `change` the difference that a change of plan or seats makes. */
export type InvoiceKind = 'period' | 'change';

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
    totalMinor: amountMinor().notNull(),
    paidMinor: amountMinor().notNull().default(0),
    refundedMinor: amountMinor().notNull().default(0),
    /** Taken back by the customer's bank: disputes we lost. */
    disputedMinor: amountMinor().notNull().default(0),
    currency: currency().notNull(),
    /** Name and address as billed; pseudonymised at the erasure. */
    billTo: jsonb().$type<{ name: string; email: string }>().notNull(),
    issuedAt: instant().notNull(),
    paidAt: instant(),
    /** First failed charge: the clock of the ladder. */
    firstFailedAt: instant(),
    closedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('invoices_number').on(t.tenantId, t.number),
    // Exactly one invoice per subscription and period, whatever is retried or restarted.
    uniqueIndex('invoices_period')
      .on(t.subscriptionId, t.periodIndex)
      .where(sql`${t.status} <> 'void' and ${t.kind} = 'period'`),
    // Two changes within one period are two invoices; one change is one, however often it is asked for.
    uniqueIndex('invoices_change').on(t.subscriptionId, t.changeId),
    check('invoices_kind', sql`(${t.kind} = 'change') = (${t.changeId} is not null)`),
    index('invoices_customer').on(t.tenantId, t.customerId, t.id),
    index('invoices_unpaid').on(t.tenantId, t.customerId).where(sql`${t.status} = 'open'`),
    check(
      'invoices_amounts',
      sql`${t.totalMinor} >= 0 and ${t.paidMinor} between 0 and ${t.totalMinor} and ${t.refundedMinor} >= 0 and ${t.disputedMinor} >= 0`,
    ),
  ],
);

/**
 * - `plan`: a period of the plan.
 * - `change_credit`: the unused rest of an earlier line, negative.
 * - `change_charge`: the new plan or seats for the rest of the period, or for a new one.
 * - `to_balance`: what the credits exceed the charges by; it becomes the customer's credit.
 */
export type InvoiceLineKind = 'plan' | 'change_credit' | 'change_charge' | 'to_balance';

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
    amountMinor: amountMinor().notNull(),
    /** The service it bills or takes back, half-open. */
    periodStartsAt: instant().notNull(),
    periodEndsAt: instant().notNull(),
    /** The line a credit takes back. */
    creditsLineId: text().references((): AnyPgColumn => invoiceLines.id),
  },
  (t) => [
    index('invoice_lines_invoice').on(t.tenantId, t.invoiceId),
    index('invoice_lines_credits').on(t.creditsLineId),
    check('invoice_lines_credit', sql`(${t.kind} = 'change_credit') = (${t.creditsLineId} is not null)`),
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

export type DunningOutcome = 'recovered' | 'cancelled' | 'downgraded' | 'void';

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

/**
 * The subscription's row and its neighbours, changed under one lock. Every deed that concerns a customer takes the
 * customer's row lock first, so payments, ladder steps and cancellations of one customer happen one after the other,
 * in whatever order they arrive, and each sees what the one before did.
 */
import { and, eq, inArray, notInArray, sql } from 'drizzle-orm';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import { type PlanTerms, termsInWords } from '../../../domain/billing/plan-change.ts';
import {
  accessOf,
  type SubscriptionEvent,
  type SubscriptionSnapshot,
  statusAfter,
  terminalStatuses,
} from '../../../domain/billing/subscription.ts';
import type { TaxHold } from '../../../domain/billing/tax-hold.ts';
import type { Calendar } from '../../../domain/calendar.ts';
import { DomainError } from '../../../domain/errors.ts';
import { subscriptionChanged } from '../../../workflows/billing/subscription.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { customers, plans, subscriptionEvents, subscriptions } from '../../schema/billing.ts';
import { tenants } from '../../schema/tenants.ts';
import { together } from '../../together.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { endWhereChanged } from '../payments/end-razorpay-subscription.ts';
import { recordMovement } from '../reporting/record-movement.ts';

export type TenantRow = typeof tenants.$inferSelect;
export type CustomerRow = typeof customers.$inferSelect;
export type PlanRow = typeof plans.$inferSelect;
export type SubscriptionRow = typeof subscriptions.$inferSelect;

/** A subscription with everything a decision about it needs, read under the customer's lock. */
export type SubscriptionContext = {
  tenant: TenantRow;
  customer: CustomerRow;
  plan: PlanRow;
  subscription: SubscriptionRow;
};

/** What a subscription that has ended, or begins anew on a free plan, does not wait for any more. */
export const nothingPending = {
  ladder: null,
  plannedCharges: [],
  pendingChange: null,
  unbilledChange: null,
  resumesAt: null,
  taxHold: null,
};

export type TimelineEntry = { kind: string; message: string; details?: Record<string, unknown> };

/** Takes the lock under which everything about one customer changes. Throws `not_found`. */
export async function lockCustomer(tx: Tx, customerId: string): Promise<CustomerRow> {
  const [customer] = await tx.select().from(customers).where(eq(customers.id, customerId)).for('update');
  if (customer === undefined) throw notFound('customer', customerId);
  return customer;
}

/** Locks the customer and reads one of its subscriptions. Throws `not_found`. */
export async function lockSubscription(tx: Tx, subscriptionId: string): Promise<SubscriptionContext> {
  const owner = tx
    .select({ id: subscriptions.customerId })
    .from(subscriptions)
    .where(eq(subscriptions.id, subscriptionId));
  // The row is read by a statement of its own, so that it is seen as it is once the lock is ours.
  const [, [context]] = await together([
    tx
      .select({ id: customers.id })
      .from(customers)
      .where(inArray(customers.id, owner))
      .for('update')
      .execute(),
    tx
      .select({ tenant: tenants, customer: customers, plan: plans, subscription: subscriptions })
      .from(subscriptions)
      .innerJoin(customers, eq(customers.id, subscriptions.customerId))
      .innerJoin(plans, eq(plans.id, subscriptions.planId))
      .innerJoin(tenants, eq(tenants.id, subscriptions.tenantId))
      .where(eq(subscriptions.id, subscriptionId))
      .execute(),
  ]);
  if (context === undefined) throw notFound('subscription', subscriptionId);
  return context;
}

/** The customer's subscriptions that have not ended. */
export async function livingSubscriptions(tx: Tx, customerId: string): Promise<string[]> {
  const living = await tx
    .select({ id: subscriptions.id })
    .from(subscriptions)
    .where(
      and(eq(subscriptions.customerId, customerId), notInArray(subscriptions.status, [...terminalStatuses])),
    )
    .orderBy(subscriptions.id);
  return living.map(({ id }) => id);
}

function heldOf({ since: _, ...held }: TaxHold): Omit<TaxHold, 'since'> {
  return held;
}

/** The row as the workflow holds it. */
export function snapshotOf({
  tenant,
  customer,
  subscription,
}: Omit<SubscriptionContext, 'plan'>): SubscriptionSnapshot {
  const { trialEndsAt, periodEndsAt, closedAt, pendingChange, resumesAt } = subscription;
  const { taxHold, firstPaymentUntil } = subscription;
  return {
    version: subscription.version,
    status: subscription.status,
    ladder: subscription.ladder,
    hasPaymentMethod: customer.defaultPaymentMethodId !== null || subscription.collectedByRazorpay,
    policy: subscription.policy,
    dayMs: dayLengthMs(tenant),
    statusSince: subscription.statusSince.toISOString(),
    startedAt: subscription.startedAt.toISOString(),
    trialEndsAt: trialEndsAt?.toISOString() ?? null,
    trialMessagesDone: subscription.trialMessagesDone,
    periodEndsAt: periodEndsAt?.toISOString() ?? null,
    cancelAtPeriodEnd: subscription.cancelAtPeriodEnd,
    plannedCharges: subscription.plannedCharges,
    ...(pendingChange !== null && {
      pendingChange: { kind: pendingChange.kind, at: pendingChange.at, to: termsInWords(pendingChange) },
    }),
    ...(resumesAt !== null && { resumesAt: resumesAt.toISOString() }),
    ...(taxHold !== null && { taxHold: heldOf(taxHold) }),
    ...(firstPaymentUntil !== null && { firstPaymentUntil: firstPaymentUntil.toISOString() }),
    winBackDone: subscription.winBackDone,
    closedAt: closedAt?.toISOString() ?? null,
  };
}

/** What the subscription pays for. */
export function termsOf({
  plan,
  subscription,
}: Pick<SubscriptionContext, 'plan' | 'subscription'>): PlanTerms {
  return termsOfPlan(plan, subscription.quantity);
}

export function termsOfPlan(plan: PlanRow, quantity: number): PlanTerms {
  const { id, name, rank, priceMinor, currency, interval, taxCode } = plan;
  return { planId: id, planName: name, rank, unitMinor: priceMinor, currency, interval, quantity, taxCode };
}

/**
 * Changes the row: raises its version, writes the timeline and, when access changed with it, exactly one
 * `access_changed` entry; where its recurring revenue changes, also that movement; where it changes what Razorpay was
 * told, Razorpay's subscription ends. `plan` is the new one of a change of plan. Returns the context with the new row.
 */
export async function changeSubscription(
  tx: Tx,
  context: SubscriptionContext,
  {
    set,
    at,
    entry,
    plan = context.plan,
  }: { set: Partial<SubscriptionRow>; at: Date; entry?: TimelineEntry; plan?: PlanRow },
): Promise<SubscriptionContext> {
  const before = context.subscription;
  if ((set.planId ?? before.planId) !== plan.id)
    throw new Error('A change of plan brings the new plan along');
  const changed = { plan, subscription: { ...before, ...set } };
  const [was, is] = [accessOf(before), accessOf(changed.subscription)];
  const [[after]] = await together([
    tx
      .update(subscriptions)
      .set({ ...set, version: sql`${subscriptions.version} + 1` })
      .where(eq(subscriptions.id, before.id))
      .returning()
      .execute(),
    entry && addTimelineEntry(tx, before, at, entry),
    was === is
      ? undefined
      : addTimelineEntry(tx, before, at, {
          kind: 'access_changed',
          message: `Access changed from ${was} to ${is}.`,
          details: { from: was, to: is },
        }),
    recordMovement(tx, { before: context, after: changed, at, cause: entry?.kind ?? 'changed' }),
    endWhereChanged(tx, { plan: context.plan, before, after: changed.subscription, at }),
  ]);
  if (after === undefined) throw notFound('subscription', before.id);
  return { ...context, plan, subscription: after };
}

/** The columns that an event of the state machine changes; throws `state_conflict` where the event is not allowed. */
export function statusChange(
  { subscription }: Pick<SubscriptionContext, 'subscription'>,
  event: SubscriptionEvent,
  at: Date,
): Pick<SubscriptionRow, 'status' | 'statusSince'> {
  const status = statusAfter(subscription.status, event);
  if (status === null) {
    throw new DomainError({
      code: 'state_conflict',
      reason: `subscription_${subscription.status}`,
      message: `The subscription is ${subscription.status}; ${event.replaceAll('_', ' ')} does not apply to it.`,
    });
  }
  return { status, statusSince: at };
}

/** Tells the running workflow about a change that was not its own. */
export async function announceSubscription(tx: Tx, context: SubscriptionContext): Promise<void> {
  const { tenantId, id } = context.subscription;
  await appendOutbox(tx, tenantId, [subscriptionChanged(id, snapshotOf(context))]);
}

export async function addTimelineEntry(
  tx: Tx,
  subscription: Pick<SubscriptionRow, 'id' | 'tenantId'>,
  at: Date,
  { kind, message, details = {} }: TimelineEntry,
): Promise<void> {
  await tx.insert(subscriptionEvents).values({
    id: newId('evt'),
    tenantId: subscription.tenantId,
    subscriptionId: subscription.id,
    at,
    kind,
    message,
    details,
  });
}

export function calendarOf(tenant: TenantRow): Calendar {
  return { timeZone: tenant.timeZone, dayMs: dayLengthMs(tenant) };
}

export function notFound(noun: string, id: string): DomainError {
  return new DomainError({
    code: 'not_found',
    reason: `${noun.replaceAll(' ', '_')}_not_found`,
    message: `There is no ${noun} ${id}.`,
  });
}

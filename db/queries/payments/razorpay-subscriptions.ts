/**
 * Razorpay subscriptions, from the request to the vendor's answer: one at a time per subscription of ours, and one plan at
 * Razorpay for each price.
 *
 * Why it is safe to run twice: the row comes first and is unique per subscription of ours while it is meant to go on, so
 * however often one is asked for there is one. Plan and subscription say whether the vendor may have been asked; then they
 * are looked up there by our ids before they are asked for again. An answer is recorded once.
 */
import { and, desc, eq, isNull } from 'drizzle-orm';
import { isTerminal } from '../../../domain/billing/subscription.ts';
import { DomainError } from '../../../domain/errors.ts';
import { type Money, money } from '../../../domain/money.ts';
import {
  cyclesOf,
  isCollecting,
  type VendorPlanRequest,
  type VendorSubscription,
  type VendorSubscriptionRequest,
} from '../../../domain/payments/razorpay-subscription.ts';
import { razorpayCollectionEvent } from '../../../workflows/payments/razorpay-collection.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { razorpayPlans, razorpaySubscriptions } from '../../schema/razorpay.ts';
import { findPlan } from '../billing/plans.ts';
import {
  lockSubscription,
  notFound,
  type PlanRow,
  type SubscriptionContext,
  termsOfPlan,
} from '../billing/subscriptions.ts';
import { priceWithTax, readTaxRules } from '../billing/tax-rules.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { endRazorpaySubscription, RAZORPAY_CURRENCY } from './end-razorpay-subscription.ts';

export type RazorpaySubscriptionRow = typeof razorpaySubscriptions.$inferSelect;
type RazorpayPlanRow = typeof razorpayPlans.$inferSelect;

export type BegunSubscription =
  | { kind: 'done' }
  /** `resumed`: an earlier run may have reached the vendor; look it up first. */
  | { kind: 'ask_for_plan'; resumed: boolean; askedAt: string; request: VendorPlanRequest }
  | { kind: 'ask_for_subscription'; resumed: boolean; request: VendorSubscriptionRequest };

/**
 * The row of the Razorpay subscription that is to collect ours from its next period on. One that was asked for before is
 * returned while it still says what is wanted and works; otherwise it gives way to a new one. Throws `not_found`, and
 * `state_conflict` with the reasons of `refuse`.
 */
export async function requestRazorpaySubscription(
  tx: Tx,
  { subscriptionId, actor, at }: { subscriptionId: string; actor: string; at: Date },
): Promise<RazorpaySubscriptionRow> {
  const context = await lockSubscription(tx, subscriptionId);
  const startsAt = firstCharge(context, at);
  const { plan, amount } = await nextPrice(tx, context, startsAt ?? at);
  const { tenantId, customerId } = context.subscription;
  const razorpayPlan = await planFor(tx, { tenantId, plan, amount });
  const current = await currentRazorpaySubscription(tx, subscriptionId);
  if (current !== null) {
    const isWanted =
      current.razorpayPlanId === razorpayPlan.id &&
      (isCollecting(current.status) || current.startsAt?.getTime() === startsAt?.getTime());
    if (isWanted && current.status !== 'halted' && current.status !== 'paused') return current;
    await endRazorpaySubscription(tx, { subscriptionId, reason: 'replaced', at });
  }
  const [row] = await tx
    .insert(razorpaySubscriptions)
    .values({
      id: newId('rzs'),
      tenantId,
      customerId,
      subscriptionId,
      razorpayPlanId: razorpayPlan.id,
      status: 'creating',
      ...amount,
      startsAt,
      cycles: cyclesOf(plan.interval),
      requestedAt: at,
    })
    .returning();
  if (row === undefined) throw new Error('An inserted Razorpay subscription was not returned');
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'razorpay_subscription.requested',
    entityType: 'razorpay_subscription',
    entityId: row.id,
    details: { subscriptionId, amountMinor: row.amountMinor },
    at,
  });
  return row;
}

/** Decides what the vendor is to be asked for next. Commit before calling it. */
export async function beginSubscription(
  tx: Tx,
  { razorpaySubscriptionId, at }: { razorpaySubscriptionId: string; at: Date },
): Promise<BegunSubscription> {
  const { row } = await lockRazorpaySubscription(tx, razorpaySubscriptionId);
  if (row.status !== 'creating') return { kind: 'done' };
  if (row.endReason !== null) {
    // What the vendor may have made of it is shown to nobody, so nobody can authorise it.
    await refuseSubscription(tx, { razorpaySubscriptionId, reason: row.endReason, at });
    return { kind: 'done' };
  }
  const plan = await readPlan(tx, row.razorpayPlanId);
  if (plan.externalId === null) {
    const askedAt = plan.askedAt ?? at;
    await tx.update(razorpayPlans).set({ askedAt }).where(eq(razorpayPlans.id, plan.id));
    return {
      kind: 'ask_for_plan',
      resumed: plan.askedAt !== null,
      askedAt: askedAt.toISOString(),
      request: await planRequest(tx, plan),
    };
  }
  if (row.askedAt === null) await change(tx, row.id, { askedAt: at });
  const { tenantId, subscriptionId, cycles, startsAt } = row;
  return {
    kind: 'ask_for_subscription',
    resumed: row.askedAt !== null,
    request: {
      tenantId,
      subscriptionId,
      razorpaySubscriptionId,
      planExternalId: plan.externalId,
      cycles,
      startsAt: startsAt?.toISOString() ?? null,
    },
  };
}

/** The vendor has made the plan. Of two that were asked for at the same time, the first that is recorded is used. */
export async function recordPlan(
  tx: Tx,
  { razorpayPlanId, externalId }: { razorpayPlanId: string; externalId: string },
): Promise<void> {
  await tx
    .update(razorpayPlans)
    .set({ externalId })
    .where(and(eq(razorpayPlans.id, razorpayPlanId), isNull(razorpayPlans.externalId)));
}

/** The vendor has made the subscription. One that is not wanted any more by now is ended there. */
export async function recordSubscription(
  tx: Tx,
  {
    razorpaySubscriptionId,
    made,
    at,
  }: { razorpaySubscriptionId: string; made: VendorSubscription; at: Date },
): Promise<void> {
  const { row } = await lockRazorpaySubscription(tx, razorpaySubscriptionId);
  if (row.status !== 'creating') return;
  const { externalId, shortUrl } = made;
  // Its real state is booked by the next look; nobody has been shown it yet.
  await change(tx, row.id, { status: 'created', externalId, shortUrl, lookedAt: at });
  if (row.endRequestedAt !== null)
    await appendOutbox(tx, row.tenantId, [razorpayCollectionEvent(externalId, null)]);
}

/** The vendor makes no such subscription, and would not if asked again. */
export async function refuseSubscription(
  tx: Tx,
  { razorpaySubscriptionId, reason, at }: { razorpaySubscriptionId: string; reason: string; at: Date },
): Promise<void> {
  const { row } = await lockRazorpaySubscription(tx, razorpaySubscriptionId);
  if (row.status !== 'creating') return;
  await change(tx, row.id, { status: 'refused', failureCode: reason, endedAt: at });
}

/** The one that is meant to go on; null where there is none. */
async function currentRazorpaySubscription(
  tx: Tx,
  subscriptionId: string,
): Promise<RazorpaySubscriptionRow | null> {
  const { endRequestedAt, endedAt } = razorpaySubscriptions;
  const [row] = await tx
    .select()
    .from(razorpaySubscriptions)
    .where(
      and(eq(razorpaySubscriptions.subscriptionId, subscriptionId), isNull(endRequestedAt), isNull(endedAt)),
    );
  return row ?? null;
}

/** All that Razorpay has and has not ended, those that are to end included. */
export function livingRazorpaySubscriptions(
  tx: Tx,
  subscriptionId: string,
): Promise<RazorpaySubscriptionRow[]> {
  return tx
    .select()
    .from(razorpaySubscriptions)
    .where(
      and(eq(razorpaySubscriptions.subscriptionId, subscriptionId), isNull(razorpaySubscriptions.endedAt)),
    )
    .orderBy(razorpaySubscriptions.id);
}

/** The latest; null where there never was one. */
export async function latestRazorpaySubscription(
  tx: Tx,
  subscriptionId: string,
): Promise<RazorpaySubscriptionRow | null> {
  const [row] = await tx
    .select()
    .from(razorpaySubscriptions)
    .where(eq(razorpaySubscriptions.subscriptionId, subscriptionId))
    .orderBy(desc(razorpaySubscriptions.id))
    .limit(1);
  return row ?? null;
}

export async function findRazorpaySubscription(
  tx: Tx,
  razorpaySubscriptionId: string,
): Promise<RazorpaySubscriptionRow | null> {
  const [row] = await tx
    .select()
    .from(razorpaySubscriptions)
    .where(eq(razorpaySubscriptions.id, razorpaySubscriptionId));
  return row ?? null;
}

/** Throws `not_found`. */
export async function readRazorpaySubscription(
  tx: Tx,
  razorpaySubscriptionId: string,
): Promise<RazorpaySubscriptionRow> {
  const row = await findRazorpaySubscription(tx, razorpaySubscriptionId);
  if (row === null) throw notFound('razorpay subscription', razorpaySubscriptionId);
  return row;
}

/** The row with the subscription it collects, under the customer's lock. */
export async function lockRazorpaySubscription(
  tx: Tx,
  razorpaySubscriptionId: string,
): Promise<{ row: RazorpaySubscriptionRow; context: SubscriptionContext }> {
  const { subscriptionId } = await readRazorpaySubscription(tx, razorpaySubscriptionId);
  const context = await lockSubscription(tx, subscriptionId);
  return { context, row: await readRazorpaySubscription(tx, razorpaySubscriptionId) };
}

async function change(tx: Tx, id: string, set: Partial<RazorpaySubscriptionRow>): Promise<void> {
  await tx.update(razorpaySubscriptions).set(set).where(eq(razorpaySubscriptions.id, id));
}

/** When Razorpay is to charge first: at the end of what runs; null where the first period begins with its payment. */
function firstCharge({ subscription, plan }: SubscriptionContext, at: Date): Date | null {
  const { status, cancelAtPeriodEnd, ladder, trialEndsAt, periodEndsAt } = subscription;
  if (plan.currency !== RAZORPAY_CURRENCY) throw refuse('currency_not_collected', status);
  if (isTerminal(status) || status === 'paused') throw refuse(`subscription_${status}`, status);
  if (cancelAtPeriodEnd) throw refuse('cancellation_pending', status);
  if (ladder === 'suspended') throw refuse('invoice_unpaid', status);
  if (status === 'incomplete' || status === 'suspended') return null;
  const startsAt = periodEndsAt ?? trialEndsAt;
  if (startsAt === null || startsAt <= at) throw refuse('renewal_due', status);
  return startsAt;
}

/** What the period costs that Razorpay charges first: a downgrade that waits for it included. */
async function nextPrice(
  tx: Tx,
  context: SubscriptionContext,
  at: Date,
): Promise<{ plan: PlanRow; amount: Money }> {
  const { pendingChange, quantity } = context.subscription;
  const downgrade = pendingChange?.kind === 'downgrade' ? pendingChange : null;
  const plan = downgrade === null ? context.plan : await findPlan(tx, { id: downgrade.planId });
  if (plan === null) throw notFound('plan', downgrade?.planId ?? '');
  const { settings } = await readTaxRules(tx, context);
  if (settings !== null && settings.engine !== 'own_rates') {
    throw refuse('price_not_known', context.subscription.status);
  }
  const terms = termsOfPlan(plan, downgrade?.quantity ?? quantity);
  const amount = await priceWithTax(tx, context, { terms, at });
  if (amount.amountMinor === 0) throw refuse('nothing_to_collect', context.subscription.status);
  return { plan, amount };
}

async function planFor(
  tx: Tx,
  { tenantId, plan, amount }: { tenantId: string; plan: PlanRow; amount: Money },
): Promise<RazorpayPlanRow> {
  const { id: planId, interval } = plan;
  await tx
    .insert(razorpayPlans)
    .values({ id: newId('rzp'), tenantId, planId, interval, ...amount })
    .onConflictDoNothing();
  const [row] = await tx
    .select()
    .from(razorpayPlans)
    .where(and(eq(razorpayPlans.planId, planId), eq(razorpayPlans.amountMinor, amount.amountMinor)));
  if (row === undefined) throw new Error('An inserted Razorpay plan was not found');
  return row;
}

async function readPlan(tx: Tx, razorpayPlanId: string): Promise<RazorpayPlanRow> {
  const [row] = await tx.select().from(razorpayPlans).where(eq(razorpayPlans.id, razorpayPlanId));
  if (row === undefined) throw notFound('razorpay plan', razorpayPlanId);
  return row;
}

async function planRequest(
  tx: Tx,
  { id: razorpayPlanId, tenantId, planId, amountMinor, currency, interval }: RazorpayPlanRow,
): Promise<VendorPlanRequest> {
  const plan = await findPlan(tx, { id: planId });
  if (plan === null) throw notFound('plan', planId);
  return { tenantId, razorpayPlanId, name: plan.name, amount: money(amountMinor, currency), interval };
}

const messages: Record<string, string> = {
  price_not_known:
    'With a tax engine nobody knows the price of periods to come, which Razorpay must be told; collect by orders instead.',
  currency_not_collected: `Razorpay subscriptions collect ${RAZORPAY_CURRENCY} only; choose a plan in that currency.`,
  cancellation_pending: 'The subscription is cancelled; take the cancellation back first.',
  invoice_unpaid:
    'Access is suspended for an unpaid invoice; have that paid first, by a Razorpay order for instance.',
  renewal_due: 'The next period is about to begin; ask again in a moment.',
  nothing_to_collect: 'The plan is free; there is nothing to collect.',
};

function refuse(reason: string, status: string): DomainError {
  const message = messages[reason] ?? `The subscription is ${status}; there is nothing to collect.`;
  return new DomainError({ code: 'state_conflict', reason, message });
}

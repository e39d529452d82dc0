/**
 * A subscription begins: the row, the grant of its trial, the first line of its timeline, the mail that welcomes and
 * the start of its process are one transaction, so a subscription is there completely or not at all.
 *
 * Why it is safe to run twice: the caller's idempotency key is in the same transaction; and whoever starts a trial of a
 * plan family a second time is refused by a unique index that outlives the customer's data.
 */
import { and, eq, inArray, or } from 'drizzle-orm';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import { termsInWords } from '../../../domain/billing/plan-change.ts';
import { isBillable } from '../../../domain/billing/recurring-price.ts';
import { DomainError } from '../../../domain/errors.ts';
import { addDays, inWords } from '../../../domain/instant.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { startSubscription } from '../../../workflows/billing/subscription.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { customers, plans, subscriptions, trialGrants } from '../../schema/billing.ts';
import { together } from '../../together.ts';
import { tellSubscriber } from '../messaging/tell-subscriber.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { currentTenant } from '../tenants/tenants.ts';
import { claimCoupon, keepRedemption } from './coupons.ts';
import { findPlan } from './plans.ts';
import { referCustomer } from './referrals.ts';
import {
  addTimelineEntry,
  lockCustomer,
  notFound,
  type PlanRow,
  type SubscriptionContext,
  type SubscriptionRow,
  snapshotOf,
  termsOf,
} from './subscriptions.ts';
import { priceInWords } from './tax-rules.ts';

export type NewSubscription = {
  customerId: string;
  plan: { id: string } | { code: string };
  /**
   * `trial`: free for the plan's trial days. `payment`: begins when the first invoice is paid. Without it: a trial
   * where the plan has one.
   */
  start?: 'trial' | 'payment' | undefined;
  /** Seats; as usual one. */
  quantity?: number;
  /** Redeemed with the beginning. */
  couponCode?: string | undefined;
  /** Of who has brought this customer. */
  referralCode?: string | undefined;
  /** Who asked, for the audit log; as usual `system`. */
  actor?: string;
  at: Date;
};

/** The start of the process is left in the outbox; its lease gives the caller a moment to deliver it itself. */
export type CreatedSubscription = {
  context: SubscriptionContext;
  outboxId: number;
  envelope: ReturnType<typeof startSubscription>;
};

/**
 * Throws `not_found`, and `state_conflict` with the reasons `customer_erased`, `currency_mismatch`, `plan_archived`,
 * `plan_without_trial` and `trial_already_used`; and as `claimCoupon` and `referCustomer` do.
 */
export async function createSubscription(tx: Tx, input: NewSubscription): Promise<CreatedSubscription> {
  const { at, actor = 'system', quantity = 1 } = input;
  const [plan, customer, tenant, hadTrial] = await together([
    readPlan(tx, input.plan),
    lockCustomer(tx, input.customerId),
    currentTenant(tx),
    hasHadTrial(tx, input),
  ]);
  const start = input.start ?? (plan.policy.trialDays > 0 ? 'trial' : 'payment');
  refuseUnfit({ customer, plan }, { start, quantity });
  if (start === 'trial' && hadTrial) throw trialAlreadyUsed(plan);

  if (input.referralCode !== undefined) await referCustomer(tx, customer, input.referralCode);
  const { couponCode } = input;
  const discount =
    couponCode === undefined
      ? null
      : await claimCoupon(tx, { code: couponCode, customer, currency: plan.currency, at });
  const subscription = { ...newRow({ customer, plan, tenant }, { start, quantity, at }), discount };
  const context = { tenant, customer, plan, subscription };
  const envelope = startSubscription({
    tenantId: tenant.id,
    customerId: customer.id,
    subscriptionId: subscription.id,
    planCode: plan.code,
    snapshot: snapshotOf(context),
  });
  // The row goes first: what follows refers to it.
  const [, , , , , [outboxId]] = await together([
    tx.insert(subscriptions).values(subscription).execute(),
    start === 'trial' ? grantTrial(tx, context) : undefined,
    discount === null ? undefined : keepRedemption(tx, subscription, discount, at),
    tellBeginning(tx, context),
    writeAudit(tx, {
      tenantId: tenant.id,
      actor,
      action: 'subscription.created',
      entityType: 'subscription',
      entityId: subscription.id,
      details: { planId: plan.id, start, quantity, ...(discount !== null && { coupon: discount.code }) },
      at,
    }),
    appendOutbox(tx, tenant.id, [envelope], { leaseSeconds: LEASE_SECONDS }),
  ]);
  if (outboxId === undefined) throw new Error('An inserted outbox row was not returned');
  return { context, outboxId, envelope };
}

/** Longer than the caller tries; then the relay takes over. */
const LEASE_SECONDS = 5;

async function readPlan(tx: Tx, named: NewSubscription['plan']): Promise<PlanRow> {
  const plan = await findPlan(tx, named);
  if (plan === null) throw notFound('plan', 'id' in named ? named.id : named.code);
  return plan;
}

/** One trial per person and plan family: by the keyed e-mail address, and by the customer when the address changed. */
async function hasHadTrial(tx: Tx, { customerId, plan }: NewSubscription): Promise<boolean> {
  const family = tx
    .select({ family: plans.family })
    .from(plans)
    .where('id' in plan ? eq(plans.id, plan.id) : eq(plans.code, plan.code));
  const person = tx
    .select({ personKey: customers.personKey })
    .from(customers)
    .where(eq(customers.id, customerId));
  const ofThisCustomer = tx
    .select({ id: subscriptions.id })
    .from(subscriptions)
    .where(eq(subscriptions.customerId, customerId));
  const earlier = await tx
    .select({ grantedAt: trialGrants.grantedAt })
    .from(trialGrants)
    .where(
      and(
        inArray(trialGrants.planFamily, family),
        or(inArray(trialGrants.personKey, person), inArray(trialGrants.subscriptionId, ofThisCustomer)),
      ),
    )
    .limit(1);
  return earlier.length > 0;
}

function refuseUnfit(
  { customer, plan }: Pick<SubscriptionContext, 'customer' | 'plan'>,
  { start, quantity }: { start: 'trial' | 'payment'; quantity: number },
): void {
  if (customer.erasedAt !== null) {
    throw refusal(
      'customer_erased',
      `The data of customer ${customer.id} was erased; create a new customer.`,
    );
  }
  if (plan.archivedAt !== null) {
    throw refusal('plan_archived', `Plan ${plan.code} is archived; choose another plan.`);
  }
  if (plan.currency !== customer.currency) {
    throw refusal(
      'currency_mismatch',
      `Plan ${plan.code} is priced in ${plan.currency}, the customer is billed in ${customer.currency}; choose a plan in ${customer.currency}.`,
    );
  }
  if (!isBillable({ unitMinor: plan.priceMinor, quantity })) {
    throw refusal('price_too_large', `${quantity} seats of ${plan.code} cost more than can be billed.`);
  }
  if (start === 'trial' && plan.policy.trialDays === 0) {
    throw refusal('plan_without_trial', `Plan ${plan.code} has no trial; send start: "payment".`);
  }
}

/** The whole row, so that it need not be read back. */
function newRow(
  { tenant, customer, plan }: Omit<SubscriptionContext, 'subscription'>,
  { start, quantity, at }: { start: 'trial' | 'payment'; quantity: number; at: Date },
): SubscriptionRow {
  const { trialDays } = plan.policy;
  return {
    ...untouched,
    id: newId('sub'),
    tenantId: tenant.id,
    customerId: customer.id,
    planId: plan.id,
    quantity,
    status: start === 'trial' ? 'trialing' : 'incomplete',
    statusSince: at,
    policy: plan.policy,
    startedAt: at,
    trialEndsAt:
      start === 'trial' ? new Date(addDays(at.toISOString(), trialDays, dayLengthMs(tenant))) : null,
    createdAt: new Date(),
  };
}

const untouched = {
  ladder: null,
  trialMessagesDone: [],
  convertedAt: null,
  anchor: null,
  anchorIndex: 0,
  periodIndex: null,
  periodStartsAt: null,
  periodEndsAt: null,
  resumesAt: null,
  taxHold: null,
  firstPaymentUntil: null,
  cancelAtPeriodEnd: false,
  collectedByRazorpay: false,
  cancelReason: null,
  cancelComment: null,
  cancelRequestedAt: null,
  endedAt: null,
  plannedCharges: [],
  pendingChange: null,
  unbilledChange: null,
  discount: null,
  winBackDone: [],
  closedAt: null,
  version: 1,
};

/** Of two first trials at the same moment the unique index lets one through. */
async function grantTrial(tx: Tx, { customer, plan, subscription }: SubscriptionContext): Promise<void> {
  const granted = await tx
    .insert(trialGrants)
    .values({
      tenantId: subscription.tenantId,
      personKey: customer.personKey,
      planFamily: plan.family,
      subscriptionId: subscription.id,
      grantedAt: subscription.startedAt,
    })
    .onConflictDoNothing()
    .returning({ subscriptionId: trialGrants.subscriptionId });
  if (granted.length === 0) throw trialAlreadyUsed(plan);
}

async function tellBeginning(tx: Tx, context: SubscriptionContext): Promise<void> {
  const { plan, subscription } = context;
  const { trialEndsAt, startedAt, quantity } = subscription;
  const planName = termsInWords({ planName: plan.name, quantity });
  if (trialEndsAt === null) {
    await addTimelineEntry(tx, subscription, startedAt, {
      kind: 'created',
      message: `Subscribed to ${planName}; it begins with the first payment.`,
    });
    return;
  }
  const until = inWords(trialEndsAt.toISOString());
  const price = await priceInWords(tx, context, { terms: termsOf(context), at: startedAt });
  await together([
    addTimelineEntry(tx, subscription, startedAt, {
      kind: 'trial_started',
      message: `The trial of ${planName} began; it runs until ${until}.`,
    }),
    tellSubscriber(tx, context, startedAt, {
      template: 'trial_started',
      variables: { planName, trialEndsAt: until, price },
    }),
  ]);
}

function trialAlreadyUsed(plan: PlanRow): DomainError {
  return refusal(
    'trial_already_used',
    `This person has already had a trial of the ${plan.family} plans. ${plan.name} costs ${formatMoney(money(plan.priceMinor, plan.currency))}; start it without a trial by sending start: "payment".`,
  );
}

function refusal(reason: string, message: string): DomainError {
  return new DomainError({ code: 'state_conflict', reason, message });
}

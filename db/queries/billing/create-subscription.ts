/**
 * A subscription begins: the row, the grant of its trial, the first line of its timeline, the mail that welcomes and
 * the start of its process are one transaction, so a subscription is there completely or not at all.
 *
 * Why it is safe to run twice: the caller's idempotency key is in the same transaction; and whoever starts a trial of a
 * plan family a second time is refused by a unique index that outlives the customer's data.
 */
import { and, eq, inArray, or } from 'drizzle-orm';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import { DomainError } from '../../../domain/errors.ts';
import { addDays, inWords } from '../../../domain/instant.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { startSubscription } from '../../../workflows/billing/subscription.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { subscriptions, trialGrants } from '../../schema/billing.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { currentTenant } from '../tenants/tenants.ts';
import {
  addTimelineEntry,
  type CustomerRow,
  lockCustomer,
  type PlanRow,
  type SubscriptionContext,
  snapshotOf,
  type TenantRow,
} from './subscriptions.ts';

export type NewSubscription = {
  customerId: string;
  plan: PlanRow;
  /** `trial`: free for the plan's trial days. `payment`: begins when the first invoice is paid. */
  start: 'trial' | 'payment';
  at: Date;
};

/** The start of the process is left in the outbox; its lease gives the caller a moment to deliver it itself. */
export type CreatedSubscription = { context: SubscriptionContext; outboxId: number; envelope: StartEnvelope };

type StartEnvelope = ReturnType<typeof startSubscription>;

/**
 * Throws `not_found`, and `state_conflict` with the reasons `customer_erased`, `currency_mismatch`, `plan_archived`,
 * `plan_without_trial` and `trial_already_used`.
 */
export async function createSubscription(tx: Tx, input: NewSubscription): Promise<CreatedSubscription> {
  const { plan, start, at } = input;
  const tenant = await currentTenant(tx);
  const customer = await lockCustomer(tx, input.customerId);
  refuseUnfit(customer, plan, start);

  const context = await insertSubscription(tx, { tenant, customer, plan, start, at });
  if (start === 'trial') await grantTrial(tx, context, at);
  await tellBeginning(tx, context, at);

  const { id } = context.subscription;
  const envelope = startSubscription({
    tenantId: tenant.id,
    customerId: customer.id,
    subscriptionId: id,
    planCode: plan.code,
    snapshot: snapshotOf(context),
  });
  const [outboxId] = await appendOutbox(tx, tenant.id, [envelope], { leaseSeconds: LEASE_SECONDS });
  if (outboxId === undefined) throw new Error('An inserted outbox row was not returned');
  return { context, outboxId, envelope };
}

/** Longer than the caller tries; then the relay takes over. */
const LEASE_SECONDS = 5;

function refuseUnfit(customer: CustomerRow, plan: PlanRow, start: NewSubscription['start']): void {
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
  if (start === 'trial' && plan.policy.trialDays === 0) {
    throw refusal('plan_without_trial', `Plan ${plan.code} has no trial; send start: "payment".`);
  }
}

async function insertSubscription(
  tx: Tx,
  {
    tenant,
    customer,
    plan,
    start,
    at,
  }: Omit<NewSubscription, 'customerId'> & { tenant: TenantRow; customer: CustomerRow },
): Promise<SubscriptionContext> {
  const trialEndsAt =
    start === 'trial'
      ? new Date(addDays(at.toISOString(), plan.policy.trialDays, dayLengthMs(tenant)))
      : null;
  const [subscription] = await tx
    .insert(subscriptions)
    .values({
      id: newId('sub'),
      tenantId: tenant.id,
      customerId: customer.id,
      planId: plan.id,
      status: start === 'trial' ? 'trialing' : 'incomplete',
      statusSince: at,
      policy: plan.policy,
      startedAt: at,
      trialEndsAt,
    })
    .returning();
  if (subscription === undefined) throw new Error('An inserted subscription was not returned');
  return { tenant, customer, plan, subscription };
}

/** One trial per person and plan family: by the person's keyed e-mail address, and by the customer when that changed. */
async function grantTrial(
  tx: Tx,
  { customer, plan, subscription }: SubscriptionContext,
  at: Date,
): Promise<void> {
  const ofThisCustomer = tx
    .select({ id: subscriptions.id })
    .from(subscriptions)
    .where(eq(subscriptions.customerId, customer.id));
  const earlier = await tx
    .select({ grantedAt: trialGrants.grantedAt })
    .from(trialGrants)
    .where(
      and(
        eq(trialGrants.planFamily, plan.family),
        or(
          eq(trialGrants.personKey, customer.personKey),
          inArray(trialGrants.subscriptionId, ofThisCustomer),
        ),
      ),
    )
    .limit(1);
  if (earlier.length > 0) throw trialAlreadyUsed(plan);

  const granted = await tx
    .insert(trialGrants)
    .values({
      tenantId: subscription.tenantId,
      personKey: customer.personKey,
      planFamily: plan.family,
      subscriptionId: subscription.id,
      grantedAt: at,
    })
    .onConflictDoNothing()
    .returning({ subscriptionId: trialGrants.subscriptionId });
  if (granted.length === 0) throw trialAlreadyUsed(plan);
}

async function tellBeginning(
  tx: Tx,
  { customer, plan, subscription }: SubscriptionContext,
  at: Date,
): Promise<void> {
  const { trialEndsAt } = subscription;
  if (trialEndsAt === null) {
    await addTimelineEntry(tx, subscription, at, {
      kind: 'created',
      message: `Subscribed to ${plan.name}; it begins with the first payment.`,
    });
    return;
  }
  const until = inWords(trialEndsAt.toISOString());
  await addTimelineEntry(tx, subscription, at, {
    kind: 'trial_started',
    message: `The trial of ${plan.name} began; it runs until ${until}.`,
  });
  await enqueueNotification(tx, {
    tenantId: subscription.tenantId,
    at,
    request: {
      template: 'trial_started',
      variables: { planName: plan.name, trialEndsAt: until, price: priceOf(plan) },
      customerId: customer.id,
      subscriptionId: subscription.id,
      dedupeKey: `subscription:${subscription.id}:trial_started`,
    },
  });
}

function trialAlreadyUsed(plan: PlanRow): DomainError {
  return refusal(
    'trial_already_used',
    `This person has already had a trial of the ${plan.family} plans. ${plan.name} costs ${priceOf(plan)}; start it without a trial by sending start: "payment".`,
  );
}

function priceOf(plan: PlanRow): string {
  return formatMoney(money(plan.priceMinor, plan.currency));
}

function refusal(reason: string, message: string): DomainError {
  return new DomainError({ code: 'state_conflict', reason, message });
}

/** Subscriptions as they are read: with their plan, the case that chases them, and what they wait for. */
import { and, asc, desc, eq, gt, isNull, lt, sql } from 'drizzle-orm';
import type { SubscriptionStatus } from '../../../domain/billing/subscription.ts';
import type { Tx } from '../../client.ts';
import {
  customers,
  dunningCases,
  dunningPolicies,
  plans,
  subscriptionEvents,
  subscriptions,
} from '../../schema/billing.ts';
import { disputes } from '../../schema/payments.ts';
import { tenants } from '../../schema/tenants.ts';
import type { DunningCaseRow } from './dunning-cases.ts';
import type { DunningPolicyRow } from './dunning-policies.ts';
import type { SubscriptionContext } from './subscriptions.ts';

/** The customer's open dunning case is shown with a subscription only while that is past due. */
export type SubscriptionView = SubscriptionContext & {
  dunning: { dunningCase: DunningCaseRow; policy: DunningPolicyRow; disputed: boolean } | null;
};

export type TimelineRow = typeof subscriptionEvents.$inferSelect;

export type SubscriptionFilter = {
  customerId: string | undefined;
  status: SubscriptionStatus | undefined;
  cursor: string | undefined;
  limit: number;
};

/** Newest first. */
export async function listSubscriptions(tx: Tx, filter: SubscriptionFilter): Promise<SubscriptionView[]> {
  const { customerId, status, cursor, limit } = filter;
  const rows = await selectViews(tx)
    .where(
      and(
        customerId === undefined ? undefined : eq(subscriptions.customerId, customerId),
        status === undefined ? undefined : eq(subscriptions.status, status),
        cursor === undefined ? undefined : lt(subscriptions.id, cursor),
      ),
    )
    .orderBy(desc(subscriptions.id))
    .limit(limit);
  return rows.map(toView);
}

export async function findSubscription(tx: Tx, subscriptionId: string): Promise<SubscriptionView | null> {
  const [row] = await selectViews(tx).where(eq(subscriptions.id, subscriptionId));
  return row === undefined ? null : toView(row);
}

/** Oldest first: the timeline is read as a story. `null` when there is no such subscription. */
export async function listTimeline(
  tx: Tx,
  { subscriptionId, cursor, limit }: { subscriptionId: string; cursor: string | undefined; limit: number },
): Promise<TimelineRow[] | null> {
  const [subscription] = await tx
    .select({ id: subscriptions.id })
    .from(subscriptions)
    .where(eq(subscriptions.id, subscriptionId));
  if (subscription === undefined) return null;
  return tx
    .select()
    .from(subscriptionEvents)
    .where(
      and(
        eq(subscriptionEvents.subscriptionId, subscriptionId),
        cursor === undefined ? undefined : gt(subscriptionEvents.id, cursor),
      ),
    )
    .orderBy(asc(subscriptionEvents.id))
    .limit(limit);
}

function selectViews(tx: Tx) {
  return tx
    .select({
      tenant: tenants,
      customer: customers,
      plan: plans,
      subscription: subscriptions,
      dunningCase: dunningCases,
      policy: dunningPolicies,
      disputed: sql<boolean>`exists (${openDisputes(tx)})`,
    })
    .from(subscriptions)
    .innerJoin(customers, eq(customers.id, subscriptions.customerId))
    .innerJoin(plans, eq(plans.id, subscriptions.planId))
    .innerJoin(tenants, eq(tenants.id, subscriptions.tenantId))
    .leftJoin(
      dunningCases,
      and(
        eq(dunningCases.customerId, subscriptions.customerId),
        isNull(dunningCases.closedAt),
        eq(subscriptions.status, 'past_due'),
      ),
    )
    .leftJoin(dunningPolicies, eq(dunningPolicies.id, dunningCases.policyId));
}

function openDisputes(tx: Tx) {
  return tx
    .select({ id: disputes.id })
    .from(disputes)
    .where(and(eq(disputes.customerId, subscriptions.customerId), eq(disputes.status, 'open')));
}

type ViewRow = Awaited<ReturnType<typeof selectViews>>[number];

function toView({ dunningCase, policy, disputed, ...context }: ViewRow): SubscriptionView {
  const isChased = dunningCase !== null && policy !== null;
  return { ...context, dunning: isChased ? { dunningCase, policy, disputed } : null };
}

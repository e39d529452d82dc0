/** The end of the short ladder (seed 002 §3.1): an unpaid subscription moves to the free plan of its family. */
import { and, asc, eq, isNull } from 'drizzle-orm';
import { periodOf } from '../../../domain/calendar.ts';
import type { Tx } from '../../client.ts';
import { plans } from '../../schema/billing.ts';
import {
  calendarOf,
  changeSubscription,
  nothingPending,
  type PlanRow,
  type SubscriptionContext,
  statusChange,
} from './subscriptions.ts';

/** The free plan a plan's family falls back to; null when it has none. */
export async function freePlanOf(
  tx: Tx,
  { tenantId, family }: Pick<PlanRow, 'tenantId' | 'family'>,
): Promise<PlanRow | null> {
  const [plan] = await tx
    .select()
    .from(plans)
    .where(
      and(
        eq(plans.tenantId, tenantId),
        eq(plans.family, family),
        eq(plans.priceMinor, 0),
        isNull(plans.archivedAt),
      ),
    )
    .orderBy(asc(plans.rank))
    .limit(1);
  return plan ?? null;
}

/** Moves an unpaid subscription; its free periods begin now, at an anchor of their own. */
export async function moveToFreePlan(
  tx: Tx,
  context: SubscriptionContext,
  { plan, at }: { plan: PlanRow; at: Date },
): Promise<SubscriptionContext> {
  const anchor = at.toISOString();
  const period = periodOf({
    anchor,
    interval: plan.interval,
    index: 0,
    calendar: calendarOf(context.tenant),
  });
  const index = (context.subscription.periodIndex ?? -1) + 1;
  return changeSubscription(tx, context, {
    plan,
    set: {
      ...statusChange(context, 'downgraded', at),
      planId: plan.id,
      quantity: 1,
      ...nothingPending,
      anchor: at,
      anchorIndex: index,
      periodIndex: index,
      periodStartsAt: at,
      periodEndsAt: new Date(period.endsAt),
    },
    at,
    entry: {
      kind: 'downgraded',
      message: `Moved from ${context.plan.name} to ${plan.name}: the dunning ladder ended without payment.`,
    },
  });
}

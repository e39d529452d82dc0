/** A subscription as the API shows it. Access and the sentences come from the same pure functions the process uses. */
import { couponInWords } from '../../db/queries/billing/coupons.ts';
import type { SubscriptionView } from '../../db/queries/billing/read-subscriptions.ts';
import { snapshotOf } from '../../db/queries/billing/subscriptions.ts';
import { dunningWaitingFor } from '../../domain/billing/dunning.ts';
import { dayLengthMs } from '../../domain/billing/plan.ts';
import type { PendingChange } from '../../domain/billing/plan-change.ts';
import { accessOf, waitingFor } from '../../domain/billing/subscription.ts';
import { dunningWorkflowId } from '../../workflows/billing/dunning.contract.ts';
import { subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { workflowUrl } from '../workflow-url.ts';
import type { SubscriptionBody } from './subscriptions.schemas.ts';

export function toSubscription(
  deps: Pick<ApiDependencies, 'config' | 'temporal'>,
  view: SubscriptionView,
): SubscriptionBody {
  const { subscription, plan } = view;
  const snapshot = snapshotOf(view);
  const { id, periodIndex, periodStartsAt, periodEndsAt, cancelRequestedAt } = subscription;
  return {
    id,
    customerId: subscription.customerId,
    plan: {
      id: plan.id,
      code: plan.code,
      name: plan.name,
      priceMinor: plan.priceMinor,
      currency: plan.currency,
      interval: plan.interval,
    },
    quantity: subscription.quantity,
    pendingChange: toPendingChange(subscription.pendingChange),
    status: subscription.status,
    statusSince: snapshot.statusSince,
    access: accessOf(subscription),
    waitingFor: waitingFor(snapshot),
    startedAt: snapshot.startedAt,
    trialEndsAt: snapshot.trialEndsAt,
    trialMessagesSent: snapshot.trialMessagesDone,
    convertedAt: subscription.convertedAt?.toISOString() ?? null,
    currentPeriod:
      periodIndex === null || periodStartsAt === null || periodEndsAt === null
        ? null
        : { index: periodIndex, startsAt: periodStartsAt.toISOString(), endsAt: periodEndsAt.toISOString() },
    coupon: toCoupon(view),
    resumesAt: snapshot.resumesAt ?? null,
    hasPaymentMethod: snapshot.hasPaymentMethod,
    cancelAtPeriodEnd: snapshot.cancelAtPeriodEnd,
    cancellation:
      cancelRequestedAt === null
        ? null
        : {
            requestedAt: cancelRequestedAt.toISOString(),
            reason: subscription.cancelReason,
            comment: subscription.cancelComment,
          },
    endedAt: subscription.endedAt?.toISOString() ?? null,
    closedAt: snapshot.closedAt,
    dunning: toDunning(deps, view),
    version: subscription.version,
    links: { temporal: workflowUrl(deps, subscriptionWorkflowId(id)) },
  };
}

function toCoupon({ subscription: { discount }, plan }: SubscriptionView): SubscriptionBody['coupon'] {
  if (discount === null) return null;
  const { code, periodsLeft } = discount;
  return { code, reduction: couponInWords(discount, plan.currency), periodsLeft };
}

function toPendingChange(change: PendingChange | null): SubscriptionBody['pendingChange'] {
  if (change === null) return null;
  const { kind, planId, planName, quantity, at, invoiceId } = change;
  return { kind, planId, planName, quantity, at, invoiceId };
}

function toDunning(
  deps: Pick<ApiDependencies, 'config' | 'temporal'>,
  { dunning, tenant }: SubscriptionView,
): SubscriptionBody['dunning'] {
  if (dunning === null) return null;
  const { dunningCase, policy, disputed } = dunning;
  const firstFailedAt = dunningCase.firstFailedAt.toISOString();
  return {
    caseId: dunningCase.id,
    policy: policy.name,
    policyVersion: policy.version,
    invoiceId: dunningCase.invoiceId,
    firstFailedAt,
    waitingFor: dunningWaitingFor({
      policy,
      firstFailedAt,
      nextStepIndex: dunningCase.nextStepIndex,
      heldUntil: dunningCase.heldUntil?.toISOString() ?? null,
      ...(disputed && { disputed: true as const }),
      dayMs: dayLengthMs(tenant),
    }),
    links: { temporal: workflowUrl(deps, dunningWorkflowId(dunningCase.customerId)) },
  };
}

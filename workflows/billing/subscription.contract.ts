/** What a caller of the subscription workflow needs: its name, id, input, signals and updates. Types only. */
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ProrationMode } from '../../domain/billing/plan-change.ts';
import type { SubscriptionSnapshot } from '../../domain/billing/subscription.ts';
import type { SearchAttributes, WorkflowSignal, WorkflowStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';

export const subscriptionWorkflowType = 'subscription';

export type SubscriptionInput = {
  tenantId: string;
  customerId: string;
  subscriptionId: string;
  /** The row at the start, or where the previous run left off. */
  snapshot: SubscriptionSnapshot;
};

/**
 * `actor`: who asked (`api_key:<id>`), for the audit log. `requestId`: the caller's idempotency key; a request is carried
 * out once, however many updates ask for it.
 */
export type RequestInput = { actor: string; requestId: string };

export type CancelInput = RequestInput & { mode: 'at_period_end' | 'now'; reason: string; comment?: string };
export type ExtendTrialInput = RequestInput & { days: number; reason?: string };
/** Without a plan only the seats change, without a quantity only the plan. */
export type ChangePlanInput = RequestInput & {
  plan?: { id: string } | { code: string };
  quantity?: number;
  proration: ProrationMode;
};
export type PauseInput = RequestInput & { resumesAt?: string };
export type ChangePaymentMethodInput = RequestInput & { paymentMethodId: string };

/** `requires_action`: the customer must follow `actionUrl`; `processing`: the vendor will tell. */
export type CollectionResult =
  | { outcome: 'paid' | 'processing' | 'nothing_due' }
  | { outcome: 'requires_action'; actionUrl: string };

/** The row changed outside this workflow (payment booked, ladder step): the newer snapshot wins. */
export const subscriptionChangedSignal = defineSignal<[SubscriptionSnapshot]>('subscriptionChanged');

/** The customer gave a card to another of their subscriptions: a trial that ended without one is taken up with it. */
export const takeUpSignal = defineSignal<[RequestInput]>('takeUp');

/** Ends the subscription at the end of the period (or trial), or at once. Fails with `state_conflict`. */
export const cancelUpdate = defineUpdate<{ version: number }, [CancelInput]>('cancel');
/** Takes a cancellation at period end back while the period runs. Fails with `state_conflict`. */
export const undoCancelUpdate = defineUpdate<{ version: number }, [RequestInput]>('undoCancel');
/** Moves the trial's end and every message not yet sent. Fails with `state_conflict`. */
export const extendTrialUpdate = defineUpdate<{ version: number }, [ExtendTrialInput]>('extendTrial');
/** Ends the trial now: charges and activates. Fails with `state_conflict`, `payment_method_missing`, `card_declined`. */
export const convertUpdate = defineUpdate<CollectionResult, [RequestInput]>('convert');
/**
 * Changes plan, seats or interval: an upgrade at once, charged, a downgrade at the end of the period. Fails with
 * `state_conflict`, `not_found`, `payment_method_missing`, `card_declined` (the upgrade waits for another card then).
 */
export const changePlanUpdate = defineUpdate<CollectionResult, [ChangePlanInput]>('changePlan');
/** Takes a change back that waits for its day or its payment. Fails with `state_conflict`. */
export const undoChangeUpdate = defineUpdate<{ version: number }, [RequestInput]>('undoChange');
/** Stops the clock of a paid subscription, until a day or until it is resumed. Fails with `state_conflict`. */
export const pauseUpdate = defineUpdate<{ version: number }, [PauseInput]>('pause');
/** Goes on with the time that was left. Fails with `state_conflict`. */
export const resumeUpdate = defineUpdate<{ version: number }, [RequestInput]>('resume');
/**
 * Attaches and uses another payment method; an open invoice is charged at once. Fails with `state_conflict`,
 * `payment_method_invalid`, `card_declined` (the vendor refused to attach it).
 */
export const changePaymentMethodUpdate = defineUpdate<CollectionResult, [ChangePaymentMethodInput]>(
  'changePaymentMethod',
);

export function subscriptionWorkflowId(subscriptionId: string): string {
  return `subscription/${subscriptionId}`;
}

/** The envelope that starts a subscription; delivered twice it is still one run. */
export function startSubscription(input: {
  tenantId: string;
  customerId: string;
  subscriptionId: string;
  planCode: string;
  snapshot: SubscriptionSnapshot;
}): WorkflowStart {
  const { tenantId, customerId, subscriptionId, planCode, snapshot } = input;
  return {
    topic: 'workflow.start',
    workflowType: subscriptionWorkflowType,
    workflowId: subscriptionWorkflowId(subscriptionId),
    taskQueue: taskQueues.billing,
    args: [{ tenantId, customerId, subscriptionId, snapshot } satisfies SubscriptionInput],
    summary: `Subscription to ${planCode}`,
    searchAttributes: subscriptionSearchAttributes(input),
    reuse: 'reject_duplicate',
  };
}

/** Columns and filters of the Web UI for a subscription; they change with its status and period. */
export function subscriptionSearchAttributes({
  tenantId,
  customerId,
  subscriptionId,
  snapshot,
}: SubscriptionInput): SearchAttributes {
  return {
    TenantId: tenantId,
    CustomerId: customerId,
    EntityId: subscriptionId,
    Status: snapshot.status,
    ...(snapshot.periodEndsAt !== null && { PeriodEnd: snapshot.periodEndsAt }),
  };
}

/** The envelope that tells a running subscription that its row changed. */
export function subscriptionChanged(subscriptionId: string, snapshot: SubscriptionSnapshot): WorkflowSignal {
  return {
    topic: 'workflow.signal',
    workflowId: subscriptionWorkflowId(subscriptionId),
    signal: subscriptionChangedSignal.name,
    args: [snapshot],
  };
}

/** The envelope that lets a trial which ended without a card be taken up with the one there is now. */
export function takeUpSubscription(subscriptionId: string, request: RequestInput): WorkflowSignal {
  return {
    topic: 'workflow.signal',
    workflowId: subscriptionWorkflowId(subscriptionId),
    signal: takeUpSignal.name,
    args: [request],
  };
}

/** Changes of plan, seats and interval: what one would cost, asking for it, taking it back. */
import type { z } from 'zod';
import { type ChangeRequest, taxesOfChange, weighChange } from '../../db/queries/billing/plan-change.ts';
import { billOf } from '../../domain/billing/plan-change.ts';
import { DomainError } from '../../domain/errors.ts';
import { changePlanUpdate, undoChangeUpdate } from '../../workflows/billing/subscription.contract.ts';
import { type Route, route } from '../route.ts';
import { askSubscription, readSubscription } from './ask-subscription.ts';
import { changePreview, examplePreview, planChange } from './plan-changes.schemas.ts';
import {
  collectionReplay,
  collectionSteps,
  requestOf,
  subscriptionReplay,
  subscriptionSteps,
} from './subscription-answer.ts';
import {
  collection,
  exampleSubscription,
  noBody,
  subscription,
  subscriptionParams,
} from './subscriptions.schemas.ts';

const preview = route({
  effect: 'read',
  method: 'post',
  path: '/v1/subscriptions/{subscriptionId}/preview_change',
  operationId: 'previewPlanChange',
  tag: 'Subscriptions',
  scope: 'billing:read',
  summary: 'What a change of plan or seats would cost if it were made now',
  description: 'Changes nothing, and is refused exactly where the change itself would be.',
  params: subscriptionParams,
  body: planChange,
  example: { planCode: 'team-monthly' },
  responses: {
    200: { description: 'The money effect.', schema: changePreview, example: examplePreview },
  },
  problems: [
    'state_conflict',
    'subscription_ended',
    'plan_archived',
    'currency_mismatch',
    'tax_location_invalid',
    'vendor_rejected_request',
    'vendor_unavailable',
  ],
  handler: async ({ tx, now, params, body }) => {
    const view = await readSubscription(tx, params.subscriptionId);
    const weighed = await weighChange(tx, view, { request: toRequest(body), at: now });
    const { decision, target } = weighed;
    if (decision.kind === 'refused') {
      throw new DomainError({ code: 'state_conflict', ...decision });
    }
    const taxes = await taxesOfChange(tx, view, { decision, target, at: now });
    const { renewal, ...bill } = billOf(decision, { ...taxes, ...view.customer });
    return {
      status: 200,
      body: {
        ...bill,
        kind: decision.kind,
        effectiveAt: decision.kind === 'downgrade' ? decision.at : now.toISOString(),
        currency: target.currency,
        lines: bill.lines.map(({ kind, amountMinor, taxMinor, period }) => ({
          kind,
          amountMinor,
          taxMinor,
          periodStartsAt: period.startsAt,
          periodEndsAt: period.endsAt,
        })),
        nextInvoice: nextInvoiceOf(view.subscription, decision, renewal),
      },
    };
  },
});

const change = route({
  effect: 'act',
  method: 'post',
  path: '/v1/subscriptions/{subscriptionId}/change_plan',
  operationId: 'changePlan',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'Change plan, seats or interval',
  description:
    'An upgrade takes effect as soon as its difference is paid; until then, and when it is not paid within the hours of the policy, the old terms stay. A downgrade waits for the end of the period. A newer change takes the place of one that waits.',
  params: subscriptionParams,
  body: planChange,
  example: { planCode: 'team-monthly', quantity: 3 },
  responses: {
    200: {
      description: 'Changed, planned for the end of the period (`pendingChange`), or on the way (`outcome`).',
      schema: collection,
      example: { outcome: 'paid', subscription: exampleSubscription },
      links: {
        UndoChange: {
          operationId: 'undoPlanChange',
          parameters: { subscriptionId: '$response.body#/subscription/id' },
        },
      },
    },
  },
  problems: [
    'state_conflict',
    'subscription_ended',
    'plan_archived',
    'currency_mismatch',
    'payment_method_missing',
    'card_declined',
    'authentication_required',
    'tax_location_invalid',
    'vendor_rejected_request',
    'vendor_unavailable',
    'outcome_unknown',
  ],
  handler: {
    ...collectionSteps,
    act: (context, view) => {
      const input = { ...requestOf(context), ...toRequest(context.body) };
      return askSubscription(context, view, { update: changePlanUpdate, input });
    },
  },
  replay: collectionReplay,
});

const undo = route({
  effect: 'act',
  method: 'post',
  path: '/v1/subscriptions/{subscriptionId}/undo_change',
  operationId: 'undoPlanChange',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'Take back a change that waits for its day or its payment',
  params: subscriptionParams,
  body: noBody,
  responses: {
    200: { description: 'The old terms stay.', schema: subscription, example: exampleSubscription },
  },
  problems: ['state_conflict', 'subscription_ended', 'outcome_unknown'],
  handler: {
    ...subscriptionSteps,
    act: (context, view) =>
      askSubscription(context, view, { update: undoChangeUpdate, input: requestOf(context) }),
  },
  replay: subscriptionReplay,
});

export const planChangeRoutes: readonly Route[] = [preview, change, undo];

function toRequest({ planCode, planId, quantity, proration }: z.infer<typeof planChange>): ChangeRequest {
  const code = planCode === undefined ? {} : { plan: { code: planCode } };
  return {
    ...(planId === undefined ? code : { plan: { id: planId } }),
    ...(quantity !== undefined && { quantity }),
    proration,
  };
}

function nextInvoiceOf(
  { trialEndsAt, periodEndsAt }: { trialEndsAt: Date | null; periodEndsAt: Date | null },
  decision: Exclude<Awaited<ReturnType<typeof weighChange>>['decision'], { kind: 'refused' }>,
  { totalMinor, taxMinor }: { totalMinor: number; taxMinor: number },
) {
  const at = decision.kind === 'upgrade' ? new Date(decision.period.endsAt) : (periodEndsAt ?? trialEndsAt);
  return at === null || totalMinor === 0 ? null : { at: at.toISOString(), totalMinor, taxMinor };
}

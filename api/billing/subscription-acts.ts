/** What people ask of a running subscription: another card, conversion, cancellation, a longer trial. */
import {
  type CollectionResult,
  cancelUpdate,
  changePaymentMethodUpdate,
  convertUpdate,
  extendTrialUpdate,
  pauseUpdate,
  type RequestInput,
  resumeUpdate,
  undoCancelUpdate,
} from '../../workflows/billing/subscription.contract.ts';
import { type ActContext, type ReadContext, type Route, route } from '../route.ts';
import { askSubscription, readSubscription } from './ask-subscription.ts';
import { toSubscription } from './subscription-body.ts';
import {
  cancellation,
  collection,
  exampleSubscription,
  noBody,
  pause as pauseBody,
  paymentMethodChange,
  type SubscriptionBody,
  subscription,
  subscriptionParams,
  trialExtension,
} from './subscriptions.schemas.ts';

const changePaymentMethod = route({
  effect: 'act',
  method: 'put',
  path: '/v1/subscriptions/{subscriptionId}/payment_method',
  operationId: 'changePaymentMethod',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'Use another card',
  description:
    'Attaches the payment method at the card vendor and makes it the one that is charged. What is unpaid is charged at once.',
  params: subscriptionParams,
  body: paymentMethodChange,
  example: { paymentMethodId: 'pm_card_visa' },
  responses: {
    200: {
      description: 'The card is in use; `outcome` says what became of an open invoice.',
      schema: collection,
      example: { outcome: 'nothing_due', subscription: exampleSubscription },
    },
  },
  problems: [
    'state_conflict',
    'subscription_ended',
    'payment_method_invalid',
    'card_declined',
    'vendor_unavailable',
    'outcome_unknown',
  ],
  handler: {
    look: ({ tx, params }) => readSubscription(tx, params.subscriptionId),
    act: (context, view) => {
      const input = { ...requestOf(context), paymentMethodId: context.body.paymentMethodId };
      return askSubscription(context, view, { update: changePaymentMethodUpdate, input });
    },
    answer: async ({ tx, deps, params }, result) => {
      const subscription = toSubscription(deps, await readSubscription(tx, params.subscriptionId));
      return { ...result, subscription };
    },
  },
  replay: withoutComment(
    (body: CollectionBody) => body.subscription,
    (body, subscription) => ({ ...body, subscription }),
  ),
});

const convert = route({
  effect: 'act',
  method: 'post',
  path: '/v1/subscriptions/{subscriptionId}/convert',
  operationId: 'convertSubscription',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'End the trial now: charge and activate',
  params: subscriptionParams,
  body: noBody,
  responses: {
    200: {
      description: 'Paid and active, or on the way (`outcome`).',
      schema: collection,
      example: { outcome: 'paid', subscription: { ...exampleSubscription, status: 'active' } },
    },
  },
  problems: [
    'state_conflict',
    'subscription_ended',
    'payment_method_missing',
    'card_declined',
    'authentication_required',
    'vendor_unavailable',
    'outcome_unknown',
  ],
  handler: {
    look: ({ tx, params }) => readSubscription(tx, params.subscriptionId),
    act: (context, view) => {
      const input = requestOf(context);
      return askSubscription(context, view, { update: convertUpdate, input });
    },
    answer: async ({ tx, deps, params }, result) => {
      const subscription = toSubscription(deps, await readSubscription(tx, params.subscriptionId));
      return { ...result, subscription };
    },
  },
  replay: withoutComment(
    (body: CollectionBody) => body.subscription,
    (body, subscription) => ({ ...body, subscription }),
  ),
});

const cancel = route({
  effect: 'act',
  method: 'post',
  path: '/v1/subscriptions/{subscriptionId}/cancel',
  operationId: 'cancelSubscription',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'Cancel at the end of the period, or now',
  params: subscriptionParams,
  body: cancellation,
  example: { mode: 'at_period_end', reason: 'too_expensive', comment: 'I will be back in spring.' },
  responses: {
    200: {
      description: 'The cancelled subscription.',
      schema: subscription,
      example: { ...exampleSubscription, cancelAtPeriodEnd: true },
      links: {
        UndoCancel: {
          operationId: 'undoCancelSubscription',
          parameters: { subscriptionId: '$response.body#/id' },
        },
      },
    },
  },
  problems: ['state_conflict', 'subscription_ended', 'outcome_unknown'],
  handler: {
    look: ({ tx, params }) => readSubscription(tx, params.subscriptionId),
    act: (context, view) => {
      const { mode, reason, comment } = context.body;
      const input = { ...requestOf(context), mode, reason, ...(comment !== undefined && { comment }) };
      return askSubscription(context, view, { update: cancelUpdate, input });
    },
    answer: async ({ tx, deps, params }) => {
      return toSubscription(deps, await readSubscription(tx, params.subscriptionId));
    },
  },
  replay: withoutComment(
    (body: SubscriptionBody) => body,
    (_body, subscription) => subscription,
  ),
});

const undoCancel = route({
  effect: 'act',
  method: 'post',
  path: '/v1/subscriptions/{subscriptionId}/undo_cancel',
  operationId: 'undoCancelSubscription',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'Take a cancellation back while the period runs',
  params: subscriptionParams,
  body: noBody,
  responses: { 200: { description: 'It goes on.', schema: subscription, example: exampleSubscription } },
  problems: ['state_conflict', 'subscription_ended', 'outcome_unknown'],
  handler: {
    look: ({ tx, params }) => readSubscription(tx, params.subscriptionId),
    act: (context, view) => {
      const input = requestOf(context);
      return askSubscription(context, view, { update: undoCancelUpdate, input });
    },
    answer: async ({ tx, deps, params }) => {
      return toSubscription(deps, await readSubscription(tx, params.subscriptionId));
    },
  },
  replay: withoutComment(
    (body: SubscriptionBody) => body,
    (_body, subscription) => subscription,
  ),
});

const extendTrial = route({
  effect: 'act',
  method: 'post',
  path: '/v1/subscriptions/{subscriptionId}/extend_trial',
  operationId: 'extendTrial',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'Give a trial more days',
  description: 'Messages that were not sent yet move with its end.',
  params: subscriptionParams,
  body: trialExtension,
  example: { days: 7 },
  responses: {
    200: { description: 'The longer trial.', schema: subscription, example: exampleSubscription },
  },
  problems: ['state_conflict', 'subscription_ended', 'outcome_unknown'],
  handler: {
    look: ({ tx, params }) => readSubscription(tx, params.subscriptionId),
    act: (context, view) => {
      const { days, reason } = context.body;
      const input = { ...requestOf(context), days, ...(reason !== undefined && { reason }) };
      return askSubscription(context, view, { update: extendTrialUpdate, input });
    },
    answer: async ({ tx, deps, params }) => {
      return toSubscription(deps, await readSubscription(tx, params.subscriptionId));
    },
  },
  replay: withoutComment(
    (body: SubscriptionBody) => body,
    (_body, subscription) => subscription,
  ),
});

const pause = route({
  effect: 'act',
  method: 'post',
  path: '/v1/subscriptions/{subscriptionId}/pause',
  operationId: 'pauseSubscription',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'Pause a paid subscription',
  description:
    'Access ends, nothing is billed, and the time that is left of the period is kept until it is resumed.',
  params: subscriptionParams,
  body: pauseBody,
  example: { resumesAt: '2027-02-01T09:00:00.000Z' },
  responses: {
    200: {
      description: 'It is paused.',
      schema: subscription,
      example: { ...exampleSubscription, status: 'paused', access: 'suspended' },
      links: {
        Resume: { operationId: 'resumeSubscription', parameters: { subscriptionId: '$response.body#/id' } },
      },
    },
  },
  problems: ['state_conflict', 'subscription_ended', 'outcome_unknown'],
  handler: {
    look: ({ tx, params }) => readSubscription(tx, params.subscriptionId),
    act: (context, view) => {
      const { resumesAt } = context.body;
      const input = { ...requestOf(context), ...(resumesAt !== undefined && { resumesAt }) };
      return askSubscription(context, view, { update: pauseUpdate, input });
    },
    answer: async ({ tx, deps, params }) => {
      return toSubscription(deps, await readSubscription(tx, params.subscriptionId));
    },
  },
  replay: withoutComment(
    (body: SubscriptionBody) => body,
    (_body, subscription) => subscription,
  ),
});

const resume = route({
  effect: 'act',
  method: 'post',
  path: '/v1/subscriptions/{subscriptionId}/resume',
  operationId: 'resumeSubscription',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'Go on with the time that was left of the period',
  params: subscriptionParams,
  body: noBody,
  responses: { 200: { description: 'It goes on.', schema: subscription, example: exampleSubscription } },
  problems: ['state_conflict', 'subscription_ended', 'outcome_unknown'],
  handler: {
    look: ({ tx, params }) => readSubscription(tx, params.subscriptionId),
    act: (context, view) =>
      askSubscription(context, view, { update: resumeUpdate, input: requestOf(context) }),
    answer: async ({ tx, deps, params }) => {
      return toSubscription(deps, await readSubscription(tx, params.subscriptionId));
    },
  },
  replay: withoutComment(
    (body: SubscriptionBody) => body,
    (_body, subscription) => subscription,
  ),
});

export const subscriptionActRoutes: readonly Route[] = [
  changePaymentMethod,
  convert,
  cancel,
  undoCancel,
  extendTrial,
  pause,
  resume,
];

export function requestOf({ caller, requestId }: ActContext): RequestInput {
  return { actor: caller.actor, requestId };
}

type CollectionBody = CollectionResult & { subscription: SubscriptionBody };

/** The comment of a cancellation is the customer's own words, which the erasure must reach: it is not kept twice. */
export function withoutComment<Body>(
  subscriptionIn: (body: Body) => SubscriptionBody,
  put: (body: Body, subscription: SubscriptionBody) => Body,
) {
  const setComment = (body: Body, comment: string | null): Body => {
    const subscription = subscriptionIn(body);
    const { cancellation } = subscription;
    return put(body, {
      ...subscription,
      cancellation: cancellation === null ? null : { ...cancellation, comment },
    });
  };
  return {
    keep: (body: Body) => setComment(body, null),
    restore: async ({ tx }: ReadContext, kept: Body) => {
      const { id } = subscriptionIn(kept);
      const { subscription } = await readSubscription(tx, id);
      return setComment(kept, subscription.cancelComment);
    },
  };
}

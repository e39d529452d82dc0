/** What people ask of a running subscription: another card, conversion, cancellation, a longer trial. */
import {
  cancelUpdate,
  changePaymentMethodUpdate,
  convertUpdate,
  extendTrialUpdate,
  pauseUpdate,
  resumeUpdate,
  undoCancelUpdate,
} from '../../workflows/billing/subscription.contract.ts';
import { type Route, route } from '../route.ts';
import { askSubscription } from './ask-subscription.ts';
import {
  collectionReplay,
  collectionSteps,
  requestOf,
  subscriptionReplay,
  subscriptionSteps,
} from './subscription-answer.ts';
import {
  cancellation,
  collection,
  exampleSubscription,
  noBody,
  pause as pauseBody,
  paymentMethodChange,
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
  summary: 'Use another card, or a bank account',
  description:
    'Attaches the payment method at the card vendor and makes it the one that is charged. What is unpaid is charged at once. A bank account in the US must be verified at the vendor, its mandate accepted, and the customer billed in USD; a debit takes days, so its outcome is `processing`.',
  params: subscriptionParams,
  body: paymentMethodChange,
  example: { paymentMethodId: 'pm_card_visa' },
  responses: {
    200: {
      description: 'The payment method is in use; `outcome` says what became of an open invoice.',
      schema: collection,
      example: { outcome: 'nothing_due', subscription: exampleSubscription },
    },
  },
  problems: [
    'state_conflict',
    'subscription_ended',
    'payment_method_invalid',
    'card_declined',
    'tax_location_invalid',
    'vendor_rejected_request',
    'vendor_unavailable',
    'outcome_unknown',
  ],
  handler: {
    ...collectionSteps,
    act: (context, view) => {
      const input = { ...requestOf(context), paymentMethodId: context.body.paymentMethodId };
      return askSubscription(context, view, { update: changePaymentMethodUpdate, input });
    },
  },
  replay: collectionReplay,
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
    'tax_location_invalid',
    'vendor_rejected_request',
    'vendor_unavailable',
    'outcome_unknown',
  ],
  handler: {
    ...collectionSteps,
    act: (context, view) => {
      const input = requestOf(context);
      return askSubscription(context, view, { update: convertUpdate, input });
    },
  },
  replay: collectionReplay,
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
  problems: [
    'state_conflict',
    'subscription_ended',
    'tax_location_invalid',
    'vendor_rejected_request',
    'vendor_unavailable',
    'outcome_unknown',
  ],
  handler: {
    ...subscriptionSteps,
    act: (context, view) => {
      const { mode, reason, comment } = context.body;
      const input = { ...requestOf(context), mode, reason, ...(comment !== undefined && { comment }) };
      return askSubscription(context, view, { update: cancelUpdate, input });
    },
  },
  replay: subscriptionReplay,
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
    ...subscriptionSteps,
    act: (context, view) => {
      const input = requestOf(context);
      return askSubscription(context, view, { update: undoCancelUpdate, input });
    },
  },
  replay: subscriptionReplay,
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
    ...subscriptionSteps,
    act: (context, view) => {
      const { days, reason } = context.body;
      const input = { ...requestOf(context), days, ...(reason !== undefined && { reason }) };
      return askSubscription(context, view, { update: extendTrialUpdate, input });
    },
  },
  replay: subscriptionReplay,
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
    ...subscriptionSteps,
    act: (context, view) => {
      const { resumesAt } = context.body;
      const input = { ...requestOf(context), ...(resumesAt !== undefined && { resumesAt }) };
      return askSubscription(context, view, { update: pauseUpdate, input });
    },
  },
  replay: subscriptionReplay,
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
    ...subscriptionSteps,
    act: (context, view) =>
      askSubscription(context, view, { update: resumeUpdate, input: requestOf(context) }),
  },
  replay: subscriptionReplay,
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

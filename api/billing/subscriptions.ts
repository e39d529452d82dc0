/** Subscriptions: start, find, read, and the timeline that tells why. */
import { z } from 'zod';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import {
  findSubscription,
  listSubscriptions,
  listTimeline,
  type TimelineRow,
} from '../../db/queries/billing/read-subscriptions.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { notFound } from '../problem.ts';
import { type LinkSpec, type Route, route } from '../route.ts';
import { toSubscription } from './subscription-body.ts';
import {
  exampleSubscription,
  newSubscription,
  subscription,
  subscriptionCursor,
  subscriptionFilters,
  subscriptionParams,
  timelineCursor,
  timelineEntry,
} from './subscriptions.schemas.ts';

const fromId = { subscriptionId: '$response.body#/id' };

const nextSteps: Record<string, LinkSpec> = {
  GetSubscription: { operationId: 'getSubscription', parameters: fromId },
  GetTimeline: { operationId: 'getSubscriptionTimeline', parameters: fromId },
  ChangePaymentMethod: { operationId: 'changePaymentMethod', parameters: fromId },
  Convert: { operationId: 'convertSubscription', parameters: fromId },
  PreviewChange: { operationId: 'previewPlanChange', parameters: fromId },
  ChangePlan: { operationId: 'changePlan', parameters: fromId },
  ExtendTrial: { operationId: 'extendTrial', parameters: fromId },
  Cancel: { operationId: 'cancelSubscription', parameters: fromId },
};

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/subscriptions',
  operationId: 'createSubscription',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'Start a subscription',
  description:
    'With a trial where the plan has one, unless `start` says otherwise. One trial per person and plan family: a second one is refused with the price and how to start without it.',
  body: newSubscription,
  example: { customerId: exampleSubscription.customerId, planCode: 'pro-monthly' },
  responses: {
    201: {
      description: 'The subscription; its process runs.',
      schema: subscription,
      example: exampleSubscription,
      links: nextSteps,
    },
    202: {
      description: 'The subscription; its process starts as soon as Temporal can be reached.',
      schema: subscription,
      example: exampleSubscription,
      links: nextSteps,
    },
  },
  problems: [
    'state_conflict',
    'trial_already_used',
    'customer_erased',
    'currency_mismatch',
    'plan_archived',
    'plan_without_trial',
  ],
  handler: async ({ tx, deps, caller: { actor }, now, body }) => {
    const { context, outboxId, envelope } = await createSubscription(tx, {
      customerId: body.customerId,
      plan: body.planId === undefined ? { code: body.planCode ?? '' } : { id: body.planId },
      quantity: body.quantity,
      start: body.start,
      couponCode: body.couponCode,
      referralCode: body.referralCode,
      actor,
      at: now,
    });
    const created = toSubscription(deps, { ...context, dunning: null });
    return {
      status: 202,
      body: created,
      delivery: { outboxId, envelope, delivered: { status: 201, body: created } },
    };
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/subscriptions',
  operationId: 'listSubscriptions',
  tag: 'Subscriptions',
  scope: 'billing:read',
  summary: 'List subscriptions, newest first',
  query: z.strictObject({ ...pageQuery(subscriptionCursor), ...subscriptionFilters }),
  responses: {
    200: {
      description: 'A page of subscriptions.',
      schema: pageOf(subscription),
      links: {
        GetSubscription: {
          operationId: 'getSubscription',
          parameters: { subscriptionId: '$response.body#/data/0/id' },
        },
      },
    },
  },
  handler: async ({ tx, deps, query: { limit, cursor, customerId, status } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listSubscriptions(tx, { customerId, status, cursor, limit: count }),
      cursorOf: (view) => view.subscription.id,
      toItem: (view) => toSubscription(deps, view),
    }),
  }),
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/subscriptions/{subscriptionId}',
  operationId: 'getSubscription',
  tag: 'Subscriptions',
  scope: 'billing:read',
  summary: 'Read a subscription: its state, what access it gives and what it waits for',
  params: subscriptionParams,
  responses: {
    200: { description: 'The subscription.', schema: subscription, example: exampleSubscription },
  },
  handler: async ({ tx, deps, params: { subscriptionId } }) => {
    const view = await findSubscription(tx, subscriptionId);
    if (view === null) throw notFound('subscription', subscriptionId);
    return { status: 200, body: toSubscription(deps, view) };
  },
});

const timeline = route({
  effect: 'read',
  method: 'get',
  path: '/v1/subscriptions/{subscriptionId}/timeline',
  operationId: 'getSubscriptionTimeline',
  tag: 'Subscriptions',
  scope: 'billing:read',
  summary: 'Read what happened to a subscription and why, oldest first',
  params: subscriptionParams,
  query: z.strictObject(pageQuery(timelineCursor)),
  responses: { 200: { description: 'A page of the timeline.', schema: pageOf(timelineEntry) } },
  handler: async ({ tx, params: { subscriptionId }, query: { limit, cursor } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: async (count) => {
        const rows = await listTimeline(tx, { subscriptionId, cursor, limit: count });
        if (rows === null) throw notFound('subscription', subscriptionId);
        return rows;
      },
      cursorOf: ({ id }) => id,
      toItem: toTimelineEntry,
    }),
  }),
});

export const subscriptionRoutes: readonly Route[] = [create, list, read, timeline];

function toTimelineEntry({ id, at, kind, message, details }: TimelineRow): z.infer<typeof timelineEntry> {
  return { id, at: at.toISOString(), kind, message, details: details as Record<string, unknown> };
}

/** Razorpay subscriptions: let Razorpay collect a subscription, see how that stands, hand in what its checkout answered, end it. */
import { WithStartWorkflowOperation } from '@temporalio/client';
import type { Tx } from '../../db/client.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { appendOutbox } from '../../db/queries/operations/outbox.ts';
import { endRazorpaySubscription } from '../../db/queries/payments/end-razorpay-subscription.ts';
import {
  latestRazorpaySubscription,
  type RazorpaySubscriptionRow,
  readRazorpaySubscription,
  requestRazorpaySubscription,
} from '../../db/queries/payments/razorpay-subscriptions.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';
import { isEnded } from '../../domain/payments/razorpay-subscription.ts';
import { isCheckoutGenuine } from '../../integrations/razorpay/verify-checkout.ts';
import { razorpayCollectionEvent } from '../../workflows/payments/razorpay-collection.contract.ts';
import {
  placeSubscriptionUpdate,
  type RazorpaySubscriptionInput,
  razorpaySubscriptionWorkflowId,
  razorpaySubscriptionWorkflowType,
} from '../../workflows/payments/razorpay-subscription.contract.ts';
import { toSearchAttributePairs } from '../../workflows/search-attributes.ts';
import { readSubscription } from '../billing/ask-subscription.ts';
import { subscriptionParams } from '../billing/subscriptions.schemas.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Problem } from '../problem.ts';
import { type ActContext, type Route, route } from '../route.ts';
import { emptyBody } from '../schemas.ts';
import { withinTime } from '../within-time.ts';
import { refuseWithoutRazorpay } from './razorpay-configured.ts';
import { checkoutAnswer } from './razorpay-orders.schemas.ts';
import {
  exampleRazorpaySubscription,
  type RazorpaySubscriptionBody,
  razorpaySubscription,
} from './razorpay-subscriptions.schemas.ts';

const path = '/v1/subscriptions/{subscriptionId}/razorpay_subscription';

const create = route({
  effect: 'act',
  method: 'post',
  path,
  operationId: 'createRazorpaySubscription',
  tag: 'Payments',
  scope: 'billing:write',
  summary: 'Let Razorpay collect a subscription',
  description:
    'Answers what the customer needs to authorise it, once. From the end of the running period or trial on (at once, where the first period waits for its payment) Razorpay charges each period by itself, and no card is charged. Asked for again, the same one is answered, or a new one where the old one does not fit or work any more.',
  params: subscriptionParams,
  body: emptyBody,
  responses: {
    201: {
      description: 'The Razorpay subscription; it waits for the customer.',
      schema: razorpaySubscription,
      example: exampleRazorpaySubscription,
      links: {
        GetRazorpaySubscription: {
          operationId: 'getRazorpaySubscription',
          parameters: { subscriptionId: '$response.body#/subscriptionId' },
        },
      },
    },
  },
  problems: [
    'state_conflict',
    'vendor_rejected_request',
    'vendor_unavailable',
    'rate_limited',
    'outcome_unknown',
    'temporal_unavailable',
  ],
  handler: {
    async look({ tx, deps, caller: { actor }, now, params: { subscriptionId } }) {
      await readSubscription(tx, subscriptionId);
      refuseWithoutRazorpay(deps);
      return requestRazorpaySubscription(tx, { subscriptionId, actor, at: now });
    },
    async act(context, row) {
      if (row.status === 'creating') await place(context, row);
      return row.id;
    },
    async answer({ tx, deps }, id) {
      const row = await readRazorpaySubscription(tx, id);
      if (row.status === 'refused') throw notMade(row);
      return toBody(deps, row);
    },
  },
});

const read = route({
  effect: 'read',
  method: 'get',
  path,
  operationId: 'getRazorpaySubscription',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'See how Razorpay collects a subscription',
  description: 'The latest Razorpay subscription of a subscription.',
  params: subscriptionParams,
  responses: {
    200: {
      description: 'The Razorpay subscription.',
      schema: razorpaySubscription,
      example: exampleRazorpaySubscription,
    },
  },
  handler: async ({ tx, deps, params: { subscriptionId } }) => {
    return { status: 200, body: toBody(deps, await latest(tx, subscriptionId)) };
  },
});

const cancel = route({
  effect: 'write',
  method: 'post',
  path: `${path}/cancel`,
  operationId: 'cancelRazorpaySubscription',
  tag: 'Payments',
  scope: 'billing:write',
  summary: 'Let Razorpay collect no more',
  description:
    'The subscription itself goes on; its next periods are charged to the card of the customer, if there is one. Until Razorpay has confirmed the end, no card is charged.',
  params: subscriptionParams,
  body: emptyBody,
  responses: {
    202: {
      description: 'Razorpay is being told.',
      schema: razorpaySubscription,
      example: { ...exampleRazorpaySubscription, endRequestedAt: '2026-12-10T09:00:00.000Z' },
    },
  },
  problems: ['state_conflict'],
  handler: async ({ tx, deps, caller: { tenantId, actor }, now, params: { subscriptionId } }) => {
    await readSubscription(tx, subscriptionId);
    await lockSubscription(tx, subscriptionId);
    const { id: entityId, status } = await latest(tx, subscriptionId);
    if (isEnded(status)) throw alreadyEnded(status);
    await endRazorpaySubscription(tx, { subscriptionId, reason: 'requested', at: now });
    await writeAudit(tx, {
      tenantId,
      actor,
      action: 'razorpay_subscription.cancelled',
      entityType: 'razorpay_subscription',
      entityId,
      details: { subscriptionId },
      at: now,
    });
    return { status: 202, body: toBody(deps, await latest(tx, subscriptionId)) };
  },
});

const confirm = route({
  effect: 'write',
  method: 'post',
  path: `${path}/confirm`,
  operationId: 'confirmRazorpaySubscription',
  tag: 'Payments',
  scope: 'billing:write',
  summary: 'Hand in what the checkout answered',
  description:
    'The signature proves that the customer has authorised it; Razorpay is asked right away instead of waiting for the webhook. That it collects is said by the Razorpay subscription, not by this answer.',
  params: subscriptionParams,
  body: checkoutAnswer,
  responses: {
    202: {
      description: 'Razorpay is being asked.',
      schema: razorpaySubscription,
      example: exampleRazorpaySubscription,
    },
  },
  problems: ['invalid_checkout_signature'],
  handler: async ({ tx, deps, caller: { tenantId }, params: { subscriptionId }, body }) => {
    const row = await latest(tx, subscriptionId);
    const { externalId } = row;
    const callback = { ...body, subscriptionId: externalId ?? '' };
    if (externalId === null || !isCheckoutGenuine(callback, deps.config.razorpay.keySecret)) {
      throw notGenuine();
    }
    const envelope = razorpayCollectionEvent(externalId, null);
    const [outboxId] = await appendOutbox(tx, tenantId, [envelope], { leaseSeconds: LEASE_SECONDS });
    if (outboxId === undefined) throw new Error('An inserted outbox row was not returned');
    const answer = { status: 202, body: toBody(deps, row) } as const;
    return { ...answer, delivery: { outboxId, envelope, delivered: answer } };
  },
});

export const razorpaySubscriptionRoutes: readonly Route[] = [create, read, cancel, confirm];

/** Longer than the API tries; then the relay takes over. */
const LEASE_SECONDS = 5;

/** Throws 404. */
async function latest(tx: Tx, subscriptionId: string): Promise<RazorpaySubscriptionRow> {
  const row = await latestRazorpaySubscription(tx, subscriptionId);
  if (row === null) throw neverAsked(subscriptionId);
  return row;
}

/** The process runs while somebody waits for it; who asks at the same time waits for the same try. */
async function place(
  { deps: { temporal }, updateId }: ActContext,
  { id: razorpaySubscriptionId, tenantId, customerId }: RazorpaySubscriptionRow,
): Promise<void> {
  const input: RazorpaySubscriptionInput = { tenantId, razorpaySubscriptionId };
  await withinTime(temporal, () =>
    temporal.workflow.executeUpdateWithStart(placeSubscriptionUpdate, {
      updateId,
      startWorkflowOperation: new WithStartWorkflowOperation(razorpaySubscriptionWorkflowType, {
        workflowId: razorpaySubscriptionWorkflowId(razorpaySubscriptionId),
        taskQueue: taskQueues.billing,
        args: [input],
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: 'Make a subscription at Razorpay',
        typedSearchAttributes: toSearchAttributePairs({
          TenantId: tenantId,
          CustomerId: customerId,
          EntityId: razorpaySubscriptionId,
        }),
      }),
    }),
  );
}

function toBody(
  { config }: Pick<ApiDependencies, 'config'>,
  row: RazorpaySubscriptionRow,
): RazorpaySubscriptionBody {
  const { id, subscriptionId, customerId, externalId, status, amountMinor, currency, shortUrl } = row;
  const isOffered = status === 'created' && externalId !== null && row.endRequestedAt === null;
  return {
    id,
    subscriptionId,
    customerId,
    externalId,
    status,
    amountMinor,
    currency,
    startsAt: row.startsAt?.toISOString() ?? null,
    authorization: isOffered ? { shortUrl, key: config.razorpay.keyId, subscription_id: externalId } : null,
    requestedAt: row.requestedAt.toISOString(),
    endRequestedAt: row.endRequestedAt?.toISOString() ?? null,
    endedAt: row.endedAt?.toISOString() ?? null,
    endReason: row.endReason,
    failureCode: row.failureCode,
  };
}

function neverAsked(subscriptionId: string): Problem {
  return new Problem({
    code: 'not_found',
    reason: 'razorpay_subscription_not_found',
    detail: `Nobody has asked Razorpay to collect subscription ${subscriptionId}.`,
  });
}

function notMade({ failureCode }: RazorpaySubscriptionRow): Problem {
  return new Problem({
    code: 'state_conflict',
    reason: failureCode ?? 'refused_by_vendor',
    detail: 'Razorpay made no such subscription; reason says why.',
  });
}

function alreadyEnded(status: string): Problem {
  return new Problem({
    code: 'state_conflict',
    reason: `razorpay_subscription_${status}`,
    detail: 'Razorpay does not collect this subscription any more; there is nothing to end.',
  });
}

function notGenuine(): Problem {
  return new Problem({
    code: 'invalid_checkout_signature',
    detail: 'The signature does not belong to this subscription and this payment; nothing was changed.',
  });
}

/** The coupon of a subscription: put on it, taken off it. It counts from the next period that is billed. */
import { applyCoupon, removeCoupon } from '../../db/queries/billing/coupons.ts';
import {
  announceSubscription,
  lockSubscription,
  type SubscriptionContext,
} from '../../db/queries/billing/subscriptions.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { type Route, route, type WriteContext } from '../route.ts';
import { emptyBody } from '../schemas.ts';
import { readSubscription } from './ask-subscription.ts';
import { couponApplication } from './coupons.schemas.ts';
import { subscriptionReplay } from './subscription-answer.ts';
import { toSubscription } from './subscription-body.ts';
import {
  exampleSubscription,
  type SubscriptionBody,
  subscription,
  subscriptionParams,
} from './subscriptions.schemas.ts';

const apply = route({
  effect: 'write',
  method: 'post',
  path: '/v1/subscriptions/{subscriptionId}/apply_coupon',
  operationId: 'applyCoupon',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'Redeem a coupon',
  description: 'It takes the place of a coupon that is there. Invoices that were issued stay as they are.',
  params: subscriptionParams,
  body: couponApplication,
  example: { couponCode: 'SPRING-20' },
  responses: {
    200: { description: 'The subscription with it.', schema: subscription, example: exampleSubscription },
  },
  problems: ['state_conflict', 'currency_mismatch'],
  handler: async (context) => {
    const { tx, now, params, body } = context;
    const before = await lockSubscription(tx, params.subscriptionId);
    const after = await applyCoupon(tx, before, { code: body.couponCode, at: now });
    return { status: 200, body: await tell(context, after, 'subscription.coupon_applied') };
  },
  replay: subscriptionReplay,
});

const remove = route({
  effect: 'write',
  method: 'post',
  path: '/v1/subscriptions/{subscriptionId}/remove_coupon',
  operationId: 'removeCoupon',
  tag: 'Subscriptions',
  scope: 'billing:write',
  summary: 'Take the coupon off',
  description: 'The next period costs its full price.',
  params: subscriptionParams,
  body: emptyBody,
  responses: {
    200: { description: 'The subscription without it.', schema: subscription, example: exampleSubscription },
  },
  problems: ['state_conflict'],
  handler: async (context) => {
    const { tx, now, params } = context;
    const before = await lockSubscription(tx, params.subscriptionId);
    const after = await removeCoupon(tx, before, now);
    return { status: 200, body: await tell(context, after, 'subscription.coupon_removed') };
  },
  replay: subscriptionReplay,
});

export const subscriptionCouponRoutes: readonly Route[] = [apply, remove];

/** The row has changed beside its process, which is told in the same transaction. */
async function tell(
  { tx, deps, caller: { tenantId, actor }, now }: WriteContext,
  after: SubscriptionContext,
  action: string,
): Promise<SubscriptionBody> {
  const { id, discount } = after.subscription;
  await announceSubscription(tx, after);
  await writeAudit(tx, {
    tenantId,
    actor,
    action,
    entityType: 'subscription',
    entityId: id,
    ...(discount !== null && { details: { code: discount.code } }),
    at: now,
  });
  return toSubscription(deps, await readSubscription(tx, id));
}

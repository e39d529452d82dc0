/** Orders at Razorpay: ask for one for an invoice, see how it stands, and hand in what the checkout answered. */
import { WithStartWorkflowOperation } from '@temporalio/client';
import { findInvoice } from '../../db/queries/billing/read-invoices.ts';
import { appendOutbox } from '../../db/queries/operations/outbox.ts';
import { noteAuthorized } from '../../db/queries/payments/book-order.ts';
import { knownPayment, type OrderRow } from '../../db/queries/payments/current-order.ts';
import { findOrder, readOrder, requestOrder } from '../../db/queries/payments/razorpay-orders.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';
import { isCheckoutGenuine } from '../../integrations/razorpay/verify-checkout.ts';
import {
  placeOrderUpdate,
  type RazorpayOrderInput,
  razorpayOrderWorkflowId,
  razorpayOrderWorkflowType,
} from '../../workflows/payments/razorpay-order.contract.ts';
import { razorpayPaymentEvent } from '../../workflows/payments/razorpay-payment.contract.ts';
import { toSearchAttributePairs } from '../../workflows/search-attributes.ts';
import { invoiceParams } from '../billing/invoices.schemas.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { notFound, Problem } from '../problem.ts';
import { type ActContext, type Route, route } from '../route.ts';
import { emptyBody } from '../schemas.ts';
import { withinTime } from '../within-time.ts';
import { refuseWithoutRazorpay } from './razorpay-configured.ts';
import {
  checkoutAnswer,
  exampleOrder,
  orderParams,
  type RazorpayOrderBody,
  razorpayOrder,
} from './razorpay-orders.schemas.ts';

const create = route({
  effect: 'act',
  method: 'post',
  path: '/v1/invoices/{invoiceId}/razorpay_orders',
  operationId: 'createRazorpayOrder',
  tag: 'Payments',
  scope: 'billing:write',
  summary: 'Let the customer pay an open invoice at Razorpay',
  description:
    'Answers what Razorpay Checkout needs. An invoice has one order for the amount that is due: asked for again, the same one is answered. Refused unless the invoice is open, and while a card is being charged for it.',
  params: invoiceParams,
  body: emptyBody,
  responses: {
    201: {
      description: 'The order; it can be paid.',
      schema: razorpayOrder,
      example: exampleOrder,
      links: {
        GetRazorpayOrder: {
          operationId: 'getRazorpayOrder',
          parameters: { orderId: '$response.body#/id' },
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
    async look({ tx, deps, caller: { actor }, now, params: { invoiceId } }) {
      if ((await findInvoice(tx, invoiceId)) === null) throw notFound('invoice', invoiceId);
      refuseWithoutRazorpay(deps);
      return requestOrder(tx, { invoiceId, actor, at: now });
    },
    async act(context, order) {
      if (order.status === 'creating') await placeOrder(context, order);
      return order.id;
    },
    async answer({ tx, deps }, orderId) {
      const order = await readOrder(tx, orderId);
      if (order.status === 'closed') throw notMade(order);
      return toOrder(deps, order);
    },
  },
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/razorpay_orders/{orderId}',
  operationId: 'getRazorpayOrder',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'Read an order at Razorpay',
  params: orderParams,
  responses: { 200: { description: 'The order.', schema: razorpayOrder, example: exampleOrder } },
  handler: async ({ tx, deps, params: { orderId } }) => {
    const order = await findOrder(tx, orderId);
    if (order === null) throw notFound('razorpay order', orderId);
    return { status: 200, body: toOrder(deps, order) };
  },
});

const confirm = route({
  effect: 'write',
  method: 'post',
  path: '/v1/razorpay_orders/{orderId}/confirm',
  operationId: 'confirmRazorpayOrder',
  tag: 'Payments',
  scope: 'billing:write',
  summary: 'Hand in what the checkout answered',
  description:
    'The signature proves that the payment was authorised; the order is looked at right away instead of waiting for the webhook. That the money is here is said by the order, not by this answer.',
  params: orderParams,
  body: checkoutAnswer,
  responses: {
    202: { description: 'Razorpay is being asked.', schema: razorpayOrder, example: exampleOrder },
  },
  problems: ['invalid_checkout_signature'],
  handler: async ({ tx, deps, caller: { tenantId }, now, params: { orderId }, body }) => {
    const known = await findOrder(tx, orderId);
    if (known === null) throw notFound('razorpay order', orderId);
    const { externalId } = known;
    const callback = { ...body, orderId: externalId ?? '' };
    if (externalId === null || !isCheckoutGenuine(callback, deps.config.razorpay.keySecret)) {
      throw notGenuine();
    }
    const order = await noteAuthorized(tx, { orderId, paymentId: body.paymentId, at: now });
    const envelope = razorpayPaymentEvent(externalId, null);
    const [outboxId] = await appendOutbox(tx, tenantId, [envelope], { leaseSeconds: LEASE_SECONDS });
    if (outboxId === undefined) throw new Error('An inserted outbox row was not returned');
    const answer = { status: 202, body: toOrder(deps, order) } as const;
    return { ...answer, delivery: { outboxId, envelope, delivered: answer } };
  },
});

export const razorpayOrderRoutes: readonly Route[] = [create, read, confirm];

/** Longer than the API tries; then the relay takes over. */
const LEASE_SECONDS = 5;

/** The process runs while somebody waits for the order; who asks at the same time waits for the same try. */
async function placeOrder(
  { deps: { temporal }, updateId }: ActContext,
  { id: orderId, tenantId, customerId }: OrderRow,
): Promise<void> {
  const input: RazorpayOrderInput = { tenantId, orderId };
  await withinTime(temporal, () =>
    temporal.workflow.executeUpdateWithStart(placeOrderUpdate, {
      updateId,
      startWorkflowOperation: new WithStartWorkflowOperation(razorpayOrderWorkflowType, {
        workflowId: razorpayOrderWorkflowId(orderId),
        taskQueue: taskQueues.billing,
        args: [input],
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: 'Place an order at Razorpay',
        typedSearchAttributes: toSearchAttributePairs({
          TenantId: tenantId,
          CustomerId: customerId,
          EntityId: orderId,
        }),
      }),
    }),
  );
}

function toOrder({ config }: Pick<ApiDependencies, 'config'>, order: OrderRow): RazorpayOrderBody {
  const { id, invoiceId, customerId, status, amountMinor, currency, externalId, failureCode } = order;
  const { keyId: key } = config.razorpay;
  const isPayable = status === 'open' && externalId !== null;
  return {
    id,
    invoiceId,
    customerId,
    status,
    amountMinor,
    currency,
    checkout: isPayable ? { key, order_id: externalId, amount: amountMinor, currency } : null,
    payment: knownPayment(order),
    requestedAt: order.requestedAt.toISOString(),
    closedAt: order.closedAt?.toISOString() ?? null,
    failureCode,
  };
}

function notMade({ failureCode }: OrderRow): Problem {
  return new Problem({
    code: 'state_conflict',
    reason: failureCode ?? 'order_closed',
    detail: 'The order was not made, or cannot be paid any more; reason says why.',
  });
}

function notGenuine(): Problem {
  return new Problem({
    code: 'invalid_checkout_signature',
    detail: 'The signature does not belong to this order and this payment; nothing was changed.',
  });
}

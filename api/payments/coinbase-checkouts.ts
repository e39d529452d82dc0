/** Checkouts at Coinbase: ask for one for an invoice, and see how it stands. */
import { WithStartWorkflowOperation } from '@temporalio/client';
import { findInvoice } from '../../db/queries/billing/read-invoices.ts';
import { findCheckout, readCheckout, requestCheckout } from '../../db/queries/payments/coinbase-checkouts.ts';
import type { CheckoutRow } from '../../db/queries/payments/current-checkout.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';
import {
  type CoinbaseCheckoutInput,
  coinbaseCheckoutWorkflowId,
  coinbaseCheckoutWorkflowType,
  placeCheckoutUpdate,
} from '../../workflows/payments/coinbase-checkout.contract.ts';
import { toSearchAttributePairs } from '../../workflows/search-attributes.ts';
import { invoiceParams } from '../billing/invoices.schemas.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { notFound, Problem } from '../problem.ts';
import { type ActContext, type Route, route } from '../route.ts';
import { emptyBody } from '../schemas.ts';
import { withinTime } from '../within-time.ts';
import { workflowUrl } from '../workflow-url.ts';
import {
  type CoinbaseCheckoutBody,
  checkoutParams,
  coinbaseCheckout,
  exampleCheckout,
} from './coinbase-checkouts.schemas.ts';

const create = route({
  effect: 'act',
  method: 'post',
  path: '/v1/invoices/{invoiceId}/coinbase_checkouts',
  operationId: 'createCoinbaseCheckout',
  tag: 'Payments',
  scope: 'billing:write',
  summary: 'Let the customer pay an open invoice at Coinbase, in USDC',
  description:
    'Answers the page on which the customer pays. An invoice has one checkout for the amount that is due: asked for again before it expires, the same one is answered. Refused unless the invoice is open and in USD, and while it is being paid in another way.',
  params: invoiceParams,
  body: emptyBody,
  responses: {
    201: {
      description: 'The checkout; it can be paid.',
      schema: coinbaseCheckout,
      example: exampleCheckout,
      links: {
        GetCoinbaseCheckout: {
          operationId: 'getCoinbaseCheckout',
          parameters: { checkoutId: '$response.body#/id' },
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
      refuseWithoutCoinbase(deps);
      return requestCheckout(tx, { invoiceId, actor, at: now });
    },
    async act(context, checkout) {
      if (checkout.status === 'creating') await placeCheckout(context, checkout);
      return checkout.id;
    },
    async answer({ tx, deps }, checkoutId) {
      const checkout = await readCheckout(tx, checkoutId);
      if (checkout.closedAt !== null) throw notMade(checkout);
      return toCheckout(deps, checkout);
    },
  },
});

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/coinbase_checkouts/{checkoutId}',
  operationId: 'getCoinbaseCheckout',
  tag: 'Payments',
  scope: 'billing:read',
  summary: 'Read a checkout at Coinbase',
  params: checkoutParams,
  responses: { 200: { description: 'The checkout.', schema: coinbaseCheckout, example: exampleCheckout } },
  handler: async ({ tx, deps, params: { checkoutId } }) => {
    const checkout = await findCheckout(tx, checkoutId);
    if (checkout === null) throw notFound('coinbase checkout', checkoutId);
    return { status: 200, body: toCheckout(deps, checkout) };
  },
});

export const coinbaseCheckoutRoutes: readonly Route[] = [create, read];

/** Who asks at the same time waits for the same try. The process goes on to watch what it has made. */
async function placeCheckout(
  { deps: { temporal }, updateId }: ActContext,
  { id: checkoutId, tenantId, customerId }: CheckoutRow,
): Promise<void> {
  const input: CoinbaseCheckoutInput = { checkoutId };
  await withinTime(temporal, () =>
    temporal.workflow.executeUpdateWithStart(placeCheckoutUpdate, {
      updateId,
      startWorkflowOperation: new WithStartWorkflowOperation(coinbaseCheckoutWorkflowType, {
        workflowId: coinbaseCheckoutWorkflowId(checkoutId),
        taskQueue: taskQueues.billing,
        args: [input],
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: 'Watch a checkout at Coinbase',
        typedSearchAttributes: toSearchAttributePairs({
          TenantId: tenantId,
          CustomerId: customerId,
          EntityId: checkoutId,
        }),
      }),
    }),
  );
}

/** Throws `state_conflict`. */
function refuseWithoutCoinbase({ config }: Pick<ApiDependencies, 'config'>): void {
  if (config.coinbase.enabled) return;
  throw new Problem({
    code: 'state_conflict',
    reason: 'coinbase_not_configured',
    detail:
      'This installation takes no payments by Coinbase; set COINBASE_BUSINESS_KEY_NAME and COINBASE_BUSINESS_PRIVATE_KEY.',
  });
}

function toCheckout(deps: ApiDependencies, checkout: CheckoutRow): CoinbaseCheckoutBody {
  const { id, invoiceId, customerId, provider, status, amountMinor, currency, received } = checkout;
  const { transactionId, failureCode } = checkout;
  const isPayable = provider === 'business' && status === 'active' && checkout.closedAt === null;
  const hasProcess = provider === 'business' && checkout.askedAt !== null;
  return {
    id,
    invoiceId,
    customerId,
    provider,
    status,
    amountMinor,
    currency,
    url: isPayable ? checkout.url : null,
    expiresAt: checkout.expiresAt?.toISOString() ?? null,
    received,
    transactionId,
    requestedAt: checkout.requestedAt.toISOString(),
    closedAt: checkout.closedAt?.toISOString() ?? null,
    failureCode,
    links: { temporal: hasProcess ? workflowUrl(deps, coinbaseCheckoutWorkflowId(id)) : null },
  };
}

function notMade({ failureCode, status }: CheckoutRow): Problem {
  return new Problem({
    code: 'state_conflict',
    reason: failureCode ?? status,
    detail: 'The checkout was not made, or cannot be paid any more; reason says why.',
  });
}

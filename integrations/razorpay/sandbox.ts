/**
 * Razorpay on this machine: a stateful stand-in the real SDK talks to. It keeps orders, payments and refunds, knows
 * idempotency keys of refunds alone, as Razorpay, signs and sends webhooks, injects faults on request, and keeps its own
 * record of every effect outside our database. Development, the demo and the tests run on it; control routes stand in for the checkout.
 */
import { createControlRoutes } from '../sandbox/control-routes.ts';
import { createSandboxControl, openSandboxCore, type SandboxControl } from '../sandbox/core.ts';
import { type HttpRequest, jsonAnswer, serve } from '../sandbox/http.ts';
import { overviewRoute } from '../sandbox/overview-page.ts';
import { vendorId } from '../sandbox/random.ts';
import { VendorRefusal, type VendorRules } from '../sandbox/vendor.ts';
import { createVendorRoutes, type RequestLog } from '../sandbox/vendor-api.ts';
import { createWebhookSender } from '../sandbox/webhooks.ts';
import { openObjects, type RazorpayContext } from './sandbox/context.ts';
import { createRazorpayControl, type RazorpayControl } from './sandbox/control.ts';
import { razorpayControlRoutes } from './sandbox/control-routes.ts';
import { disputeOperations } from './sandbox/disputes.ts';
import { errorAnswer, rateLimited, razorpayFailures } from './sandbox/errors.ts';
import { postEvent } from './sandbox/events.ts';
import { orderOperations } from './sandbox/orders.ts';
import { type RazorpayOperation, readParams } from './sandbox/params.ts';
import { paymentOperations } from './sandbox/payments.ts';
import { planOperations } from './sandbox/plans.ts';
import { checkRefundKey, REFUND_KEY_HEADER, refundOperations } from './sandbox/refunds.ts';
import { subscriptionOperations } from './sandbox/subscriptions.ts';

export type RazorpaySandboxOptions = {
  /** 0 takes a free port. */
  port: number;
  /** The key it lets in; the secret signs what the checkout hands out. */
  keyId: string;
  keySecret: string;
  /** Where state and effect log are kept; in memory only when absent. */
  stateDir?: string;
  webhook?: { url: string; secret: string };
  log?: RequestLog;
};

export type RazorpaySandbox = SandboxControl &
  RazorpayControl & {
    url: string;
    close(): Promise<void>;
  };

/** Starts the sandbox; with a `stateDir` it goes on where an earlier one stopped. */
export async function startRazorpaySandbox({
  port,
  keyId,
  keySecret,
  stateDir,
  webhook,
  log: requestLog,
}: RazorpaySandboxOptions): Promise<RazorpaySandbox> {
  const core = openSandboxCore({ vendor: 'razorpay', stateDir });
  const { store, clock, log, faults } = core;
  const objects = openObjects(store);
  const webhooks = createWebhookSender({
    store,
    events: objects.events,
    faults,
    subjectOf: ({ subjectId }) => subjectId,
    post: postEvent,
  });
  const context: RazorpayContext = { ...objects, clock, keySecret, deliver: webhooks.deliver };
  const operations = [
    orderOperations,
    paymentOperations,
    refundOperations,
    planOperations,
    subscriptionOperations,
    disputeOperations,
  ].flatMap((make) => make(context));
  const rules = razorpayRules(operations, { keyId, keySecret }, () => faults.plan().retryAfterSeconds);
  const common = createSandboxControl(core);
  const actions = createRazorpayControl({ context, log, webhooks, commit: () => store.commit() });

  const server = await serve({
    port,
    routes: [
      ...createVendorRoutes(operations, { ...core, rules, requestLog }),
      overviewRoute(core, { vendor: 'Razorpay' }),
      ...createControlRoutes(core, common),
      ...razorpayControlRoutes(actions),
    ],
    fallback: unknownUrl,
  });
  if (webhook !== undefined) actions.setWebhookEndpoint(webhook);
  webhooks.resume();

  return {
    ...common,
    ...actions,
    url: server.url,
    close: () => {
      webhooks.close();
      return server.close();
    },
  };
}

function razorpayRules(
  operations: RazorpayOperation[],
  key: { keyId: string; keySecret: string },
  retryAfterSeconds: () => number,
): VendorRules<unknown> {
  const schemas = new Map(operations.map(({ op, params }) => [op, params]));
  return {
    newRequestId: () => vendorId('req'),
    headers: (requestId) => ({ 'request-id': requestId }),
    authenticate: (request) => authenticate(request, key),
    readParams: (op, request) => {
      const schema = schemas.get(op);
      if (!schema) throw new RangeError(`No operation ${op}`);
      if (op === 'refunds.create') checkRefundKey(request);
      return readParams(schema, request);
    },
    keyHeader: (op) => (op === 'refunds.create' ? REFUND_KEY_HEADER : null),
    replayHeaders: {},
    remembersServerErrors: false,
    failures: { ...razorpayFailures, rateLimited: () => rateLimited(retryAfterSeconds()) },
  };
}

function authenticate(
  { headers }: HttpRequest,
  { keyId, keySecret }: { keyId: string; keySecret: string },
): void {
  const expected = `Basic ${Buffer.from(`${keyId}:${keySecret}`).toString('base64')}`;
  if (headers.authorization === expected) return;
  throw new VendorRefusal(errorAnswer(401, 'Authentication failed', { reason: 'authentication_failed' }));
}

function unknownUrl() {
  const { status, body } = errorAnswer(404, 'The requested URL was not found on the server.');
  return jsonAnswer(status, body);
}

/**
 * Stripe on this machine: a stateful stand-in the real SDK talks to. It keeps customers, cards, payments,
 * refunds, disputes and taxes, honours idempotency keys as Stripe does, signs and sends webhooks, injects faults on request, and
 * keeps its own record of every effect outside our database. Development, the demo and the tests run on it.
 */
import { createControlRoutes } from '../sandbox/control-routes.ts';
import { createSandboxControl, openSandboxCore, type SandboxControl } from '../sandbox/core.ts';
import { type HttpRequest, jsonAnswer, serve } from '../sandbox/http.ts';
import { overviewRoute } from '../sandbox/overview-page.ts';
import { vendorId } from '../sandbox/random.ts';
import { VendorRefusal, type VendorRules } from '../sandbox/vendor.ts';
import { createVendorRoutes, type RequestLog } from '../sandbox/vendor-api.ts';
import { createWebhookSender } from '../sandbox/webhooks.ts';
import { authenticationLinks, authenticationRoutes } from './sandbox/authentication-page.ts';
import { chargeOperations } from './sandbox/charges.ts';
import { openObjects, type StripeContext } from './sandbox/context.ts';
import { createStripeControl, type StripeControl } from './sandbox/control.ts';
import { stripeControlRoutes } from './sandbox/control-routes.ts';
import { customerOperations } from './sandbox/customers.ts';
import { disputeOperations } from './sandbox/disputes.ts';
import { errorAnswer, rateLimited, stripeFailures } from './sandbox/errors.ts';
import { eventOperations } from './sandbox/events.ts';
import { readParams, type StripeOperation } from './sandbox/params.ts';
import { paymentIntentOperations } from './sandbox/payment-intents.ts';
import { paymentMethodOperations } from './sandbox/payment-methods.ts';
import { refundOperations } from './sandbox/refunds.ts';
import { setupIntentOperations } from './sandbox/setup-intents.ts';
import { taxCalculationOperations } from './sandbox/tax-calculations.ts';
import { taxTransactionOperations } from './sandbox/tax-transactions.ts';
import { postEvent, subjectOf } from './sandbox/webhook-post.ts';

export type StripeSandboxOptions = {
  /** 0 takes a free port. */
  port: number;
  /** Where state and effect log are kept; in memory only when absent. */
  stateDir?: string;
  webhookUrl?: string;
  webhookSecret?: string;
  log?: RequestLog;
};

export type StripeSandbox = SandboxControl &
  StripeControl & {
    url: string;
    close(): Promise<void>;
  };

/** Starts the sandbox; with a `stateDir` it goes on where an earlier one stopped. */
export async function startStripeSandbox({
  port,
  stateDir,
  webhookUrl,
  webhookSecret = 'whsec_sandbox',
  log: requestLog,
}: StripeSandboxOptions): Promise<StripeSandbox> {
  const core = openSandboxCore({ vendor: 'stripe', stateDir });
  const { store, clock, log, faults } = core;
  const objects = openObjects(store);
  const webhooks = createWebhookSender({ store, events: objects.events, faults, subjectOf, post: postEvent });
  const commit = () => store.commit();

  let url = '';
  const context: StripeContext = { ...objects, clock, url: () => url, deliver: webhooks.deliver };
  const operations = [
    customerOperations,
    paymentMethodOperations,
    setupIntentOperations,
    paymentIntentOperations,
    chargeOperations,
    refundOperations,
    disputeOperations,
    taxCalculationOperations,
    taxTransactionOperations,
    eventOperations,
  ].flatMap((makeOperations) => makeOperations(context));
  const rules = stripeRules(operations, () => faults.plan().retryAfterSeconds);
  const common = createSandboxControl(core);
  const actions = createStripeControl({ context, log, webhooks, commit });

  const server = await serve({
    port,
    routes: [
      ...createVendorRoutes(operations, { ...core, rules, requestLog }),
      overviewRoute(core, {
        vendor: 'Stripe',
        waiting: {
          heading: 'Payments that wait for the customer',
          links: () => authenticationLinks(context),
        },
      }),
      ...authenticationRoutes(context, log, commit),
      ...createControlRoutes(core, common),
      ...stripeControlRoutes(actions),
    ],
    fallback: unknownUrl,
  });
  url = server.url;
  if (webhookUrl !== undefined) actions.setWebhookEndpoint({ url: webhookUrl, secret: webhookSecret });
  webhooks.resume();

  return {
    ...common,
    ...actions,
    url,
    close: () => {
      webhooks.close();
      return server.close();
    },
  };
}

function stripeRules(operations: StripeOperation[], retryAfterSeconds: () => number): VendorRules<unknown> {
  const schemas = new Map(operations.map(({ op, params }) => [op, params]));
  return {
    newRequestId: () => vendorId('req'),
    headers: (requestId) => ({ 'request-id': requestId, 'stripe-version': '2026-10-28.endive' }),
    authenticate,
    readParams: (op, request) => {
      const schema = schemas.get(op);
      if (!schema) throw new RangeError(`No operation ${op}`);
      return readParams(schema, request);
    },
    keyHeader: () => 'idempotency-key',
    replayHeaders: { 'idempotent-replayed': 'true' },
    remembersServerErrors: true,
    failures: { ...stripeFailures, rateLimited: () => rateLimited(retryAfterSeconds()) },
  };
}

function authenticate({ headers }: HttpRequest): void {
  const key = /^Bearer (.*)$/.exec(headers.authorization ?? '')?.[1];
  if (key !== undefined && /^(sk|rk)_test_\w+$/.test(key)) return;
  const message =
    key === undefined
      ? 'You did not provide an API key. You need to provide your API key in the Authorization header.'
      : `Invalid API Key provided: ${key.slice(0, 8)}****`;
  throw new VendorRefusal(errorAnswer(401, { type: 'invalid_request_error', message }));
}

function unknownUrl({ method, path }: HttpRequest) {
  const { status, body } = errorAnswer(404, {
    type: 'invalid_request_error',
    message: `Unrecognized request URL (${method}: ${path}).`,
  });
  return jsonAnswer(status, body);
}

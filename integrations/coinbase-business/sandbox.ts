/**
 * Coinbase Business on this machine: a stateful stand-in that the real client talks to. It keeps checkouts, lets in only
 * bearers that were signed for the request, honours idempotency keys, signs and sends webhooks, injects faults on request,
 * and keeps its own record of every effect outside our database. Development, the demo and the tests run on it; control
 * routes stand in for the customer at the checkout and for the dashboard.
 */
import { createControlRoutes } from '../sandbox/control-routes.ts';
import { createSandboxControl, openSandboxCore, type SandboxControl } from '../sandbox/core.ts';
import { jsonAnswer, serve } from '../sandbox/http.ts';
import { overviewRoute } from '../sandbox/overview-page.ts';
import { vendorId } from '../sandbox/random.ts';
import type { VendorRules } from '../sandbox/vendor.ts';
import { createVendorRoutes, type RequestLog } from '../sandbox/vendor-api.ts';
import { createWebhookSender } from '../sandbox/webhooks.ts';
import { checkBearer } from './sandbox/bearer.ts';
import { type CoinbaseOperation, checkoutOperations, readParams } from './sandbox/checkouts.ts';
import { type CoinbaseContext, errorAnswer, openObjects } from './sandbox/context.ts';
import { type CoinbaseControl, coinbaseControlRoutes, createCoinbaseControl } from './sandbox/control.ts';
import { postEvent } from './sandbox/events.ts';
import { type ApiKey, readApiKey } from './token.ts';

export type CoinbaseSandboxOptions = {
  /** 0 takes a free port. */
  port: number;
  /** The key it lets in. */
  keyName: string;
  privateKey: string;
  /** Where state and effect log are kept; in memory only when absent. */
  stateDir?: string;
  webhook?: { url: string; secret: string };
  log?: RequestLog;
};

export type CoinbaseSandbox = SandboxControl &
  CoinbaseControl & {
    url: string;
    close(): Promise<void>;
  };

/** Starts the sandbox; with a `stateDir` it goes on where an earlier one stopped. */
export async function startCoinbaseSandbox({
  port,
  keyName: name,
  privateKey,
  stateDir,
  webhook,
  log: requestLog,
}: CoinbaseSandboxOptions): Promise<CoinbaseSandbox> {
  const core = openSandboxCore({ vendor: 'coinbase', stateDir });
  const { store, clock, log, faults } = core;
  const objects = openObjects(store);
  const webhooks = createWebhookSender({
    store,
    events: objects.events,
    faults,
    subjectOf: ({ checkout }) => checkout.id,
    post: postEvent,
  });
  const context: CoinbaseContext = { ...objects, clock, deliver: webhooks.deliver };
  const operations = checkoutOperations(context);
  const rules = rulesOf(operations, readApiKey({ name, privateKey }), () => faults.plan().retryAfterSeconds);
  const common = createSandboxControl(core);
  const actions = createCoinbaseControl({ context, log, webhooks, commit: () => store.commit() });

  const server = await serve({
    port,
    routes: [
      ...createVendorRoutes(operations, { ...core, rules, requestLog }),
      overviewRoute(core, { vendor: 'Coinbase' }),
      ...createControlRoutes(core, common),
      ...coinbaseControlRoutes(actions),
    ],
    fallback: () => {
      const { status, body } = errorAnswer(404, 'not_found', 'Not found');
      return jsonAnswer(status, body);
    },
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

function rulesOf(
  operations: readonly CoinbaseOperation[],
  key: ApiKey,
  retryAfterSeconds: () => number,
): VendorRules<unknown> {
  const schemas = new Map(operations.map(({ op, params }) => [op, params]));
  return {
    newRequestId: () => vendorId('req'),
    headers: (requestId) => ({ 'x-request-id': requestId }),
    authenticate: (request) => checkBearer(request, key),
    readParams: (op, request) => {
      const schema = schemas.get(op);
      if (!schema) throw new RangeError(`No operation ${op}`);
      return readParams(schema, request);
    },
    keyHeader: () => 'x-idempotency-key',
    replayHeaders: {},
    remembersServerErrors: false,
    failures: {
      serverError: () => errorAnswer(500, 'internal_server_error', 'An internal server error occurred'),
      unavailable: () => errorAnswer(503, 'service_unavailable', 'The service is unavailable'),
      rateLimited: () => ({
        ...errorAnswer(429, 'rate_limit_exceeded', 'Rate limit exceeded'),
        headers: { 'retry-after': String(retryAfterSeconds()) },
      }),
      otherRequestUnderKey: () =>
        errorAnswer(422, 'idempotency_error', 'The idempotency key was used with another request'),
      keyInFlight: () => errorAnswer(409, 'already_exists', 'A request with this key is being processed'),
    },
  };
}

/**
 * Plaid on this machine: a stateful stand-in that the real SDK talks to. It keeps Items with a log of what changed on their
 * accounts and answers from cursors into it, requires logins, signs webhooks with a key that it shows, injects faults on
 * request, and keeps its own record of every effect outside our database. Development, the demo and the tests run on it;
 * control routes stand in for the bank, and for the person at Link.
 */
import { createControlRoutes } from '../sandbox/control-routes.ts';
import { createSandboxControl, openSandboxCore, type SandboxControl } from '../sandbox/core.ts';
import { type HttpRequest, jsonAnswer, serve } from '../sandbox/http.ts';
import { overviewRoute } from '../sandbox/overview-page.ts';
import type { VendorRules } from '../sandbox/vendor.ts';
import { createVendorRoutes, type RequestLog } from '../sandbox/vendor-api.ts';
import { createWebhookSender } from '../sandbox/webhooks.ts';
import { openObjects, type PlaidContext, type PlaidEvent } from './sandbox/context.ts';
import { createPlaidControl, type PlaidControl } from './sandbox/control.ts';
import { plaidControlRoutes } from './sandbox/control-routes.ts';
import { errorAnswer, newRequestId, refusal } from './sandbox/errors.ts';
import { plaidEventTypes, postEvent } from './sandbox/events.ts';
import { itemOperations } from './sandbox/items.ts';
import { bodyOf, type PlaidOperation, readParams } from './sandbox/params.ts';
import { sandboxOperations } from './sandbox/sandbox-endpoints.ts';
import { transactionOperations } from './sandbox/transactions.ts';

export type PlaidSandboxOptions = {
  /** 0 takes a free port. */
  port: number;
  /** The credentials it lets in. */
  clientId: string;
  secret: string;
  /** Where state and effect log are kept; in memory only when absent. */
  stateDir?: string;
  log?: RequestLog;
};

export type PlaidSandbox = SandboxControl &
  PlaidControl & {
    url: string;
    close(): Promise<void>;
  };

/** Starts the sandbox; with a `stateDir` it goes on where an earlier one stopped. */
export async function startPlaidSandbox({
  port,
  clientId,
  secret,
  stateDir,
  log: requestLog,
}: PlaidSandboxOptions): Promise<PlaidSandbox> {
  const core = openSandboxCore({ vendor: 'plaid', stateDir });
  const { store, clock, log, faults } = core;
  const objects = openObjects(store);
  const webhooks = createWebhookSender<PlaidEvent>({
    store,
    events: objects.events,
    faults,
    subjectOf: ({ itemId }) => itemId,
    post: (endpoint, event, forged) => postEvent({ keys: objects.keys, clock }, endpoint, event, forged),
  });
  // Every Item names where its events go; an endpoint that is set by hand takes those of all.
  webhooks.setEndpoint({ url: '', secret: 'none', events: plaidEventTypes });
  const context: PlaidContext = { ...objects, clock, deliver: webhooks.deliver };
  const operations = operationsOf(context);
  const rules = rulesOf(operations, { clientId, secret });
  const common = createSandboxControl(core);
  const actions = createPlaidControl({ context, log, webhooks, commit: () => store.commit() });
  const reset = () => {
    context.failures.length = 0;
    common.reset();
  };

  const server = await serve({
    port,
    routes: [
      ...createVendorRoutes(operations, { ...core, rules, requestLog }),
      overviewRoute(core, { vendor: 'Plaid' }),
      ...createControlRoutes(core, { ...common, reset }),
      ...plaidControlRoutes(actions),
    ],
    fallback: () => {
      const { status, body } = errorAnswer('NOT_FOUND');
      return jsonAnswer(status, body);
    },
  });
  webhooks.resume();

  return {
    ...common,
    ...actions,
    reset,
    url: server.url,
    close: () => {
      webhooks.close();
      return server.close();
    },
  };
}

/** An error that was asked for comes before anything is done. */
function operationsOf(context: PlaidContext): PlaidOperation[] {
  const all = [...itemOperations(context), ...transactionOperations(context), ...sandboxOperations(context)];
  return all.map((operation) => ({
    ...operation,
    run: (request) => {
      const scripted = context.failures.find(
        ({ op, times }) => times > 0 && (op === null || op === operation.op),
      );
      if (scripted !== undefined && scripted.after > 0) scripted.after -= 1;
      else if (scripted) {
        scripted.times -= 1;
        throw refusal(scripted.error);
      }
      return operation.run(request);
    },
  }));
}

function rulesOf(
  operations: readonly PlaidOperation[],
  credentials: { clientId: string; secret: string },
): VendorRules<unknown> {
  const schemas = new Map(operations.map(({ op, params }) => [op, params]));
  return {
    newRequestId,
    headers: (requestId) => ({ 'plaid-request-id': requestId }),
    authenticate: (request) => authenticate(request, credentials),
    readParams: (op, request) => {
      const schema = schemas.get(op);
      if (!schema) throw new RangeError(`No operation ${op}`);
      return readParams(schema, request);
    },
    keyHeader: () => null,
    replayHeaders: {},
    remembersServerErrors: false,
    failures: {
      serverError: () => errorAnswer('INTERNAL_SERVER_ERROR'),
      unavailable: () => errorAnswer('INTERNAL_SERVER_ERROR'),
      rateLimited: () => errorAnswer('TRANSACTIONS_LIMIT'),
      // Plaid knows no idempotency keys.
      otherRequestUnderKey: () => errorAnswer('INTERNAL_SERVER_ERROR'),
      keyInFlight: () => errorAnswer('INTERNAL_SERVER_ERROR'),
    },
  };
}

/** In headers or in the body; headers first. */
function authenticate(
  request: HttpRequest,
  { clientId, secret }: { clientId: string; secret: string },
): void {
  const body = (bodyOf(request) ?? {}) as { client_id?: unknown; secret?: unknown };
  const givenId = request.headers['plaid-client-id'] ?? body.client_id;
  const givenSecret = request.headers['plaid-secret'] ?? body.secret;
  if (givenId === undefined || givenSecret === undefined) {
    throw refusal('MISSING_FIELDS', 'the following required fields are missing: client_id, secret');
  }
  if (givenId !== clientId || givenSecret !== secret) throw refusal('INVALID_API_KEYS');
}

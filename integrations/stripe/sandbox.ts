/**
 * Stripe on this machine: a stateful stand-in the real SDK talks to. It keeps customers, cards, payments and
 * refunds, honours idempotency keys as Stripe does, signs and sends webhooks, injects faults on request, and
 * keeps its own record of every effect outside our database. Development, the demo and the tests run on it.
 */
import { join } from 'node:path';
import { createClock, type SandboxClock } from '../sandbox/clock.ts';
import {
  type ControlParts,
  createCallCounter,
  createControlRoutes,
  resetSandbox,
} from '../sandbox/controls.ts';
import { type Effect, openEffectLog } from '../sandbox/effect-log.ts';
import { createFaults, type FaultPlanInput } from '../sandbox/faults.ts';
import { type HttpRequest, jsonAnswer, serve } from '../sandbox/http.ts';
import { createIdempotencyKeys } from '../sandbox/idempotency.ts';
import { vendorId } from '../sandbox/random.ts';
import { openStore } from '../sandbox/store.ts';
import { createVendorRoutes, VendorRefusal, type VendorRules } from '../sandbox/vendor-api.ts';
import { authenticationRoutes } from './sandbox/authentication-page.ts';
import { chargeOperations } from './sandbox/charges.ts';
import { openObjects, type StripeContext } from './sandbox/context.ts';
import { createStripeControl, type StripeControl } from './sandbox/control.ts';
import { stripeControlRoutes } from './sandbox/control-routes.ts';
import { customerOperations } from './sandbox/customers.ts';
import { errorAnswer, rateLimited, stripeFailures } from './sandbox/errors.ts';
import { eventOperations } from './sandbox/events.ts';
import { readParams, type StripeOperation } from './sandbox/params.ts';
import { paymentIntentOperations } from './sandbox/payment-intents.ts';
import { paymentMethodOperations } from './sandbox/payment-methods.ts';
import { refundOperations } from './sandbox/refunds.ts';
import { createWebhookSender } from './sandbox/webhooks.ts';

export type StripeSandboxOptions = {
  /** 0 takes a free port. */
  port: number;
  /** Where state and effect log are kept; in memory only when absent. */
  stateDir?: string;
  webhookUrl?: string;
  webhookSecret?: string;
  log?: { debug(fields: object, message: string): void };
};

export type StripeSandbox = StripeControl & {
  url: string;
  clock: Pick<SandboxClock, 'now' | 'set' | 'advance'>;
  /** Every mutating request and what it did. */
  effects(): Effect[];
  /** The effects by which money was taken, one for each successful charge. */
  charges(): Effect[];
  /** How often each operation was called, reads included. */
  calls(): Record<string, number>;
  /** Replaces the fault plan; `{}` ends all faults. */
  setFaults(plan: FaultPlanInput): void;
  /** Forgets idempotency keys, as Stripe does after 24 hours. */
  forgetIdempotencyKeys(): void;
  /** Forgets everything but the webhook endpoint. */
  reset(): void;
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
  const store = openStore({ path: stateDir && join(stateDir, 'state.jsonl') });
  const clock = createClock(store);
  const log = openEffectLog({
    vendor: 'stripe',
    path: stateDir && join(stateDir, 'effects.jsonl'),
    now: clock.now,
  });
  const faults = createFaults();
  const calls = createCallCounter();
  const keys = createIdempotencyKeys({ store, clock });
  const objects = openObjects(store);
  const webhooks = createWebhookSender({ store, events: objects.events, faults });
  const commit = () => store.commit();

  let url = '';
  const context: StripeContext = { ...objects, clock, url: () => url, deliver: webhooks.deliver };
  const operations = [
    customerOperations,
    paymentMethodOperations,
    paymentIntentOperations,
    chargeOperations,
    refundOperations,
    eventOperations,
  ].flatMap((makeOperations) => makeOperations(context));
  const rules = stripeRules(operations, () => faults.plan().retryAfterSeconds);
  const countCall = (op: string) => {
    calls.count(op);
    requestLog?.debug({ op }, 'stripe sandbox was called');
  };
  const actions = createStripeControl({ context, log, webhooks, commit });
  const parts: ControlParts = { store, clock, log, faults, keys, calls };

  const server = await serve({
    port,
    routes: [
      ...createVendorRoutes(operations, { rules, store, log, faults, keys, countCall }),
      ...authenticationRoutes(context, log, commit),
      ...createControlRoutes(parts),
      ...stripeControlRoutes(actions),
    ],
    fallback: unknownUrl,
  });
  url = server.url;
  if (webhookUrl !== undefined) actions.setWebhookEndpoint({ url: webhookUrl, secret: webhookSecret });
  webhooks.resume();

  return {
    ...actions,
    url,
    clock,
    effects: log.entries,
    charges: () => log.entries().filter(isChargeEffect),
    calls: calls.all,
    setFaults: (plan) => void faults.set(plan),
    forgetIdempotencyKeys: keys.forget,
    reset: () => resetSandbox(parts),
    close: () => {
      webhooks.close();
      return server.close();
    },
  };
}

/** Whether money was taken: an effect on a payment that has an amount. */
export function isChargeEffect({ op, outcome, amountMinor }: Effect): boolean {
  return outcome === 'effect' && amountMinor !== null && op.startsWith('payment_intents.');
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

/**
 * The world a story plays in: real Postgres, the real API, workflows on the time-skipping server, and the vendors
 * faked only at HTTP. A story moves the clock and then asserts the complete list of what happened. Nothing moves
 * beside the story: the relay and the vendors' webhooks run when the world settles, so every run is the same.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { asc } from 'drizzle-orm';
import pino from 'pino';
import { createActivities } from '../../activities/index.ts';
import { createSendNotification } from '../../activities/messaging/notification.ts';
import { createApi } from '../../api/app.ts';
import { loadConfig } from '../../config/env.ts';
import { createDatabase, type Database, withSystem, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { caseState, findOpenCase } from '../../db/queries/billing/dunning-cases.ts';
import { lockSubscription, snapshotOf } from '../../db/queries/billing/subscriptions.ts';
import { createApiKey } from '../../db/queries/tenants/api-keys.ts';
import { dunningPolicies, plans, subscriptionEvents, subscriptions } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { inboxEvents } from '../../db/schema/operations.ts';
import { tenants } from '../../db/schema/tenants.ts';
import { defaultDunningPolicies, nextStep } from '../../domain/billing/dunning.ts';
import { defaultSubscriptionPolicy } from '../../domain/billing/plan.ts';
import { nextAct } from '../../domain/billing/subscription.ts';
import { formatMoney } from '../../domain/money.ts';
import { createResendMailer } from '../../integrations/resend/client.ts';
import { type ResendSandbox, startResendSandbox } from '../../integrations/resend/sandbox.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';
import { createRelay, type Relay } from '../../workers/relay.ts';
import { createTaskQueueWorkers, type TaskQueueWorkers } from '../../workers/task-queue-workers.ts';
import { bundleWorkflows } from '../../workers/workflow-bundle.ts';
import { dunningWorkflowId } from '../../workflows/billing/dunning.contract.ts';
import { subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
import { cardPaymentWorkflowId } from '../../workflows/payments/card-payment.contract.ts';
import { createTestDatabase } from '../support/database.ts';
import { timeSkippingServerPath } from '../support/services.ts';
import { restOf } from './idle.ts';

export type World = {
  tenantId: string;
  db: Database;
  client: Client;
  stripe: StripeSandbox;
  resend: ResendSandbox;
  relay: Relay;
  /** Business time now. */
  now(): Date;
  /** A request to the API with a scope for everything; every POST and PUT carries a key of its own unless one is given. */
  request(method: string, path: string, options?: { body?: unknown; key?: string }): Promise<Answer>;
  /** The same, for a request that must succeed. */
  ok<T = Record<string, any>>(method: string, path: string, body?: unknown): Promise<T>;
  /** Moves time, stopping at every date on which something is due. */
  advance(by: { days?: number; hours?: number; minutes?: number }): Promise<void>;
  advanceTo(instant: string): Promise<void>;
  /** Lets everything that has been set in motion come to rest. */
  settle(): Promise<void>;
  /** Workers stop; what comes due meanwhile waits. */
  stopWorkers(): Promise<void>;
  startWorkers(): Promise<void>;
  /** Everything that happened to the outside and to subscriptions, in order: charges, mails, timeline. */
  effects(): Promise<string[]>;
  close(): Promise<void>;
};

export type Answer = { status: number; body: any; headers: Headers };

/** Opens a world whose clock shows `startsAt` (in the future of the real clock). */
export async function createWorld({
  startsAt,
  timeZone = 'UTC',
}: {
  startsAt?: string;
  timeZone?: string;
} = {}): Promise<World> {
  const log = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' });
  const config = loadConfig({ NODE_ENV: 'test' });
  const database = await createTestDatabase();
  const db = createDatabase({ url: database.url });
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: timeSkippingServerPath() } },
  });
  await registerSearchAttributes(env);

  let offsetMs = 0;
  const now = () => new Date(Date.now() + offsetMs);
  const readClock = async () => {
    offsetMs = (await env.currentTimeMs()) - Date.now();
  };
  await readClock();

  const stripe = await startStripeSandbox({ port: 0, webhookSecret: config.stripe.webhookSecrets[0] ?? '' });
  stripe.setFaults({ webhooks: { hold: true } });
  const resend = await startResendSandbox({ port: 0 });
  const cardVendor = createStripeCardVendor({
    secretKey: 'sk_test_story',
    apiBase: stripe.url,
    returnUrl: 'http://portal.test/thanks',
  });
  const mailer = createResendMailer({
    apiKey: 're_story',
    baseUrl: resend.url,
    from: 'Acme <billing@acme.test>',
  });
  const relay = createRelay({
    db,
    listen: async () => ({ close: async () => {} }),
    client: env.client,
    sendNotification: createSendNotification({ db, mailer, log }),
    log,
  });
  const activities = createActivities({ db, cardVendor, log, drainOutbox: () => relay.drainOnce() });
  const workflowBundle = await bundleWorkflows({ log });

  let workers: TaskQueueWorkers | null = null;
  let running: Promise<unknown> = Promise.resolve();
  const startWorkers = async () => {
    workers = await createTaskQueueWorkers({
      connection: env.nativeConnection,
      namespace: env.client.options.namespace,
      dataConverter: {},
      workflowBundle,
      activities,
    });
    running = Promise.all(Object.values(workers).map((worker) => worker.run()));
  };
  const stopWorkers = async () => {
    for (const worker of Object.values(workers ?? {})) worker.shutdown();
    await running;
    workers = null;
  };
  await startWorkers();

  const { tenantId, token } = await seed(db, timeZone);
  const api = createApi({ db, temporal: env.client, log, config, clock: now }).listen(0, '127.0.0.1');
  await once(api, 'listening');
  const base = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  stripe.setWebhookEndpoint({
    url: `${base}/webhooks/stripe`,
    secret: config.stripe.webhookSecrets[0] ?? '',
  });

  const settle = async () => {
    let calm = 0;
    for (let round = 0; calm < 2; round += 1) {
      if (round > 2_000) throw new Error('The world does not come to rest');
      await stripe.flushWebhooks();
      const delivered = await relay.drainOnce();
      const rests = workers === null ? [] : await restsOf(env.client, await workflowIds(db, tenantId));
      if (rests.includes('retrying') && !rests.includes('busy')) await env.sleep('2 seconds');
      calm = delivered === 0 && !rests.includes('busy') && !rests.includes('retrying') ? calm + 1 : 0;
    }
    await readClock();
  };

  const advanceTo = async (instant: string) => {
    await settle();
    const target = Date.parse(instant);
    for (let hops = 0; now().getTime() < target; hops += 1) {
      if (hops > 5_000) throw new Error(`The world hangs at ${now().toISOString()}`);
      const due = workers === null ? null : await nextWake(db, tenantId, now());
      const until = Math.min(target, due === null ? target : Math.max(due + 50, now().getTime() + 50));
      stripe.clock.set(new Date(until));
      await env.sleep(Math.max(1, until - now().getTime()));
      await readClock();
      await settle();
    }
  };

  const request: World['request'] = async (method, path, { body, key = randomUUID() } = {}) => {
    stripe.clock.set(now());
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(method !== 'GET' && { 'idempotency-key': key }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const answer = {
      status: response.status,
      body: text === '' ? null : JSON.parse(text),
      headers: response.headers,
    };
    await settle();
    return answer;
  };

  const world: World = {
    tenantId,
    db,
    client: env.client,
    stripe,
    resend,
    relay,
    now,
    request,
    async ok(method, path, body) {
      const answer = await request(method, path, { body });
      if (answer.status >= 300)
        throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body;
    },
    advance: ({ days = 0, hours = 0, minutes = 0 }) =>
      advanceTo(new Date(now().getTime() + ((days * 24 + hours) * 60 + minutes) * 60_000).toISOString()),
    advanceTo,
    settle,
    startWorkers,
    stopWorkers,
    effects: () => listEffects(db, tenantId, stripe),
    async close() {
      await stopWorkers();
      api.close();
      await stripe.close();
      await resend.close();
      await db.close();
      await env.teardown();
      await database.drop();
    },
  };
  if (startsAt !== undefined) await advanceTo(startsAt);
  return world;
}

async function registerSearchAttributes(env: TestWorkflowEnvironment): Promise<void> {
  const keyword = 2;
  const datetime = 6;
  await env.connection.operatorService.addSearchAttributes({
    namespace: env.client.options.namespace,
    searchAttributes: {
      TenantId: keyword,
      CustomerId: keyword,
      EntityId: keyword,
      Status: keyword,
      PeriodEnd: datetime,
    },
  });
}

/** A tenant with the default policies and plans of every shape a story needs. */
async function seed(db: Database, timeZone: string): Promise<{ tenantId: string; token: string }> {
  const tenantId = newId('ten');
  const family = { family: 'books', policy: defaultSubscriptionPolicy, tenantId, currency: 'USD' };
  const month = { unit: 'month', count: 1 } as const;
  const short = { ...defaultSubscriptionPolicy, dunningPolicy: 'short_10' };
  const token = await withTenant(db, tenantId, async (tx) => {
    await tx
      .insert(tenants)
      .values({ id: tenantId, name: 'Acme Books', timeZone, portalUrl: 'http://portal.test/billing' });
    for (const policy of defaultDunningPolicies) {
      await tx.insert(dunningPolicies).values({ id: newId('dpol'), tenantId, version: 1, ...policy });
    }
    await tx.insert(plans).values([
      { ...family, id: newId('plan'), code: 'free', name: 'Free', rank: 0, priceMinor: 0, interval: month },
      {
        ...family,
        id: newId('plan'),
        code: 'pro-monthly',
        name: 'Pro',
        rank: 10,
        priceMinor: 2900,
        interval: month,
      },
      {
        ...family,
        id: newId('plan'),
        code: 'pro-short',
        name: 'Pro',
        rank: 11,
        priceMinor: 2900,
        interval: month,
        policy: short,
      },
      {
        ...family,
        id: newId('plan'),
        code: 'pro-yearly',
        name: 'Pro yearly',
        rank: 12,
        priceMinor: 29_000,
        interval: { unit: 'year', count: 1 },
      },
      {
        ...family,
        id: newId('plan'),
        code: 'team-weekly',
        name: 'Team',
        family: 'team',
        rank: 10,
        priceMinor: 900,
        interval: { unit: 'week', count: 1 },
      },
    ]);
    const scopes = ['billing:read', 'billing:write', 'operations:read', 'operations:write'];
    return (await createApiKey(tx, { tenantId, name: 'story', scopes, expiresAt: null })).token;
  });
  return { tenantId, token };
}

async function workflowIds(db: Database, tenantId: string): Promise<string[]> {
  const rows = await withTenant(db, tenantId, (tx) =>
    tx.select({ id: subscriptions.id, customerId: subscriptions.customerId }).from(subscriptions),
  );
  const customers = new Set(rows.map((row) => row.customerId));
  const events = await withSystem(db, (tx) =>
    tx.select({ paymentId: inboxEvents.objectId }).from(inboxEvents),
  );
  const payments = new Set(events.flatMap(({ paymentId }) => (paymentId === null ? [] : [paymentId])));
  return [
    ...rows.map((row) => subscriptionWorkflowId(row.id)),
    ...[...customers].map(dunningWorkflowId),
    ...[...payments].map(cardPaymentWorkflowId),
  ];
}

async function restsOf(client: Client, ids: string[]): Promise<string[]> {
  return Promise.all(
    ids.map(async (id) => {
      try {
        return await restOf(client, id);
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return 'closed';
        throw error;
      }
    }),
  );
}

/** The next date on which a subscription or a dunning case has something to do. */
async function nextWake(db: Database, tenantId: string, now: Date): Promise<number | null> {
  const dates = await withTenant(db, tenantId, async (tx) => {
    const found: number[] = [];
    for (const { id, customerId } of await tx.select().from(subscriptions)) {
      const context = await lockSubscription(tx, id);
      const act = nextAct(snapshotOf(context), now.toISOString());
      if (act !== null) found.push(Date.parse(act.at));
      const open = await findOpenCase(tx, customerId);
      const step =
        open === null ? null : nextStep(await caseState(tx, context.tenant, open), now.toISOString());
      if (step !== null) found.push(Date.parse(step.at));
    }
    return found;
  });
  return dates.length === 0 ? null : Math.min(...dates);
}

async function listEffects(db: Database, tenantId: string, stripe: StripeSandbox): Promise<string[]> {
  const rows = await withTenant(db, tenantId, async (tx) => ({
    mails: await tx.select().from(notifications).orderBy(asc(notifications.id)),
    events: await tx.select().from(subscriptionEvents).orderBy(asc(subscriptionEvents.id)),
  }));
  const charges = stripe
    .effects()
    .filter(({ amountMinor, op }) => amountMinor !== null && op.startsWith('payment_intents.'))
    .map(({ at, amountMinor, currency, outcome }) => ({
      at: new Date(at),
      text: `charge ${formatMoney({ amountMinor: amountMinor ?? 0, currency: (currency ?? 'usd').toUpperCase() })} ${outcome}`,
    }));
  const mails = rows.mails.map(({ decidedAt, template, status }) => ({
    at: decidedAt,
    text: `mail ${template} ${status}`,
  }));
  const events = rows.events.map(({ at, kind }) => ({ at, text: kind }));
  return [...charges, ...events, ...mails]
    .sort((a, b) => minute(a.at).localeCompare(minute(b.at)))
    .map(({ at, text }) => `${minute(at)} ${text}`);
}

function minute(at: Date): string {
  return at.toISOString().slice(0, 16);
}

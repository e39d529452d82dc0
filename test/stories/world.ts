/**
 * The world a story plays in: real Postgres, the real API, workflows on the time-skipping server, and the vendors
 * faked only at HTTP. A story moves the clock and then asserts the complete list of what happened. Nothing moves
 * beside the story: the relay and the vendors' webhooks run when the world settles, so every run is the same.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Client } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Runtime } from '@temporalio/worker';
import { createRecordTax } from '../../activities/billing/tax-record.ts';
import { createActivities } from '../../activities/index.ts';
import { createSendNotification } from '../../activities/messaging/notification.ts';
import { createPostNotice } from '../../activities/messaging/operator-notice.ts';
import type { WatchedChain } from '../../activities/payments/chain-watcher.ts';
import { createApi } from '../../api/app.ts';
import { type LogLevel, loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import type { CoinbaseSandbox } from '../../integrations/coinbase-business/sandbox.ts';
import type { FrankfurterSandbox } from '../../integrations/frankfurter/sandbox.ts';
import { renderInvoicePdf } from '../../integrations/pdf/invoice-pdf.ts';
import type { PlaidSandbox } from '../../integrations/plaid/sandbox.ts';
import type { RazorpaySandbox } from '../../integrations/razorpay/sandbox.ts';
import { createResendMailer } from '../../integrations/resend/client.ts';
import { type ResendSandbox, startResendSandbox } from '../../integrations/resend/sandbox.ts';
import { createSlackChat } from '../../integrations/slack/client.ts';
import { type SlackSandbox, startSlackSandbox } from '../../integrations/slack/sandbox.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';
import { createRelay, type Relay } from '../../workers/relay.ts';
import { toSdkLogger } from '../../workers/runtime.ts';
import { createTaskQueueWorkers, type TaskQueueWorkers } from '../../workers/task-queue-workers.ts';
import { bundleWorkflows } from '../../workers/workflow-bundle.ts';
import { coinbaseWebhookSecret, startTestCoinbase } from '../support/coinbase.ts';
import { createTestDatabase } from '../support/database.ts';
import { startTestRates } from '../support/exchange-rates.ts';
import { startTestPlaid, testBanks } from '../support/plaid.ts';
import { razorpayWebhookSecret, startTestRazorpay } from '../support/razorpay.ts';
import { timeSkippingServerPath } from '../support/services.ts';
import { createTestStorage } from '../support/storage.ts';
import { testTaxEngine } from '../support/tax-engine.ts';
import { checkBooks } from './books.ts';
import { createStoryChain, localAccountKey, type StoryChain } from './chain.ts';
import { createStoryClock } from './clock.ts';
import { type EffectFilter, listEffects } from './effects.ts';
import { replayHistories } from './histories.ts';
import { createObserver } from './idle.ts';
import { createPace } from './pace.ts';
import { seedTenant } from './seed.ts';

export type World = {
  tenantId: string;
  db: Database;
  /** Connection of the database's owner, who sees every row. */
  adminUrl: string;
  client: Client;
  stripe: StripeSandbox;
  razorpay: RazorpaySandbox;
  coinbase: CoinbaseSandbox;
  plaid: PlaidSandbox;
  frankfurter: FrankfurterSandbox;
  resend: ResendSandbox;
  slack: SlackSandbox;
  relay: Relay;
  /** Business time now. */
  now(): Date;
  /** A request to the API with a scope for everything; every POST and PUT carries a key of its own unless one is given. */
  request(method: string, path: string, options?: { body?: unknown; key?: string }): Promise<Answer>;
  /** The same, for a request that must succeed: its body. */
  ok(method: string, path: string, body?: unknown): Promise<Body>;
  /** Moves time, stopping at every date on which something is due. */
  advance(by: { days?: number; hours?: number; minutes?: number }): Promise<void>;
  advanceTo(instant: string | Date): Promise<void>;
  /** Requests made inside happen side by side; the world settles once, at the end. */
  together<T>(work: () => Promise<T>): Promise<T>;
  /** Lets everything that has been set in motion come to rest. */
  settle(): Promise<void>;
  /** Workers stop; what comes due meanwhile waits. */
  stopWorkers(): Promise<void>;
  startWorkers(): Promise<void>;
  /** Faults of the card vendor. Its webhooks are held until the world settles, unless the plan says otherwise. */
  stripeFaults(plan: Parameters<StripeSandbox['setFaults']>[0]): void;
  /** While true, webhooks wait at the vendor, also when the world settles; `stripe.flushWebhooks(order)` sends them. */
  withholdWebhooks(withhold: boolean): void;
  /** What the workers watch by themselves, a fifth of a second in each run; nothing unless it is put in here. */
  watched: WatchedChain[];
  /** From now on a chain of Bitcoin is watched, and the tenant takes coins on it. Once in a world. */
  watchChain(): Promise<StoryChain>;
  /** Everything that happened to the outside and to subscriptions, in order: charges, timeline, mails. */
  effects(filter?: EffectFilter): Promise<string[]>;
  /** Ends the world, after its books have been checked and every history it left has been replayed. */
  close(): Promise<void>;
};

/** JSON of the API: a story asserts its shape, so its type is open. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Body = any;

export type Answer = { status: number; body: Body; headers: Headers };

/** Silent, because stories provoke failures; `LOG_LEVEL=warn` shows them. */
const log = createLogger({ name: 'story', level: (process.env['LOG_LEVEL'] ?? 'silent') as LogLevel });

/** Built once for all worlds of a file. */
let bundle: ReturnType<typeof bundleWorkflows> | undefined;

function prepareSdk(): NonNullable<typeof bundle> {
  Runtime.install({
    logger: toSdkLogger(log),
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
  });
  return bundleWorkflows({ log });
}

/** Opens a world whose clock shows `startsAt` (in the future of the real clock) at a tenant in `timeZone`. */
export async function createWorld({
  startsAt,
  timeZone = 'UTC',
  actingMs = 50,
  hasOutages = false,
}: {
  startsAt?: string;
  timeZone?: string;
  /**
   * Workers are to be stopped: then workflows are not kept in a worker's memory, because the test server would offer
   * their next tasks to that worker for ever.
   */
  hasOutages?: boolean;
  /** What falls due within this time after the first of it is done before the world looks, and delivers messages. */
  actingMs?: number;
} = {}): Promise<World> {
  bundle ??= prepareSdk();
  const workflowBundle = await bundle;
  const config = loadConfig({ NODE_ENV: 'test' });
  const database = await createTestDatabase();
  const db = createDatabase({ url: database.url });
  const env = await startTemporal();
  await registerSearchAttributes(env);
  const clock = await createStoryClock(env);

  const webhookSecret = config.stripe.webhookSecrets[0] ?? '';
  const stripe = await startStripeSandbox({ port: 0 });
  const stripeFaults: World['stripeFaults'] = (plan) =>
    stripe.setFaults({ ...plan, webhooks: { hold: true, ...plan.webhooks } });
  stripeFaults({});
  const { razorpay, orderVendor } = await startTestRazorpay();
  const { coinbase, checkoutProvider } = await startTestCoinbase();
  const { plaid } = await startTestPlaid();
  const { banks, feedKeys } = testBanks(plaid.url);
  const { frankfurter, exchangeRates } = await startTestRates();
  razorpay.setFaults({ webhooks: { hold: true } });
  coinbase.setFaults({ webhooks: { hold: true } });
  plaid.setFaults({ webhooks: { hold: true } });
  const resend = await startResendSandbox({ port: 0 });
  const slack = await startSlackSandbox({ port: 0 });
  const chatHosts = [new URL(slack.url).host];
  const taxEngine = testTaxEngine(stripe.url);
  const storage = createTestStorage();
  const relay = createRelay({
    db,
    listen: async () => ({ close: async () => {} }),
    client: env.client,
    sendNotification: createSendNotification({
      db,
      log,
      drawDocument: renderInvoicePdf,
      mailer: createResendMailer({
        apiKey: 're_story',
        baseUrl: resend.url,
        from: 'Acme <billing@acme.test>',
      }),
    }),
    postNotice: createPostNotice({
      db,
      chat: createSlackChat({ hosts: chatHosts }),
      encryption: config.encryption,
      log,
    }),
    recordTax: createRecordTax({ db, taxEngine, log }),
    log,
  });
  const watched: WatchedChain[] = [];
  const activities = createActivities({
    db,
    publicUrl: config.publicUrl,
    cardVendor: createStripeCardVendor({
      secretKey: 'sk_test_story',
      apiBase: stripe.url,
      returnUrl: 'http://portal.test/thanks',
    }),
    orderVendor,
    checkoutProvider,
    banks,
    taxEngine,
    exchangeRates,
    storage,
    log,
    drainOutbox: relay.drainOnce,
    chainWatching: { network: 'local', chains: watched, watchMs: 200 },
  });

  let workers: TaskQueueWorkers | null = null;
  let running: Promise<unknown> = Promise.resolve();
  const setVendorClocks = () => {
    for (const vendor of [stripe, razorpay, coinbase, plaid, frankfurter]) vendor.clock.set(clock.now());
  };
  const startWorkers = async () => {
    setVendorClocks();
    workers = await createTaskQueueWorkers({
      connection: env.nativeConnection,
      namespace: env.client.options.namespace,
      dataConverter: {},
      workflowBundle,
      activities,
      ...(hasOutages && { settings: { maxCachedWorkflows: 0 } }),
    });
    running = Promise.all(Object.values(workers).map((worker) => worker.run()));
  };
  const stopWorkers = async () => {
    for (const worker of Object.values(workers ?? {})) worker.shutdown();
    await running;
    workers = null;
  };
  await startWorkers();

  const { tenantId, token } = await seedTenant(db, timeZone);
  const api = createApi({
    db,
    temporal: env.client,
    taxEngine,
    banks,
    feedKeys,
    storage,
    log,
    config: { ...config, operatorChat: { ...config.operatorChat, hosts: chatHosts } },
    clock: clock.now,
  }).listen(0, '127.0.0.1');
  await once(api, 'listening');
  const base = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  stripe.setWebhookEndpoint({ url: `${base}/webhooks/stripe`, secret: webhookSecret });
  razorpay.setWebhookEndpoint({ url: `${base}/webhooks/razorpay`, secret: razorpayWebhookSecret });
  plaid.setWebhookEndpoint({ url: `${base}/webhooks/plaid`, secret: 'none' });
  coinbase.setWebhookEndpoint({ url: `${base}/webhooks/coinbase`, secret: coinbaseWebhookSecret });

  let chain: StoryChain | null = null;
  const observer = createObserver({ db, client: env.client, tenantId });
  const pace = createPace({
    db,
    clock,
    vendors: [stripe, razorpay, coinbase, plaid],
    relay,
    lookAtChains: async () => chain?.poll(),
    observer,
    workersRun: () => workers !== null,
    actingMs,
  });
  const { settle, advanceTo } = pace;
  let isTogether = false;

  const request: World['request'] = async (method, path, { body, key = randomUUID() } = {}) => {
    setVendorClocks();
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(!(body instanceof FormData) && { 'content-type': 'application/json' }),
        ...(method !== 'GET' && { 'idempotency-key': key }),
      },
      ...(body !== undefined && { body: body instanceof FormData ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    if (method !== 'GET' && !isTogether) await settle();
    return {
      status: response.status,
      body: text === '' ? null : JSON.parse(text),
      headers: response.headers,
    };
  };

  const world: World = {
    tenantId,
    db,
    adminUrl: database.adminUrl,
    client: env.client,
    stripe,
    razorpay,
    coinbase,
    plaid,
    frankfurter,
    resend,
    slack,
    relay,
    now: clock.now,
    request,
    async ok(method, path, body) {
      const answer = await request(method, path, { body });
      if (answer.status < 300) return answer.body;
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    },
    advance: ({ days = 0, hours = 0, minutes = 0 }) =>
      advanceTo(new Date(clock.now().getTime() + ((days * 24 + hours) * 60 + minutes) * 60_000)),
    advanceTo,
    async together(work) {
      isTogether = true;
      try {
        return await work();
      } finally {
        isTogether = false;
        await settle();
      }
    },
    settle,
    startWorkers,
    stopWorkers() {
      if (!hasOutages) throw new Error('This world was not told of outages');
      return stopWorkers();
    },
    stripeFaults,
    withholdWebhooks: pace.withholdWebhooks,
    watched,
    async watchChain() {
      if (chain !== null) throw new Error('This world watches its chain already');
      chain = await createStoryChain({ db, clock: clock.now, settle });
      await world.ok('POST', '/v1/crypto_accounts', { family: 'bitcoin', publicKey: localAccountKey() });
      return chain;
    },
    effects: (filter = {}) =>
      listEffects({ db, tenantId, stripe, razorpay, coinbase, resend, chain }, filter),
    async close() {
      try {
        await settle();
        await stopWorkers();
        await checkBooks({ db, tenantId, stripe, razorpay, coinbase, chain });
        await replayHistories({
          client: env.client,
          workflowIds: await observer.workflowIds(),
          workflowBundle,
        });
      } finally {
        await stopWorkers();
        api.close();
        const vendors = [stripe, razorpay, coinbase, plaid, frankfurter, resend, slack];
        await Promise.all([...vendors.map((vendor) => vendor.close()), db.close(), env.teardown()]);
        await database.drop();
      }
    },
  };
  if (startsAt !== undefined) await advanceTo(startsAt);
  return world;
}

/** On a busy machine the server can need longer to start than the SDK waits. */
async function startTemporal(triesLeft = 3): Promise<TestWorkflowEnvironment> {
  try {
    return await TestWorkflowEnvironment.createTimeSkipping({
      server: { executable: { type: 'existing-path', path: timeSkippingServerPath() } },
    });
  } catch (error) {
    if (triesLeft === 1) throw error;
    return startTemporal(triesLeft - 1);
  }
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

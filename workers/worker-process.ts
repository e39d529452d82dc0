/**
 * The composition root of the worker process: builds the real clients, hands them to the activities, and runs the
 * workers, the relay, the codec endpoint and the health endpoint until it is told to stop.
 * The servers it needs may come later or go away: it waits for Temporal at the start, and everything connects again
 * by itself. Until then `/readyz` says what is missing.
 */
import type { Client } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { createRecordTax } from '../activities/billing/tax-record.ts';
import { createActivities } from '../activities/index.ts';
import { createSendNotification } from '../activities/messaging/notification.ts';
import { createPostNotice } from '../activities/messaging/operator-notice.ts';
import type { ChainWatching } from '../activities/payments/chain-watcher.ts';
import { createPriceFeed } from '../activities/payments/crypto-prices.ts';
import { keepCryptoAlerts } from '../activities/payments/keep-crypto-alerts.ts';
import { keepPrices } from '../activities/payments/keep-prices.ts';
import type { Config } from '../config/env.ts';
import type { Logger } from '../config/logger.ts';
import { createDatabase, type Database } from '../db/client.ts';
import { createTokenSeal } from '../db/queries/payments/sealed-token.ts';
import { createCoinbaseCheckouts } from '../integrations/coinbase-business/client.ts';
import { createFrankfurterRates } from '../integrations/frankfurter/client.ts';
import { createPriceSources } from '../integrations/market-prices/sources.ts';
import { renderInvoicePdf } from '../integrations/pdf/invoice-pdf.ts';
import { createPlaidBankFeed } from '../integrations/plaid/client.ts';
import { createRazorpayOrderVendor } from '../integrations/razorpay/client.ts';
import { createResendMailer } from '../integrations/resend/client.ts';
import { createSlackChat } from '../integrations/slack/client.ts';
import { createStorage } from '../integrations/storage/storage.ts';
import { createStripeCardVendor } from '../integrations/stripe/client.ts';
import { createStripeTaxEngine } from '../integrations/stripe/tax.ts';
import { createEncryptionCodec } from '../temporal/codec.ts';
import { startCodecServer, webUiOrigins } from '../temporal/codec-server.ts';
import { createTemporalClient, type TemporalTarget, temporalTarget } from '../temporal/connection.ts';
import { createDataConverter } from '../temporal/data-converter.ts';
import { ensureNamespace } from '../temporal/namespace.ts';
import { reconcileSchedules } from '../temporal/schedules.ts';
import { connectWorkers, retryWhileAway } from '../temporal/worker-connection.ts';
import { composeChains, ensureChainWatchers } from './chains.ts';
import { startHealthServer } from './health.ts';
import { listenToOutbox } from './listen.ts';
import { createReadiness } from './readiness.ts';
import { createRelay } from './relay.ts';
import { installRuntime } from './runtime.ts';
import { watchSchedules } from './schedule-watch.ts';
import { createTaskQueueWorkers, type TaskQueueWorkers } from './task-queue-workers.ts';
import { loadWorkflowBundle } from './workflow-bundle.ts';

/** Returns after `signal` when everything has ended; throws when something fails for good. */
export async function runWorkerProcess({
  config,
  log,
  signal,
}: {
  config: Config;
  log: Logger;
  signal: AbortSignal;
}): Promise<void> {
  const { worker } = config;
  installRuntime({ log, metricsAddress: `${worker.host}:${worker.metricsPort}` });
  await using closing = new AsyncDisposableStack();

  const db = createDatabase({ url: config.database.url, max: DATABASE_CONNECTIONS });
  closing.defer(() => db.close());
  const dataConverter = createDataConverter(config.encryption);
  const target = temporalTarget(config.temporal);
  const client = createTemporalClient({ target, dataConverter });
  closing.defer(() => client.connection.close());

  const chainWatching = composeChains(config.chains);
  const { relay, activities } = compose({ config, db, client, log, chainWatching, stopping: signal });
  const schedules = watchSchedules({ db, log });
  closing.defer(() => schedules.stop());
  const running: { workers?: TaskQueueWorkers } = {};
  const readiness = createReadiness({ db, client, relay, schedules, workers: () => running.workers });
  const health = await startHealthServer({ readiness, port: worker.port, host: worker.host });
  closing.defer(() => health.close());
  const codec = await startCodecServer({
    codec: createEncryptionCodec(config.encryption),
    allowedOrigins: webUiOrigins(config.temporal.uiUrl),
    port: worker.codecPort,
    host: worker.host,
  });
  closing.defer(() => codec.close());

  relay.start();
  closing.defer(() => relay.stop());
  if (chainWatching.chains.length > 0) closing.defer(startCoins({ config, db, log, chainWatching }));
  try {
    await runWorkers({
      config,
      log,
      signal,
      target,
      client,
      dataConverter,
      activities,
      chainWatching,
      running,
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    const wasWaiting = error instanceof Error && error.name === 'AbortError';
    if (wasWaiting) log.info('stopped before Temporal was there');
    else log.warn({ err: error }, 'stopped before everything had ended');
  }
}

/** Coins can be paid with here, so their prices are wanted, and a word when something is wrong. Returns what ends it. */
function startCoins({
  config,
  db,
  log,
  chainWatching,
}: {
  config: Config;
  db: Database;
  log: Logger;
  chainWatching: ChainWatching;
}): () => Promise<void> {
  const sources = createPriceSources(config.marketPrices);
  const feed = createPriceFeed({ sources, log: log.child({ component: 'prices' }) });
  const stopping = new AbortController();
  const { signal } = stopping;
  const kept = Promise.all([
    keepPrices({ db, feed, log, signal }),
    keepCryptoAlerts({ db, chainWatching, log: log.child({ component: 'crypto-alerts' }), signal }),
  ]);
  return async () => {
    stopping.abort();
    await kept;
  };
}

/** Enough for the activities that run at once beside the relay; the rest wait in the pool's queue. */
const DATABASE_CONNECTIONS = 20;

function compose({
  config,
  db,
  client,
  log,
  ...watching
}: {
  config: Config;
  db: Database;
  client: Client;
  log: Logger;
  chainWatching: ChainWatching;
  stopping: AbortSignal;
}) {
  const cardVendor = createStripeCardVendor({
    secretKey: config.stripe.secretKey,
    apiBase: config.stripe.apiBase,
    returnUrl: `${config.publicUrl}/payments/return`,
    log,
  });
  const taxEngine = createStripeTaxEngine({
    secretKey: config.stripe.secretKey,
    apiBase: config.stripe.apiBase,
    log,
  });
  const { keyId, keySecret, apiBase } = config.razorpay;
  const orderVendor = createRazorpayOrderVendor({ keyId, keySecret, apiBase });
  const checkoutProvider = createCoinbaseCheckouts(config.coinbase);
  const banks = { feed: createPlaidBankFeed(config.plaid), tokenSeal: createTokenSeal(config.encryption) };
  const exchangeRates = createFrankfurterRates(config.frankfurter);
  const { apiKey, baseUrl, mailFrom } = config.resend;
  const mailer = createResendMailer({ apiKey, baseUrl, from: mailFrom });
  const relay = createRelay({
    db,
    client,
    log: log.child({ component: 'relay' }),
    listen: listenToOutbox(config.database.url),
    sendNotification: createSendNotification({ db, mailer, drawDocument: renderInvoicePdf, log }),
    postNotice: createPostNotice({
      db,
      chat: createSlackChat({ hosts: config.operatorChat.hosts }),
      encryption: config.encryption,
      log,
    }),
    recordTax: createRecordTax({ db, taxEngine, log }),
  });
  return {
    relay,
    activities: createActivities({
      db,
      publicUrl: config.publicUrl,
      cardVendor,
      orderVendor,
      checkoutProvider,
      banks,
      taxEngine,
      exchangeRates,
      storage: createStorage(config.storage),
      log,
      drainOutbox: relay.drainOnce,
      ...watching,
    }),
  };
}

/** Waits for Temporal, makes it fit for us, and runs the workers until `signal` or until one of them fails. */
async function runWorkers({
  config,
  log,
  signal,
  target,
  client,
  dataConverter,
  activities,
  chainWatching,
  running,
}: {
  config: Config;
  log: Logger;
  signal: AbortSignal;
  target: TemporalTarget;
  client: Client;
  dataConverter: DataConverter;
  activities: ReturnType<typeof createActivities>;
  chainWatching: ChainWatching;
  running: { workers?: TaskQueueWorkers };
}): Promise<void> {
  const [workflowBundle, connection] = await Promise.all([
    loadWorkflowBundle({ bundlePath: config.worker.bundlePath, log }),
    connectWorkers({ target, log, signal }),
  ]);
  await using closing = new AsyncDisposableStack();
  closing.defer(() => connection.close());

  await retryWhileAway({ log, signal }, () => ensureNamespace({ client, log }));
  const { namespace } = target;
  const workers = await retryWhileAway({ log, signal }, () =>
    createTaskQueueWorkers({
      connection,
      namespace,
      dataConverter,
      workflowBundle,
      activities,
      settings: config.worker,
    }),
  );
  const reconciled = await retryWhileAway({ log, signal }, () => reconcileSchedules(client));
  log.info(reconciled, 'schedules are as the manifest says');
  const watched = await retryWhileAway({ log, signal }, () => ensureChainWatchers(client, chainWatching));
  if (watched.length > 0) log.info({ watched, network: chainWatching.network }, 'chains are watched');
  signal.throwIfAborted();
  running.workers = workers;
  await runUntilStopped(workers, signal);
}

/** All stop together: a process that polls only some of its queues would look healthy and be half dead. */
async function runUntilStopped(workers: TaskQueueWorkers, signal: AbortSignal): Promise<void> {
  const all = Object.values(workers);
  const shutdown = () => {
    for (const worker of all) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  signal.addEventListener('abort', shutdown, { once: true });
  const runs = all.map(async (worker) => {
    try {
      await worker.run();
    } finally {
      shutdown();
    }
  });
  const failed = (await Promise.allSettled(runs)).find((run) => run.status === 'rejected');
  if (failed) throw failed.reason;
}

/**
 * The negative control: a worker as it must not be. It is composed like the real one, but its card vendor takes a
 * random idempotency key for every call and claims never to find an earlier charge. Nothing of this is in the product.
 */
import { randomUUID } from 'node:crypto';
import { createRecordTax } from '../../activities/billing/tax-record.ts';
import { createActivities } from '../../activities/index.ts';
import { createSendNotification } from '../../activities/messaging/notification.ts';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { createDatabase } from '../../db/client.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import { createCoinbaseCheckouts } from '../../integrations/coinbase-business/client.ts';
import { createFrankfurterRates } from '../../integrations/frankfurter/client.ts';
import { renderInvoicePdf } from '../../integrations/pdf/invoice-pdf.ts';
import { createRazorpayOrderVendor } from '../../integrations/razorpay/client.ts';
import { createResendMailer } from '../../integrations/resend/client.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import { createStripeTaxEngine } from '../../integrations/stripe/tax.ts';
import { createTemporalClient, temporalTarget } from '../../temporal/connection.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import { connectWorkers } from '../../temporal/worker-connection.ts';
import { startHealthServer } from '../../workers/health.ts';
import { listenToOutbox } from '../../workers/listen.ts';
import { createReadiness } from '../../workers/readiness.ts';
import { createRelay } from '../../workers/relay.ts';
import { installRuntime } from '../../workers/runtime.ts';
import { createTaskQueueWorkers } from '../../workers/task-queue-workers.ts';
import { loadWorkflowBundle } from '../../workers/workflow-bundle.ts';

const config = loadConfig();
const log = createLogger({ name: 'careless-worker', level: config.logLevel });
const { worker, resend } = config;
installRuntime({ log, metricsAddress: `${worker.host}:${worker.metricsPort}` });

const db = createDatabase({ url: config.database.url, max: 20 });
const dataConverter = createDataConverter(config.encryption);
const target = temporalTarget(config.temporal);
const client = createTemporalClient({ target, dataConverter });
const mailer = createResendMailer({ apiKey: resend.apiKey, baseUrl: resend.baseUrl, from: resend.mailFrom });
const taxEngine = createStripeTaxEngine({
  secretKey: config.stripe.secretKey,
  apiBase: config.stripe.apiBase,
});
const relay = createRelay({
  db,
  client,
  log,
  listen: listenToOutbox(config.database.url),
  postNotice: async () => {},
  sendNotification: createSendNotification({ db, mailer, drawDocument: renderInvoicePdf, log }),
  recordTax: createRecordTax({ db, taxEngine, log }),
});
const cardVendor = carelessly(
  createStripeCardVendor({
    secretKey: config.stripe.secretKey,
    apiBase: config.stripe.apiBase,
    returnUrl: `${config.publicUrl}/payments/return`,
    log,
  }),
);
const { keyId, keySecret, apiBase } = config.razorpay;
const orderVendor = createRazorpayOrderVendor({ keyId, keySecret, apiBase });
const workers = await createTaskQueueWorkers({
  connection: await connectWorkers({ target, log }),
  namespace: target.namespace,
  dataConverter,
  workflowBundle: await loadWorkflowBundle({ bundlePath: worker.bundlePath, log }),
  activities: createActivities({
    db,
    cardVendor,
    orderVendor,
    checkoutProvider: createCoinbaseCheckouts(config.coinbase),
    taxEngine,
    exchangeRates: createFrankfurterRates(config.frankfurter),
    log,
    drainOutbox: relay.drainOnce,
  }),
});
relay.start();
const readiness = createReadiness({
  db,
  client,
  relay,
  schedules: { look: async () => [] },
  workers: () => workers,
});
await startHealthServer({ readiness, port: worker.port, host: worker.host });
await Promise.all(Object.values(workers).map((each) => each.run()));

function carelessly(vendor: CardVendor): CardVendor {
  return {
    ...vendor,
    charge: (request) => vendor.charge({ ...request, idempotencyKey: randomUUID() }),
    findCharge: async () => null,
  };
}

/** The processes behind the API, for tests of what they answer: real workers on the dev server, Stripe's sandbox. */
import type { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { createRecordTax } from '../../activities/billing/tax-record.ts';
import { createActivities } from '../../activities/index.ts';
import type { ChainWatching } from '../../activities/payments/chain-watcher.ts';
import { createLogger } from '../../config/logger.ts';
import type { Database } from '../../db/client.ts';
import type { CoinbaseSandbox } from '../../integrations/coinbase-business/sandbox.ts';
import type { PlaidSandbox } from '../../integrations/plaid/sandbox.ts';
import type { RazorpaySandbox } from '../../integrations/razorpay/sandbox.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';
import { createRelay } from '../../workers/relay.ts';
import { createTaskQueueWorkers } from '../../workers/task-queue-workers.ts';
import { bundleWorkflows } from '../../workers/workflow-bundle.ts';
import { startTestCoinbase } from '../support/coinbase.ts';
import { startTestRates } from '../support/exchange-rates.ts';
import { startTestPlaid, testBanks } from '../support/plaid.ts';
import { startTestRazorpay } from '../support/razorpay.ts';
import { temporalAddress } from '../support/services.ts';
import { testTaxEngine } from '../support/tax-engine.ts';

export type Processes = {
  stripe: StripeSandbox;
  razorpay: RazorpaySandbox;
  coinbase: CoinbaseSandbox;
  plaid: PlaidSandbox;
  /** Delivers everything that is due in the outbox. */
  deliver(): Promise<number>;
  stop(): Promise<void>;
};

/** Workers for all task queues of the client's namespace, on this database. */
export async function startProcesses({
  db,
  temporal,
  plaid = null,
  chainWatching,
}: {
  db: Database;
  temporal: Client;
  /** Plaid, where the API was told of it first; it ends with the processes. */
  plaid?: PlaidSandbox | null;
  /** Chains whose nodes can be asked; without, there are none. */
  chainWatching?: ChainWatching;
}): Promise<Processes> {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
  });
  const log = createLogger({ name: 'test', level: 'silent' });
  const stripe = await startStripeSandbox({ port: 0 });
  const cardVendor = createStripeCardVendor({
    secretKey: 'sk_test_api',
    apiBase: stripe.url,
    returnUrl: 'https://portal.example/thanks',
  });
  const { razorpay, orderVendor } = await startTestRazorpay();
  const { coinbase, checkoutProvider } = await startTestCoinbase();
  const bank = plaid ?? (await startTestPlaid()).plaid;
  const { banks } = testBanks(bank.url);
  const taxEngine = testTaxEngine(stripe.url);
  const { frankfurter, exchangeRates } = await startTestRates();
  const relay = createRelay({
    db,
    client: temporal,
    listen: async () => ({ close: async () => {} }),
    sendNotification: async () => {},
    postNotice: async () => {},
    recordTax: createRecordTax({ db, taxEngine, log }),
    log,
  });
  const connection = await NativeConnection.connect({ address: temporalAddress() });
  const workers = Object.values(
    await createTaskQueueWorkers({
      connection,
      namespace: temporal.options.namespace,
      dataConverter: temporal.options.dataConverter,
      workflowBundle: await bundleWorkflows({ log }),
      activities: createActivities({
        db,
        cardVendor,
        orderVendor,
        checkoutProvider,
        banks,
        taxEngine,
        exchangeRates,
        log,
        drainOutbox: relay.drainOnce,
        ...(chainWatching && { chainWatching }),
      }),
    }),
  );
  const running = Promise.all(workers.map((worker) => worker.run()));
  return {
    stripe,
    razorpay,
    coinbase,
    plaid: bank,
    deliver: () => relay.drainOnce(),
    async stop() {
      for (const worker of workers) worker.shutdown();
      await running;
      await connection.close();
      await stripe.close();
      await razorpay.close();
      await coinbase.close();
      await bank.close();
      await frankfurter.close();
    },
  };
}

/**
 * The API process. It starts without Temporal and without a database: what needs them answers 503 until they are there.
 * A signal to stop lets requests that are under way finish.
 */
import { createServer, type Server } from 'node:http';
import { loadConfig } from '../config/env.ts';
import { createLogger } from '../config/logger.ts';
import { createDatabase } from '../db/client.ts';
import { createTokenSeal } from '../db/queries/payments/sealed-token.ts';
import { createPlaidBankFeed } from '../integrations/plaid/client.ts';
import { plaidVerificationKeys } from '../integrations/plaid/verify-keys.ts';
import { createStorage } from '../integrations/storage/storage.ts';
import { createStripeTaxEngine } from '../integrations/stripe/tax.ts';
import { createTemporalClient, temporalTarget } from '../temporal/connection.ts';
import { createDataConverter } from '../temporal/data-converter.ts';
import { createApi } from './app.ts';

const SHUTDOWN_MS = 25_000;
const KEEP_ALIVE_MS = 75_000;

const config = loadConfig();
const log = createLogger({ name: 'api', level: config.logLevel });
const db = createDatabase({ url: config.database.url });
const temporal = createTemporalClient({
  target: temporalTarget(config.temporal),
  dataConverter: createDataConverter(config.encryption),
});

const { secretKey, apiBase } = config.stripe;
const taxEngine = createStripeTaxEngine({ secretKey, apiBase, log });

const banks = { feed: createPlaidBankFeed(config.plaid), tokenSeal: createTokenSeal(config.encryption) };
const feedKeys = plaidVerificationKeys(config.plaid);

const storage = createStorage(config.storage);

const server = createServer(
  createApi({ db, temporal, banks, feedKeys, taxEngine, storage, log, config, clock: () => new Date() }),
);
// Longer than load balancers keep idle connections, so that they never use one we are just closing.
server.keepAliveTimeout = KEEP_ALIVE_MS;
server.once('error', (err) => {
  log.fatal({ err, port: config.api.port }, 'the API cannot listen; set API_PORT to another port');
  process.exit(1);
});
server.listen(config.api.port, config.api.host, () => {
  log.info({ host: config.api.host, port: config.api.port }, 'the API listens');
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void shutDown(signal));

/** Takes no new requests, finishes those under way, then closes what they used. */
async function shutDown(signal: string): Promise<void> {
  log.info({ signal }, 'the API stops');
  setTimeout(() => {
    log.error('requests did not finish in time');
    process.exit(1);
  }, SHUTDOWN_MS).unref();
  await closed(server);
  await db.close().catch((err: unknown) => log.warn({ err }, 'the database connections did not close'));
  log.info('the API has stopped');
  // The connection to Temporal ends with the process: closed earlier, a call that is still repeated would throw.
  process.exit(0);
}

function closed(listening: Server): Promise<void> {
  return new Promise((resolve) => {
    listening.close(() => resolve());
    listening.closeIdleConnections();
  });
}

/** Runs the Coinbase sandbox as a process of its own: `node integrations/coinbase-business/sandbox-main.ts`. */
import { join } from 'node:path';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { startCoinbaseSandbox } from './sandbox.ts';

const config = loadConfig();
const log = createLogger({ name: 'coinbase-sandbox', level: config.logLevel });
const { sandboxPort, keyName, privateKey, webhookSecrets } = config.coinbase;
const [secret = ''] = webhookSecrets;

const sandbox = await startCoinbaseSandbox({
  port: sandboxPort,
  keyName,
  privateKey,
  stateDir: join(config.home, 'coinbase-sandbox'),
  webhook: { url: `http://127.0.0.1:${config.api.port}/webhooks/coinbase`, secret },
  log,
});
log.info({ url: sandbox.url }, 'coinbase sandbox listens');

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void sandbox.close().then(() => process.exit(0));
  });
}

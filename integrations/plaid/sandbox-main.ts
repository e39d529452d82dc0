/** Runs the Plaid sandbox as a process of its own: `node integrations/plaid/sandbox-main.ts`. */
import { join } from 'node:path';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { startPlaidSandbox } from './sandbox.ts';

const config = loadConfig();
const log = createLogger({ name: 'plaid-sandbox', level: config.logLevel });
const { sandboxPort, clientId, secret } = config.plaid;

const sandbox = await startPlaidSandbox({
  port: sandboxPort,
  clientId,
  secret,
  stateDir: join(config.home, 'plaid-sandbox'),
  log,
});
log.info({ url: sandbox.url }, 'plaid sandbox listens');

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void sandbox.close().then(() => process.exit(0));
  });
}

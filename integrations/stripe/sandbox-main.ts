/** Runs the Stripe sandbox as a process of its own: `node integrations/stripe/sandbox-main.ts`. */
import { join } from 'node:path';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { startStripeSandbox } from './sandbox.ts';

const config = loadConfig();
const log = createLogger({ name: 'stripe-sandbox', level: config.logLevel });
const [webhookSecret] = config.stripe.webhookSecrets;

const sandbox = await startStripeSandbox({
  port: config.stripe.sandboxPort,
  stateDir: join(config.home, 'stripe-sandbox'),
  webhookUrl: `http://127.0.0.1:${config.api.port}/webhooks/stripe`,
  ...(webhookSecret === undefined ? {} : { webhookSecret }),
  log,
});
log.info({ url: sandbox.url }, 'stripe sandbox listens');

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void sandbox.close().then(() => process.exit(0));
  });
}

/** Runs the Razorpay sandbox as a process of its own: `node integrations/razorpay/sandbox-main.ts`. */
import { join } from 'node:path';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { startRazorpaySandbox } from './sandbox.ts';

const config = loadConfig();
const log = createLogger({ name: 'razorpay-sandbox', level: config.logLevel });
const { sandboxPort, keyId, keySecret, webhookSecrets } = config.razorpay;
const [secret = ''] = webhookSecrets;

const sandbox = await startRazorpaySandbox({
  port: sandboxPort,
  keyId,
  keySecret,
  stateDir: join(config.home, 'razorpay-sandbox'),
  webhook: { url: `http://127.0.0.1:${config.api.port}/webhooks/razorpay`, secret },
  log,
});
log.info({ url: sandbox.url }, 'razorpay sandbox listens');

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void sandbox.close().then(() => process.exit(0));
  });
}

/** Runs the Resend sandbox as a process of its own: `node integrations/resend/sandbox-main.ts`. */
import { join } from 'node:path';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { startResendSandbox } from './sandbox.ts';

const config = loadConfig();
const log = createLogger({ name: 'resend-sandbox', level: config.logLevel });

const sandbox = await startResendSandbox({
  port: config.resend.sandboxPort,
  stateDir: join(config.home, 'resend-sandbox'),
  log,
});
log.info({ url: sandbox.url }, 'resend sandbox listens');

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void sandbox.close().then(() => process.exit(0));
  });
}

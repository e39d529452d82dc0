/** Runs the Frankfurter sandbox as a process of its own: `node integrations/frankfurter/sandbox-main.ts`. */
import { join } from 'node:path';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { startFrankfurterSandbox } from './sandbox.ts';

const config = loadConfig();
const log = createLogger({ name: 'frankfurter-sandbox', level: config.logLevel });

const sandbox = await startFrankfurterSandbox({
  port: config.frankfurter.sandboxPort,
  stateDir: join(config.home, 'frankfurter-sandbox'),
  log,
});
log.info({ url: sandbox.url }, 'frankfurter sandbox listens');

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void sandbox.close().then(() => process.exit(0));
  });
}

/** Runs the Slack sandbox as a process of its own: `node integrations/slack/sandbox-main.ts`. */
import { join } from 'node:path';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { startSlackSandbox } from './sandbox.ts';

const config = loadConfig();
const log = createLogger({ name: 'slack-sandbox', level: config.logLevel });

const sandbox = await startSlackSandbox({
  port: config.operatorChat.sandboxPort,
  stateDir: join(config.home, 'slack-sandbox'),
  log,
});
log.info({ url: sandbox.url }, 'slack sandbox listens');

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void sandbox.close().then(() => process.exit(0));
  });
}

/**
 * The entry of the worker process. SIGTERM or SIGINT let it finish what it has in hand; it exits with a code other
 * than 0 when it cannot go on, so that its supervisor starts it again.
 */
import { ConfigError, loadConfig } from '../config/env.ts';
import { createLogger } from '../config/logger.ts';
import { runWorkerProcess } from './worker-process.ts';

const config = readConfig();
const log = createLogger({ name: 'workers', level: config.logLevel });
const stopping = new AbortController();

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log.info({ signal }, 'the workers stop');
    stopping.abort();
  });
}
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (err: unknown) => {
    log.fatal({ err }, 'the worker process has an error nobody handled');
    process.exit(1);
  });
}

try {
  await runWorkerProcess({ config, log, signal: stopping.signal });
  log.info('the workers have stopped');
  process.exit(0);
} catch (err) {
  log.fatal({ err }, 'the worker process cannot go on');
  process.exit(1);
}

function readConfig() {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

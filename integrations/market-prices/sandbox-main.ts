/** Runs the sandbox of market prices as a process of its own: `node integrations/market-prices/sandbox-main.ts`. */
import { join } from 'node:path';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { startMarketPricesSandbox } from './sandbox.ts';

const config = loadConfig();
const log = createLogger({ name: 'market-prices-sandbox', level: config.logLevel });

const sandbox = await startMarketPricesSandbox({
  port: config.marketPrices.sandboxPort,
  stateDir: join(config.home, 'market-prices-sandbox'),
  log,
});
log.info({ url: sandbox.url }, 'sandbox of market prices listens');

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void sandbox.close().then(() => process.exit(0));
  });
}

/** The operations of the API's OpenAPI document, as `METHOD /path`. Needs no server to be there. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createApi } from '../../api/app.ts';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { createDatabase } from '../../db/client.ts';
import { createStorage } from '../../integrations/storage/storage.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import { noBanks } from '../support/plaid.ts';
import { noTaxEngine } from '../support/tax-engine.ts';

export async function describedOperations(): Promise<string[]> {
  const config = loadConfig({ NODE_ENV: 'test' });
  const db = createDatabase({ url: 'postgres://nobody@127.0.0.1:1/nowhere' });
  const temporal = createTemporalClient({
    target: { address: '127.0.0.1:1', namespace: 'nowhere', credentials: {} },
    dataConverter: createDataConverter(config.encryption),
  });
  const log = createLogger({ name: 'document', level: 'silent' });
  const server = createApi({
    db,
    temporal,
    ...noBanks,
    taxEngine: noTaxEngine,
    storage: createStorage(config.storage),
    log,
    config,
    clock: () => new Date(),
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/openapi.json`);
    const { paths } = (await response.json()) as { paths: Record<string, object> };
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
  } finally {
    server.closeAllConnections();
    server.close();
    await Promise.all([db.close(), temporal.connection.close()]);
  }
}

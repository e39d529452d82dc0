/** Seeds the demo tenant and prints one line of JSON: `{"tenantId": …, "apiKey": …}`. For development only. */
import { loadConfig } from '../../config/env.ts';
import { createDatabase } from '../client.ts';
import { seedDemo } from './demo.ts';

const { environment, database, demoDaySeconds, home, chains, encryption, operatorChat } = loadConfig();
if (environment === 'production') {
  console.error('The demo tenant is for development; with NODE_ENV=production nothing is seeded.');
  process.exit(1);
}

const db = createDatabase({ url: database.url, max: 1 });
try {
  const url = `http://127.0.0.1:${operatorChat.sandboxPort}/services/T0SANDBOX/B0SANDBOX/operators`;
  const demo = { demoDaySeconds, home, network: chains.network, chat: { url, encryption } };
  console.log(JSON.stringify(await seedDemo(db, demo)));
} finally {
  await db.close();
}

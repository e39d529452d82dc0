/** Plaid's sandbox as tests use it: with the credentials of the test configuration. */
import { loadConfig } from '../../config/env.ts';
import type { BankFeed } from '../../domain/payments/bank-feed.ts';
import { createPlaidBankFeed } from '../../integrations/plaid/client.ts';
import type { PlaidConnection } from '../../integrations/plaid/connection.ts';
import { type PlaidSandbox, startPlaidSandbox } from '../../integrations/plaid/sandbox.ts';

const { clientId, secret, environment } = loadConfig({ NODE_ENV: 'test' }).plaid;

/** On a port of its own. */
export async function startTestPlaid(): Promise<{
  plaid: PlaidSandbox;
  feed: BankFeed;
  connection: PlaidConnection;
}> {
  const plaid = await startPlaidSandbox({ port: 0, clientId, secret });
  const connection = { clientId, secret, environment, apiBase: plaid.url };
  return { plaid, feed: createPlaidBankFeed(connection), connection };
}

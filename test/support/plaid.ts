/** Plaid's sandbox as tests use it: with the credentials of the test configuration. */
import { loadConfig } from '../../config/env.ts';
import { createTokenSeal, type TokenSeal } from '../../db/queries/payments/sealed-token.ts';
import type { BankFeed } from '../../domain/payments/bank-feed.ts';
import { createPlaidBankFeed } from '../../integrations/plaid/client.ts';
import type { PlaidConnection } from '../../integrations/plaid/connection.ts';
import { type PlaidSandbox, startPlaidSandbox } from '../../integrations/plaid/sandbox.ts';
import { plaidVerificationKeys, type VerificationKeys } from '../../integrations/plaid/verify-keys.ts';

const {
  plaid: { clientId, secret, environment },
  encryption,
} = loadConfig({ NODE_ENV: 'test' });

/** What the API and the workers are handed to read banks, from whatever listens at `apiBase`. */
export function testBanks(apiBase: string): {
  banks: { feed: BankFeed; tokenSeal: TokenSeal };
  feedKeys: VerificationKeys;
} {
  const connection = { clientId, secret, environment, apiBase };
  return {
    banks: { feed: createPlaidBankFeed(connection), tokenSeal: createTokenSeal(encryption) },
    feedKeys: plaidVerificationKeys(connection),
  };
}

/** Nobody listens there. */
export const noBanks = testBanks('http://127.0.0.1:1');

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

/** Coinbase's sandbox as tests use it: with the key of the test configuration, so that the API believes what it signs. */
import { loadConfig } from '../../config/env.ts';
import type { CheckoutProvider } from '../../domain/payments/coinbase-checkout.ts';
import { createCoinbaseCheckouts } from '../../integrations/coinbase-business/client.ts';
import { type CoinbaseSandbox, startCoinbaseSandbox } from '../../integrations/coinbase-business/sandbox.ts';

const config = loadConfig({ NODE_ENV: 'test' }).coinbase;

export const coinbaseWebhookSecret = config.webhookSecrets[0] ?? '';
export const commerceWebhookSecret = config.commerceWebhookSecrets[0] ?? '';

/** On a port of its own. */
export async function startTestCoinbase(): Promise<{
  coinbase: CoinbaseSandbox;
  checkoutProvider: CheckoutProvider;
}> {
  const { keyName, privateKey } = config;
  const coinbase = await startCoinbaseSandbox({ port: 0, keyName, privateKey });
  const apiBase = coinbase.url;
  return {
    coinbase,
    checkoutProvider: createCoinbaseCheckouts({ keyName, privateKey, apiBase, timeoutMs: 10_000 }),
  };
}

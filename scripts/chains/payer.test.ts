import { expect, test } from 'vitest';
import { loadConfig } from '../../config/env.ts';
import { createPayer } from './payer.ts';

test('coins of value are never spent', async () => {
  await expect(createPayer(loadConfig({ CRYPTO_NETWORK: 'mainnet' }), 'bitcoin')).rejects.toThrow(
    'Coins are paid on local chains only; CRYPTO_NETWORK is mainnet.',
  );
});

test('a node on another machine is never paid with, and its address with the password is not shown', async () => {
  const config = loadConfig({ BITCOIN_NODES: 'http://user:secret@node.example:8332' });
  const refused = await createPayer(config, 'bitcoin').catch((error: Error) => error.message);
  expect(refused).toBe('Coins are paid on local chains only; the node of Bitcoin is on another machine.');
});

test('a chain that does not run here is named with those that do', async () => {
  await expect(createPayer(loadConfig({}), 'base')).rejects.toThrow(
    'There is no local Base; offer the invoice on Bitcoin or Ethereum.',
  );
});

import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { loadConfig } from '../../config/env.ts';
import { chainSettings, findChains } from './local-chains.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('where btcd is missing and cannot be built, it is told with what to do, and Ethereum runs all the same', async () => {
  vi.stubEnv('PATH', '');
  const { found, reports } = await find({ XDG_CACHE_HOME: join(import.meta.dirname, 'nothing-here') });
  expect(found).toEqual(['anvil']);
  expect(reports).toEqual([
    expect.stringMatching(/^Nothing can be paid on bitcoin here: btcd was not found[.] .*install Go/),
  ]);
});

test('a chain whose node was named is not run here', async () => {
  const nodes = { BITCOIN_NODES: 'http://127.0.0.1:1', ETHEREUM_NODES: 'http://127.0.0.1:2' };
  expect(await find(nodes)).toEqual({ found: [], reports: [] });
});

test('no chain without value stands in for one that has some', async () => {
  expect(await find({ CRYPTO_NETWORK: 'mainnet' })).toEqual({ found: [], reports: [] });
  expect(await find({ CRYPTO_NETWORK: 'testnet' })).toEqual({ found: [], reports: [] });
});

test('the processes are told of the chains that run, and of no others', () => {
  const ports = { bitcoin: 3020, ethereum: 3021 };
  expect(chainSettings(['btcd', 'anvil'], ports)).toEqual({
    CRYPTO_NETWORK: 'local',
    BITCOIN_NODES: 'http://perennial:development@127.0.0.1:3020',
    ETHEREUM_NODES: 'http://127.0.0.1:3021',
    ETHEREUM_USDC: '0x700b6a60ce7eaaea56f065753d8dcb9653dbad35',
  });
  expect(chainSettings([], ports)).toEqual({});
});

async function find(env: Record<string, string>) {
  const reports: string[] = [];
  const found = await findChains({
    wanted: ['btcd', 'anvil'],
    config: loadConfig(env),
    report: (line) => reports.push(line),
  });
  return { found, reports };
}

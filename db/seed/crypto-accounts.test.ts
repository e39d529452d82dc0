import { HDKey } from '@scure/bip32';
import { mnemonicToSeedSync } from '@scure/bip39';
import { expect, test } from 'vitest';
import { demoAccountKeys } from './crypto-accounts.ts';

const seed = mnemonicToSeedSync('test test test test test test test test test test test junk');
const vpub = { private: 0x045f18bc, public: 0x045f1cf6 };

test('the demo is paid on the second account of the development phrase, so that payer and payee differ', () => {
  expect(demoAccountKeys).toEqual({
    bitcoin: HDKey.fromMasterSeed(seed, vpub).derive("m/84'/1'/1'").publicExtendedKey,
    evm: HDKey.fromMasterSeed(seed).derive("m/44'/60'/1'").publicExtendedKey,
  });
});

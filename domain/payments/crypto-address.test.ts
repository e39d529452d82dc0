import { sha256 } from '@noble/hashes/sha2.js';
import { bech32, bech32m, createBase58check, hex } from '@scure/base';
import { HDKey } from '@scure/bip32';
import { mnemonicToSeedSync } from '@scure/bip39';
import { Address, p2pkh, p2tr } from '@scure/btc-signer/payment.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AddressReading,
  addressOf,
  bitcoinPrefixes,
  checksummed,
  readAddress,
} from './crypto-address.ts';
import { chainNames, cryptoNetworks } from './crypto-chain.ts';

const base58check = createBase58check(sha256);

const segwit = 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu';
const testnet = 'tb1q6rz28mcfaxtmd6v789l9rrlrusdprr9pqcpvkl';
const regtest = 'bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk';
const legacyTestnet = 'mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn';
const nestedTestnet = '2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc';
const someEvm = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed';

function reasonOf(reading: AddressReading): string {
  return reading.ok ? 'ok' : reading.reason;
}

function messageOf(reading: AddressReading): string {
  return reading.ok ? 'ok' : reading.message;
}

/** What `readAddress` says of an output's kind, from vectors of the BIPs. */
describe('an address of Bitcoin', () => {
  it.each([
    ['P2WPKH', segwit, '0014c0cebcd6c3d3ca8c75dc5ec62ebe55330ef910e2'],
    [
      'P2TR (BIP350)',
      'bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0',
      '512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798',
    ],
    [
      'P2WSH (BIP173)',
      'bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3',
      '00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262',
    ],
    ['P2PKH', '1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2', '76a91477bff20c60e522dfaa3350c39b030a5d004e839a88ac'],
    ['P2SH', '3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy', 'a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87'],
  ])('is read: %s', (_, address, to) => {
    expect(readAddress(` ${address}\n`, 'bitcoin', 'mainnet')).toEqual({ ok: true, address, to });
    expect(addressOf(to, { family: 'bitcoin', network: 'mainnet' })).toBe(address);
  });

  it('in capitals is the same', () => {
    expect(readAddress('BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4', 'bitcoin', 'mainnet')).toEqual({
      ok: true,
      address: 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4',
      to: '0014751e76e8199196d454941c45d1b3a323f1433bd6',
    });
  });

  it.each([
    ["m/44'/0'/0'/0/0", '1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA'],
    ["m/86'/0'/0'/0/0", 'bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr'],
  ])('of another purpose is read: %s', (path, address) => {
    const mnemonic = `${'abandon '.repeat(11)}about`;
    const key = HDKey.fromMasterSeed(mnemonicToSeedSync(mnemonic)).derive(path).publicKey ?? new Uint8Array();
    const derived = path.startsWith("m/44'") ? p2pkh(key) : p2tr(key.subarray(1));
    expect(derived.address).toBe(address);
    expect(readAddress(address, 'bitcoin', 'mainnet')).toEqual({
      ok: true,
      address,
      to: hex.encode(derived.script),
    });
  });

  it.each([
    ['its last character', 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5'],
    ['capitals and small letters', 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3T4'],
    ['a character that is none', 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3tb'],
    ['a character less', segwit.slice(0, -1)],
    ['the checksum of a later version', witness(bech32m, 0, 20)],
    ['the checksum of an earlier version', witness(bech32, 1, 32)],
    ['an old one', '1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3'],
    ['an old one of testnet', 'mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfm'],
  ])('that is mistyped is refused: %s', (_, address) => {
    const reading = readAddress(address, 'bitcoin', 'mainnet');
    expect(reasonOf(reading)).toBe('bad_checksum');
    expect(messageOf(reading)).toContain('a character is mistyped or missing');
  });

  it.each([
    [testnet, "Bitcoin's test network, whose coins have no value"],
    [regtest, 'a local test chain, whose coins have no value'],
    [legacyTestnet, "Bitcoin's test network, whose coins have no value or a local test chain"],
    [nestedTestnet, "Bitcoin's test network, whose coins have no value or a local test chain"],
  ])('of a test network is refused on the main one: %s', (address, network) => {
    const reading = readAddress(address, 'bitcoin', 'mainnet');
    expect(reasonOf(reading)).toBe('wrong_network');
    expect(messageOf(reading)).toContain(
      `must be an address of Bitcoin's main network, and this is one of ${network}`,
    );
  });

  it('of the main network is refused on a test network', () => {
    for (const network of ['testnet', 'local'] as const) {
      for (const address of [segwit, '1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2']) {
        const reading = readAddress(address, 'bitcoin', network);
        expect(reasonOf(reading)).toBe('wrong_network');
        expect(messageOf(reading)).toMatch(/this is one of Bitcoin's main network$/);
      }
    }
    expect(reasonOf(readAddress(testnet, 'bitcoin', 'local'))).toBe('wrong_network');
    expect(reasonOf(readAddress(regtest, 'bitcoin', 'testnet'))).toBe('wrong_network');
  });

  it.each(['testnet', 'local'] as const)(
    'of an old kind is the same on every test network: %s',
    (network) => {
      expect(reasonOf(readAddress(legacyTestnet, 'bitcoin', network))).toBe('ok');
      expect(reasonOf(readAddress(nestedTestnet, 'bitcoin', network))).toBe('ok');
    },
  );

  it.each([
    [someEvm, 'an address of Ethereum or a chain like it'],
    ['lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypq', 'an invoice of Lightning'],
    [base58check.encode(new Uint8Array([0x30, ...new Uint8Array(20).fill(5)])), 'an address of another coin'],
    [witness(bech32, 0, 20, 'ltc'), 'an address of another coin'],
  ])('is none of another chain: %s', (address, what) => {
    const reading = readAddress(address, 'bitcoin', 'mainnet');
    expect(reasonOf(reading)).toBe('wrong_chain');
    expect(messageOf(reading)).toBe(
      `must be an address of Bitcoin, and this is ${what}; coins sent to another chain are lost`,
    );
  });

  it.each([
    ['a version without a meaning (BIP350)', 'bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs'],
    ['a length without a meaning', witness(bech32, 0, 25)],
    ['a point that is none', witness(bech32m, 1, 32)],
    ['the anchor (BIP433)', 'bc1pfeessrawgf'],
  ])('that is no wallet is refused: %s', (_, address) => {
    expect(reasonOf(readAddress(address, 'bitcoin', 'mainnet'))).toBe('unspendable');
  });

  it.each(['', 'bc1', 'satoshi', 'ltc1nonsense', 'x'.repeat(100_000), 'satoshi@example.com', '1'.repeat(24)])(
    'is not %j',
    (text) => {
      const reading = readAddress(text, 'bitcoin', 'mainnet');
      expect(reasonOf(reading)).toBe('not_an_address');
      expect(messageOf(reading)).toMatch(/^must be an address of Bitcoin: beginning with bc1, 1 or 3/);
    },
  );

  it('of whatever key is read back, on its own network only', () => {
    const hash = fc.uint8Array({ minLength: 20, maxLength: 20 });
    const kinds = fc.constantFrom('pkh' as const, 'sh' as const, 'wpkh' as const);
    fc.assert(
      fc.property(hash, kinds, fc.constantFrom(...cryptoNetworks), (bytes, type, network) => {
        const address = Address(bitcoinPrefixes[network]).encode({ type, hash: bytes });
        const reading = readAddress(address, 'bitcoin', network);
        expect(reading).toMatchObject({ ok: true, address });
        expect(reading.ok && addressOf(reading.to, { family: 'bitcoin', network })).toBe(address);
        const elsewhere = network === 'mainnet' ? 'testnet' : 'mainnet';
        expect(reasonOf(readAddress(address, 'bitcoin', elsewhere))).toBe('wrong_network');
      }),
      { numRuns: 300 },
    );
  });

  /** A witness address that need not be a right one. */
  function witness(code: typeof bech32, version: number, length: number, prefix = 'bc'): string {
    return code.encode(prefix, [version, ...code.toWords(new Uint8Array(length).fill(255))]);
  }
});

describe('an address of an EVM chain', () => {
  const vectors = [
    '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
    '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359',
    '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB',
    '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb',
    '0x52908400098527886E0F7030069857D2E4169EE7',
    '0x8617E340B3D01FA5F11F306F4090FD50E238070D',
    '0xde709f2102306220921060314715629080e2fb77',
    '0x27b1fdb04752bbc536007a920d24acb045561c26',
  ];

  it.each(vectors)('has its checksum in its capitals (EIP-55): %s', (address) => {
    const read = { ok: true, address, to: address.toLowerCase() };
    for (const text of [
      address,
      address.toLowerCase(),
      `0x${address.slice(2).toUpperCase()}`,
      ` ${address} `,
    ]) {
      for (const chain of ['ethereum', 'base', 'polygon'] as const) {
        for (const network of cryptoNetworks) expect(readAddress(text, chain, network)).toEqual(read);
      }
    }
    expect(checksummed(address.toLowerCase())).toBe(address);
    expect(addressOf(address.toLowerCase(), { family: 'evm', network: 'mainnet' })).toBe(address);
  });

  it.each([
    '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD',
    // The first example of ERC-681 itself.
    '0xfb6916095ca1df60bb79Ce92ce3ea74c37c5d359',
  ])('with other capitals is mistyped: %s', (address) => {
    expect(reasonOf(readAddress(address, 'ethereum', 'mainnet'))).toBe('bad_checksum');
  });

  it.each([segwit, testnet, '3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy', legacyTestnet])(
    'is none of Bitcoin: %s',
    (address) => {
      const reading = readAddress(address, 'base', 'mainnet');
      expect(reasonOf(reading)).toBe('wrong_chain');
      expect(messageOf(reading)).toBe(
        'must be an address of Base, and this is an address of Bitcoin; coins sent to another chain are lost',
      );
    },
  );

  it.each(['', '0x', someEvm.slice(2), someEvm.slice(0, -1), `${someEvm}0`, 'vitalik.eth'])(
    'is not %j',
    (text) => {
      const reading = readAddress(text, 'ethereum', 'mainnet');
      expect(reasonOf(reading)).toBe('not_an_address');
      expect(messageOf(reading)).toBe(
        'must be an address of Ethereum: 0x and 40 hexadecimal digits; names are not looked up',
      );
    },
  );

  it.each([
    ['nobody', `0x${'0'.repeat(40)}`],
    ["the token's own contract", '0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48'],
    ["the token's own contract, in small letters", '0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48'],
  ])('of %s is refused: what it is sent is lost', (_, address) => {
    expect(reasonOf(readAddress(address, 'ethereum', 'mainnet'))).toBe('unspendable');
  });
});

describe('what is no address at all', () => {
  const id = 'ab'.repeat(32);
  it.each(chainNames)('a transaction, or a key in its form, is refused on %s', (chain) => {
    for (const text of [id, `0x${id}`, id.toUpperCase()]) {
      const reading = readAddress(text, chain, 'mainnet');
      expect(reasonOf(reading)).toBe('not_an_address');
      expect(messageOf(reading)).toContain(
        '64 digits are a transaction or, never to be pasted, a private key',
      );
    }
  });

  it.each([
    'xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi',
    '5KJvsngHeMpm884wtkJNzQGaCErckhHJBGFsvd3VyK5qMZXj3hS',
    `${'abandon '.repeat(11)}about`,
  ])('a secret is refused and not repeated', (secret) => {
    for (const chain of chainNames) {
      const reading = readAddress(secret, chain, 'mainnet');
      expect(reasonOf(reading)).toBe('private_key');
      expect(messageOf(reading)).toContain('must never be a secret');
      expect(messageOf(reading)).not.toContain(secret.slice(0, 8));
    }
  });
});

describe('an output script without an address', () => {
  it.each([
    ['a note (OP_RETURN)', '6a0568656c6c6f'],
    ['a bare key', '210279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798ac'],
    ['nothing', ''],
    ['a script that is cut off', '4c'],
  ])('has none: %s', (_, script) => {
    expect(addressOf(script, { family: 'bitcoin', network: 'mainnet' })).toBeNull();
  });

  it('but the anchor has one, for people to see', () => {
    expect(addressOf('51024e73', { family: 'bitcoin', network: 'mainnet' })).toBe('bc1pfeessrawgf');
  });
});

import { sha256 } from '@noble/hashes/sha2.js';
import { createBase58check, hex } from '@scure/base';
import { HDKey } from '@scure/bip32';
import { entropyToMnemonic, mnemonicToSeedSync } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { WIF } from '@scure/btc-signer/payment.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AccountKeyReading, readAccountKey, receiveAddresses } from './crypto-account.ts';
import { addressOf, readAddress } from './crypto-address.ts';
import { type ChainFamily, type CryptoNetwork, cryptoNetworks } from './crypto-chain.ts';

const about = `${'abandon '.repeat(11)}about`;
const junk = `${'test '.repeat(11)}junk`;

/** BIP84's account of the mnemonic above, in two ways to write it, and its root. */
const zpub =
  'zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs';
const sameAsXpub =
  'xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V';
const zpubOfRoot =
  'zpub6jftahH18ngZxLmXaKw3GSZzZsszmt9WqedkyZdezFtWRFBZqsQH5hyUmb4pCEeZGmVfQuP5bedXTB8is6fTv19U1GQRyQUKQGUTzyHACMF';
/** m/44'/60'/0' of it. */
const xpubOfEthereum =
  'xpub6DCoCpSuQZB2jawqnGMEPS63ePKWkwWPH4TU45Q7LPXWuNd8TMtVxRrgjtEshuqpK3mdhaWHPFsBngh5GFZaM6si3yZdUsT8ddYM3PwnATt';

const mainnet = { family: 'bitcoin', network: 'mainnet' } as const;
const ethereum = { family: 'evm', network: 'mainnet' } as const;

const base58check = createBase58check(sha256);

const publicVersions = {
  xpub: '0488b21e',
  ypub: '049d7cb2',
  zpub: '04b24746',
  tpub: '043587cf',
  upub: '044a5262',
  vpub: '045f1cf6',
};
const privateVersions = {
  xprv: '0488ade4',
  yprv: '049d7878',
  zprv: '04b2430c',
  tprv: '04358394',
  uprv: '044a4e28',
  vprv: '045f18bc',
};

/** The same key behind another prefix. */
function behind(version: string, key: string): string {
  const payload = base58check.decode(key);
  payload.set(hex.decode(version));
  return base58check.encode(payload);
}

function keyAt(mnemonic: string, path: string): HDKey {
  return HDKey.fromMasterSeed(mnemonicToSeedSync(mnemonic)).derive(path);
}

function reasonOf(reading: AccountKeyReading): string {
  return reading.ok ? 'ok' : reading.reason;
}

function messageOf(reading: AccountKeyReading): string {
  return reading.ok ? 'ok' : reading.message;
}

describe('the standards that keys come from', () => {
  it('BIP39: entropy is a mnemonic, a mnemonic a seed', () => {
    expect(entropyToMnemonic(new Uint8Array(16), wordlist)).toBe(about);
    expect(hex.encode(mnemonicToSeedSync(about, 'TREZOR'))).toBe(
      'c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04',
    );
    expect(entropyToMnemonic(new Uint8Array(16).fill(255), wordlist)).toBe(`${'zoo '.repeat(11)}wrong`);
  });

  it('BIP32: the first vector', () => {
    const root = HDKey.fromMasterSeed(hex.decode('000102030405060708090a0b0c0d0e0f'));
    const rootKey =
      'xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8';
    const child =
      'xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hqck2AxYysAA7xmALppuCkwQ';
    expect(root.publicExtendedKey).toBe(rootKey);
    expect(root.derive("m/0'/1").publicExtendedKey).toBe(child);
    expect(reasonOf(readAccountKey(rootKey, mainnet))).toBe('wrong_depth');
    expect(reasonOf(readAccountKey(child, mainnet))).toBe('wrong_depth');
  });

  it('a zpub has versions of its own, and no hardened children', () => {
    const versions = { private: 0x04b2430c, public: 0x04b24746 };
    expect(() => HDKey.fromExtendedKey(zpub)).toThrow('Version mismatch');
    expect(() => HDKey.fromExtendedKey(zpub, versions).deriveChild(0x80000000)).toThrow(
      'Could not derive hardened child key',
    );
  });
});

describe('receiving addresses', () => {
  it('BIP84: a zpub gives witness addresses, and the same key within a script hash', () => {
    const account = { ...mainnet, publicKey: zpub };
    expect(receiveAddresses(account, 0)).toEqual([
      {
        kind: 'p2wpkh',
        address: 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu',
        to: '0014c0cebcd6c3d3ca8c75dc5ec62ebe55330ef910e2',
      },
      {
        kind: 'p2sh_p2wpkh',
        address: '3GtVZYzsKF6Feikdjd4bDyPdAiyeHANY9b',
        to: 'a914a6b5888fddc8fa193dd353d10e5cd5a8eeab064e87',
      },
    ]);
    expect(receiveAddresses(account, 1)[0].address).toBe('bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g');
  });

  it('BIP49: a ypub shows the address within a script hash first, where its wallet looks', () => {
    const ypub = behind(publicVersions.ypub, keyAt(about, "m/49'/0'/0'").publicExtendedKey);
    const [shown, other] = receiveAddresses({ ...mainnet, publicKey: ypub }, 0);
    expect(shown).toMatchObject({ kind: 'p2sh_p2wpkh', address: '37VucYSaXLCAsxYyAPfbSi9eh4iEcbShgf' });
    expect(other).toMatchObject({ kind: 'p2wpkh' });
  });

  it.each([
    ['testnet', 'tb1q6rz28mcfaxtmd6v789l9rrlrusdprr9pqcpvkl', '2'],
    ['local', 'bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk', '2'],
  ] as const)('of %s have its prefix', (network, address, first) => {
    const vpub = behind(publicVersions.vpub, keyAt(about, "m/84'/1'/0'").publicExtendedKey);
    const [shown, nested] = receiveAddresses({ family: 'bitcoin', network, publicKey: vpub }, 0);
    expect(shown.address).toBe(address);
    expect(nested?.address.charAt(0)).toBe(first);
  });

  it('of an EVM account have their checksum, and are watched in lower case', () => {
    expect(receiveAddresses({ ...ethereum, publicKey: xpubOfEthereum }, 0)).toEqual([
      {
        kind: 'evm',
        address: '0x9858EfFD232B4033E47d90003D41EC34EcaEda94',
        to: '0x9858effd232b4033e47d90003d41ec34ecaeda94',
      },
    ]);
    const xpub = keyAt(junk, "m/44'/60'/0'").publicExtendedKey;
    for (const network of cryptoNetworks) {
      const [{ address }] = receiveAddresses({ family: 'evm', network, publicKey: xpub }, 0);
      expect(address).toBe('0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266');
    }
  });

  it.each([-1, 0.5, 2 ** 31, Number.NaN])('an index of %s is refused', (index) => {
    expect(() => receiveAddresses({ ...mainnet, publicKey: zpub }, index)).toThrow(
      'The index of an address is a whole number from 0 to 2147483647',
    );
  });

  it('an account that would have been refused derives nothing, and its key is not in the error', () => {
    const xprv = keyAt(about, "m/84'/0'/0'").privateExtendedKey;
    const derive = () => receiveAddresses({ ...mainnet, publicKey: xprv }, 0);
    expect(derive).toThrow(
      /^The key of an account must never be a secret, and this is an extended private key/,
    );
    expect(derive).not.toThrow(xprv.slice(4, 12));
  });

  const accounts = fc.constantFrom(
    { ...mainnet, publicKey: zpub },
    { ...mainnet, publicKey: sameAsXpub },
    { ...ethereum, publicKey: xpubOfEthereum },
    {
      family: 'bitcoin' as const,
      network: 'local' as const,
      publicKey: behind(publicVersions.vpub, keyAt(about, "m/84'/1'/0'").publicExtendedKey),
    },
  );
  const indexes = fc.integer({ min: 0, max: 2 ** 31 - 1 });

  it('of one index are the same each time, of two indexes never', () => {
    fc.assert(
      fc.property(accounts, indexes, indexes, (account, one, another) => {
        const first = receiveAddresses(account, one);
        expect(receiveAddresses({ ...account }, one)).toEqual(first);
        const both = [...first, ...receiveAddresses(account, another)].map(({ to }) => to);
        expect(new Set(both).size).toBe(one === another ? first.length : both.length);
      }),
      { numRuns: 50 },
    );
  });

  it('are read back from what the chain calls them, and by what a person would paste', () => {
    fc.assert(
      fc.property(accounts, indexes, (account, index) => {
        for (const { address, to } of receiveAddresses(account, index)) {
          expect(addressOf(to, account)).toBe(address);
          const chain = account.family === 'evm' ? 'base' : 'bitcoin';
          expect(readAddress(address, chain, account.network)).toEqual({ ok: true, address, to });
        }
      }),
      { numRuns: 50 },
    );
  });

  it('of 200 invoices at once are 200 addresses', () => {
    const account = { ...mainnet, publicKey: zpub };
    const shown = Array.from({ length: 200 }, (_, index) => receiveAddresses(account, index)[0].address);
    expect(new Set(shown).size).toBe(200);
  });
});

describe("an account's key", () => {
  it('is known by its prefix', () => {
    expect(readAccountKey(`\n ${zpub} `, mainnet)).toEqual({
      ok: true,
      account: {
        ...mainnet,
        publicKey: zpub,
        kind: 'p2wpkh',
        fingerprint: hex.encode(base58check.decode(zpub).subarray(13)),
      },
    });
  });

  it('is one key however it is written: a plain xpub is taken for BIP84', () => {
    const [one, other] = [readAccountKey(zpub, mainnet), readAccountKey(sameAsXpub, mainnet)];
    if (!one.ok || !other.ok) throw new Error('both are keys');
    expect(other.account.kind).toBe('p2wpkh');
    expect(other.account.fingerprint).toBe(one.account.fingerprint);
    expect(receiveAddresses(other.account, 3)).toEqual(receiveAddresses(one.account, 3));
  });

  const account = keyAt(about, "m/84'/0'/0'");
  const fits: Record<ChainFamily, Record<CryptoNetwork, (keyof typeof publicVersions)[]>> = {
    bitcoin: {
      mainnet: ['xpub', 'ypub', 'zpub'],
      testnet: ['tpub', 'upub', 'vpub'],
      local: ['tpub', 'upub', 'vpub'],
    },
    evm: { mainnet: ['xpub'], testnet: ['xpub', 'tpub'], local: ['xpub', 'tpub'] },
  };
  const cases = (['bitcoin', 'evm'] as const).flatMap((family) =>
    cryptoNetworks.flatMap((network) =>
      (Object.keys(publicVersions) as (keyof typeof publicVersions)[]).map((prefix) => {
        const isBitcoins = !['xpub', 'tpub'].includes(prefix);
        const misfit = family === 'evm' && isBitcoins ? 'wrong_type' : 'wrong_network';
        const reason = fits[family][network].includes(prefix) ? 'ok' : misfit;
        return { family, network, prefix, reason };
      }),
    ),
  );

  it.each(cases)('$prefix for $family on $network: $reason', ({ family, network, prefix, reason }) => {
    const key = behind(publicVersions[prefix], account.publicExtendedKey);
    expect(key.slice(0, 4)).toBe(prefix);
    expect(reasonOf(readAccountKey(key, { family, network }))).toBe(reason);
  });

  it('that does not fit is refused with what would', () => {
    expect(messageOf(readAccountKey(zpub, ethereum))).toBe(
      'must be the extended public key of an account (xpub) for Ethereum and chains like it; a zpub is a key for Bitcoin',
    );
    expect(messageOf(readAccountKey(zpub, { ...mainnet, network: 'testnet' }))).toBe(
      'must be the extended public key of an account (vpub, upub, tpub) for Bitcoin; a zpub is a key of the main network',
    );
    const tpub = behind(publicVersions.tpub, zpub);
    expect(messageOf(readAccountKey(tpub, mainnet))).toBe(
      'must be the extended public key of an account (zpub, ypub, xpub) for Bitcoin; a tpub is a key of a test network, whose coins have no value',
    );
  });

  it.each([
    ["m/84'", 1],
    ["m/84'/0'", 2],
    ["m/84'/0'/0'/0", 4],
    ["m/84'/0'/0'/0/0", 5],
  ] as const)('of %s is not at the level of an account', (path, depth) => {
    const reading = readAccountKey(keyAt(about, path).publicExtendedKey, mainnet);
    expect(reasonOf(reading)).toBe('wrong_depth');
    expect(messageOf(reading)).toContain(`this one is ${depth} below it`);
    expect(reasonOf(readAccountKey(zpubOfRoot, mainnet))).toBe('wrong_depth');
  });

  it('with one character mistyped is refused by its checksum', () => {
    const letters = fc.constantFrom(...'23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz');
    fc.assert(
      fc.property(fc.integer({ min: 4, max: zpub.length - 1 }), letters, (at, letter) => {
        fc.pre(zpub[at] !== letter);
        const wrong = zpub.slice(0, at) + letter + zpub.slice(at + 1);
        expect(reasonOf(readAccountKey(wrong, mainnet))).toBe('bad_checksum');
      }),
    );
    expect(reasonOf(readAccountKey(zpub.slice(0, -1), mainnet))).toBe('bad_checksum');
  });

  it.each([
    ['nothing', ''],
    ['a word', 'zpub'],
    ['an address', 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu'],
    ['an EVM address', '0x9858EfFD232B4033E47d90003D41EC34EcaEda94'],
    ['a single public key', `02${'ab'.repeat(32)}`],
    ['a key of several signers (Zpub)', behind('02aa7ed3', zpub)],
    ['a key of Litecoin (Ltub)', behind('019da462', zpub)],
    ['a key that is too long', base58check.encode(new Uint8Array([...base58check.decode(zpub), 1]))],
    ['a key off the curve', offTheCurve()],
    ['a descriptor', `wpkh([d34db33f/84h/0h/0h]${zpub}/0/*)`],
    ['a long text', 'z'.repeat(100_000)],
  ])('is not %s', (_, text) => {
    const reading = readAccountKey(text, mainnet);
    expect(reasonOf(reading)).toBe('not_a_key');
    expect(messageOf(reading)).toMatch(
      /^must be the extended public key of an account [(]zpub, ypub, xpub[)]/,
    );
  });

  function offTheCurve(): string {
    const payload = base58check.decode(zpub);
    payload.fill(255, 46);
    return base58check.encode(payload);
  }
});

describe('a secret', () => {
  const account = keyAt(about, "m/84'/0'/0'");
  const secretKey = account.privateKey ?? new Uint8Array();
  const extended = Object.entries(privateVersions).map(([prefix, version]): [string, string] => [
    prefix,
    behind(version, account.privateExtendedKey),
  ]);
  const secrets: [name: string, text: string][] = [
    ...extended,
    ['xprv of the root', keyAt(about, 'm').privateExtendedKey],
    ['xprv with a mistake', `${account.privateExtendedKey.slice(0, -1)}1`],
    ['xprv behind the prefix of an xpub', behind(publicVersions.xpub, account.privateExtendedKey)],
    ['xprv in a descriptor', `wpkh([d34db33f/84h/0h/0h]${account.privateExtendedKey}/0/*)`],
    ['WIF, compressed', WIF().encode(secretKey)],
    [
      'WIF of testnet',
      WIF({ bech32: 'tb', pubKeyHash: 0x6f, scriptHash: 0xc4, wif: 0xef }).encode(secretKey),
    ],
    ['WIF, old', base58check.encode(new Uint8Array([0x80, ...secretKey]))],
    ['BIP38', base58check.encode(new Uint8Array([1, 0x42, 0xc0, ...new Uint8Array(36).fill(7)]))],
    ['hex', hex.encode(secretKey)],
    ['hex with 0x', `0x${hex.encode(secretKey).toUpperCase()}`],
    ['seed', hex.encode(mnemonicToSeedSync(about))],
    ['12 words', about],
    ['24 words', entropyToMnemonic(new Uint8Array(32).fill(9), wordlist)],
    ['12 words in capitals, a line each', about.toUpperCase().replaceAll(' ', '\n')],
    [
      'numbered words',
      about
        .split(' ')
        .map((word, at) => `${at + 1}. ${word}`)
        .join(' '),
    ],
    ['words in Japanese', Array.from({ length: 12 }, () => 'あいこくしん').join('\u3000')],
  ];

  it.each(secrets)('(%s) is refused on every chain, and not repeated', (_, text) => {
    for (const family of ['bitcoin', 'evm'] as const) {
      for (const network of cryptoNetworks) {
        const reading = readAccountKey(` ${text}\n`, { family, network });
        expect(reasonOf(reading)).toBe('private_key');
        expect(messageOf(reading)).toMatch(
          /^must never be a secret, .+Never paste it anywhere; .+ throw it away/,
        );
        for (let at = 0; at + 12 <= text.length; at += 6) {
          expect(messageOf(reading)).not.toContain(text.slice(at, at + 12));
        }
      }
    }
  });

  it('is not seen in a public key that happens to hold its letters', () => {
    const key = `${zpub.slice(0, 40)}xprv${zpub.slice(44)}`;
    expect(reasonOf(readAccountKey(key, mainnet))).toBe('bad_checksum');
  });

  it('(any extended private key) is told from its public one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        const key = HDKey.fromMasterSeed(seed).derive("m/84'/0'/0'");
        expect(reasonOf(readAccountKey(key.privateExtendedKey, mainnet))).toBe('private_key');
        expect(reasonOf(readAccountKey(key.publicExtendedKey, mainnet))).toBe('ok');
      }),
      { numRuns: 30 },
    );
  });
});

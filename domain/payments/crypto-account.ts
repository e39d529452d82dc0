/**
 * The account of a wallet that we watch without being able to spend: an extended public key, from which the address of every
 * invoice is derived. A key that does not fit its chain would show addresses that the owner's wallet never looks at, and a
 * private one would be a liability: both are refused.
 *
 * Why it is safe to run twice: an address depends on nothing but the key and the index; who hands out an index only once
 * hands out an address only once.
 *
 * Sources: BIP32; BIP44, BIP49 and BIP84 for the paths; SLIP-132 for the prefixes.
 */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { createBase58check, hex } from '@scure/base';
import { HARDENED_OFFSET, HDKey } from '@scure/bip32';
import { p2sh, p2wpkh } from '@scure/btc-signer/payment.js';
import { bitcoinPrefixes, checksummed } from './crypto-address.ts';
import type { ChainFamily, CryptoNetwork } from './crypto-chain.ts';
import { secretIn, secretRefused } from './private-key.ts';

/** How a key is paid: Bitcoin's segregated witness, the same within a script hash for wallets that are older, an EVM account. */
export type AddressKind = 'p2wpkh' | 'p2sh_p2wpkh' | 'evm';

/** What addresses are derived from. `publicKey` is the extended key's text. */
export type WatchedAccount = { family: ChainFamily; network: CryptoNetwork; publicKey: string };

export type AccountKey = WatchedAccount & {
  /** What the owner's wallet shows first: by the key's prefix, and `p2wpkh` for a plain xpub. */
  kind: AddressKind;
  /** `<chain code><public key>` as hex: the same whatever prefix the key is written with. */
  fingerprint: string;
};

export const accountKeyMistakes = [
  'private_key',
  'not_a_key',
  'bad_checksum',
  'wrong_type',
  'wrong_network',
  'wrong_depth',
] as const;

export type AccountKeyMistake = (typeof accountKeyMistakes)[number];

/** `message` follows the name of the field, `must be …`, and never repeats what was given. */
export type AccountKeyReading =
  | { ok: true; account: AccountKey }
  | { ok: false; reason: AccountKeyMistake; message: string };

/** `to` is what `ChainTransfer.to` will hold: an output script as hex, an EVM address in lower case. */
export type ReceiveAddress = { kind: AddressKind; address: string; to: string };

/** Reads what an owner pastes as the public key of an account. */
export function readAccountKey(
  text: string,
  { family, network }: { family: ChainFamily; network: CryptoNetwork },
): AccountKeyReading {
  const publicKey = text.trim();
  const secret = secretIn(publicKey);
  if (secret !== null) return refused('private_key', secretRefused(secret));
  if (!keyForm.test(publicKey)) return refused('not_a_key', `must be ${expected(family, network)}`);
  const payload = orNull(() => base58check.decode(publicKey));
  if (payload === null) {
    return refused(
      'bad_checksum',
      'must be a key without a mistake: its checksum is wrong, so a character is mistyped or missing',
    );
  }
  // The last 33 bytes are the key; one that begins with 0 is private, whatever its prefix says.
  if (payload.length === 78 && payload[45] === 0) {
    return refused('private_key', secretRefused('an extended private key'));
  }
  const prefix = prefixes.find(({ version }) => version === hex.encode(payload.subarray(0, 4)));
  if (payload.length !== 78 || prefix === undefined) {
    return refused(
      'not_a_key',
      `must be ${expected(family, network)}; this key is of another coin, or of a wallet with several signers`,
    );
  }
  if (family === 'evm' && prefix.kind !== null) {
    return refused(
      'wrong_type',
      `must be ${expected(family, network)}; a ${prefix.name} is a key for Bitcoin`,
    );
  }
  if (!isOn(prefix, family, network)) {
    return refused(
      'wrong_network',
      `must be ${expected(family, network)}; a ${prefix.name} is a key ${prefix.isMain ? 'of the main network' : 'of a test network, whose coins have no value'}`,
    );
  }
  const key = orNull(() => parsed(publicKey));
  if (key === null)
    return refused('not_a_key', `must be ${expected(family, network)}; this one holds no point of the curve`);
  if (key.depth !== ACCOUNT_DEPTH) {
    return refused(
      'wrong_depth',
      `must be the key of an account, which is ${ACCOUNT_DEPTH} levels below the wallet's root, as m/${family === 'evm' ? "44'/60'" : "84'/0'"}/0' is; this one is ${key.depth} below it`,
    );
  }
  const kind = family === 'evm' ? 'evm' : (prefix.kind ?? 'p2wpkh');
  const fingerprint = hex.encode(payload.subarray(13));
  return { ok: true, account: { family, network, publicKey, kind, fingerprint } };
}

/**
 * All addresses that pay to the account's n-th receiving key (chain 0), the one to show first. Bitcoin has two, which are
 * both watched: a payer whose wallet is too old for the first is given the other. Throws a `RangeError` for an index below 0
 * or above 2^31 - 1, and for an account that `readAccountKey` refuses.
 */
export function receiveAddresses(
  account: WatchedAccount,
  index: number,
): readonly [shown: ReceiveAddress, ...others: ReceiveAddress[]] {
  if (!Number.isInteger(index) || index < 0 || index >= HARDENED_OFFSET) {
    throw new RangeError(
      `The index of an address is a whole number from 0 to ${HARDENED_OFFSET - 1}: ${index}`,
    );
  }
  const { kind, receiving } = opened(account);
  const key = receiving.deriveChild(index).publicKey ?? new Uint8Array();
  if (kind === 'evm') return [evmAddress(key)];
  const [segwit, nested] = bitcoinAddresses(key, account.network);
  return kind === 'p2wpkh' ? [segwit, nested] : [nested, segwit];
}

/** A BIP44 account: purpose, coin, account. */
const ACCOUNT_DEPTH = 3;

type Prefix = { name: string; version: string; isMain: boolean; kind: AddressKind | null };

/** `kind` null: a plain key, which says nothing of what it is for. */
const prefixes: readonly Prefix[] = [
  { name: 'zpub', version: '04b24746', isMain: true, kind: 'p2wpkh' },
  { name: 'ypub', version: '049d7cb2', isMain: true, kind: 'p2sh_p2wpkh' },
  { name: 'xpub', version: '0488b21e', isMain: true, kind: null },
  { name: 'vpub', version: '045f1cf6', isMain: false, kind: 'p2wpkh' },
  { name: 'upub', version: '044a5262', isMain: false, kind: 'p2sh_p2wpkh' },
  { name: 'tpub', version: '043587cf', isMain: false, kind: null },
];

/** Bitcoin's keys name their network. An EVM account is the same on all, so wallets write xpub for each. */
function isOn({ isMain }: Prefix, family: ChainFamily, network: CryptoNetwork): boolean {
  return isMain === (network === 'mainnet') || (family === 'evm' && isMain);
}

function expected(family: ChainFamily, network: CryptoNetwork): string {
  const fitting = prefixes.filter((prefix) => isOn(prefix, family, network));
  const names = fitting.filter(({ kind }) => family === 'bitcoin' || kind === null).map(({ name }) => name);
  return `the extended public key of an account (${names.join(', ')}) for ${family === 'bitcoin' ? 'Bitcoin' : 'Ethereum and chains like it'}`;
}

const base58check = createBase58check(sha256);

/** As long as an extended key, some characters more or less if mistyped. */
const keyForm = /^[A-Za-z]{4}[1-9A-HJ-NP-Za-km-z]{100,115}$/;

function parsed(publicKey: string): HDKey {
  const version = Number.parseInt(hex.encode(base58check.decode(publicKey).subarray(0, 4)), 16);
  return HDKey.fromExtendedKey(publicKey, { public: version, private: 0 });
}

type OpenedAccount = { kind: AddressKind; receiving: HDKey };

/** Parsing a key and deriving its chain costs as much as an address; invoices of one account share both. */
const openedAccounts = new Map<string, OpenedAccount>();
const OPENED_MAX = 1000;

function opened({ family, network, publicKey }: WatchedAccount): OpenedAccount {
  const name = `${family} ${network} ${publicKey}`;
  const known = openedAccounts.get(name);
  if (known !== undefined) return known;
  const reading = readAccountKey(publicKey, { family, network });
  if (!reading.ok) throw new RangeError(`The key of an account ${reading.message}`);
  const account = { kind: reading.account.kind, receiving: parsed(publicKey.trim()).deriveChild(0) };
  const [oldest] = openedAccounts.keys();
  if (openedAccounts.size >= OPENED_MAX && oldest !== undefined) openedAccounts.delete(oldest);
  openedAccounts.set(name, account);
  return account;
}

function bitcoinAddresses(key: Uint8Array, network: CryptoNetwork): [ReceiveAddress, ReceiveAddress] {
  const segwit = p2wpkh(key, bitcoinPrefixes[network]);
  const nested = p2sh(segwit, bitcoinPrefixes[network]);
  return [
    { kind: 'p2wpkh', address: segwit.address, to: hex.encode(segwit.script) },
    { kind: 'p2sh_p2wpkh', address: nested.address, to: hex.encode(nested.script) },
  ];
}

/** The last 20 bytes of the hash of the whole point. */
function evmAddress(key: Uint8Array): ReceiveAddress {
  const point = secp256k1.Point.fromBytes(key).toBytes(false).subarray(1);
  const to = `0x${hex.encode(keccak_256(point).subarray(-20))}`;
  return { kind: 'evm', address: checksummed(to), to };
}

function refused(reason: AccountKeyMistake, message: string): AccountKeyReading {
  return { ok: false, reason, message };
}

function orNull<Value>(act: () => Value): Value | null {
  try {
    return act();
  } catch {
    return null;
  }
}

/**
 * Addresses of the chains we watch: reading what a person pastes (where to send a refund, what to look up), and writing what
 * a chain names in its own way. A mistake in an address loses coins for good, so nothing is guessed or mended.
 *
 * Sources: BIP13, BIP141, BIP173 and BIP350 for Bitcoin's; EIP-55 for the checksum in the capitals of an EVM address.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bech32, bech32m, createBase58check, hex } from '@scure/base';
import { Address, OutScript } from '@scure/btc-signer/payment.js';
import { NETWORK, TEST_NETWORK } from '@scure/btc-signer/utils.js';
import {
  type ChainFamily,
  type ChainName,
  type CryptoNetwork,
  cryptoNetworks,
  familyOf,
  titleOf,
  usdcContractOn,
} from './crypto-chain.ts';
import { secretIn, secretRefused } from './private-key.ts';

export type AddressMistake =
  | 'not_an_address'
  | 'bad_checksum'
  | 'wrong_network'
  | 'wrong_chain'
  /** Nobody could spend what is sent there, or everybody could. */
  | 'unspendable'
  | 'private_key';

/** `address` as it is shown, `to` as `ChainTransfer.to` has it. `message` follows the name of the field: `must be …`. */
export type AddressReading =
  | { ok: true; address: string; to: string }
  | { ok: false; reason: AddressMistake; message: string };

/**
 * Reads an address of this chain and network. EVM addresses are the same on all their chains and networks, so there only
 * the form and the checksum tell. A message never repeats what was given, which may be a secret.
 */
export function readAddress(text: string, chain: ChainName, network: CryptoNetwork): AddressReading {
  const given = text.trim();
  if (transactionForm.test(given)) {
    return refused(
      'not_an_address',
      'must be an address; 64 digits are a transaction or, never to be pasted, a private key',
    );
  }
  const secret = secretIn(given);
  if (secret !== null) return refused('private_key', secretRefused(secret));
  return familyOf(chain) === 'bitcoin'
    ? readBitcoinAddress(given, network)
    : readEvmAddress(given, chain, network);
}

/** What a chain calls `ChainTransfer.to`, as people know it; null for an output script that has no address. */
export function addressOf(
  to: string,
  { family, network }: { family: ChainFamily; network: CryptoNetwork },
): string | null {
  return family === 'evm' ? checksummed(to) : addressOfScript(to, network);
}

/** An EVM address with the capitals that are its checksum. */
export function checksummed(address: string): string {
  const digits = address.slice(2).toLowerCase();
  const hash = hex.encode(keccak_256(new TextEncoder().encode(digits)));
  return `0x${[...digits].map((digit, at) => (hash.charAt(at) >= '8' ? digit.toUpperCase() : digit)).join('')}`;
}

/** Prefixes of addresses. Those of testnet and of a local chain differ in their witness addresses only. */
export const bitcoinPrefixes: Record<CryptoNetwork, typeof NETWORK> = {
  mainnet: NETWORK,
  testnet: TEST_NETWORK,
  local: { ...TEST_NETWORK, bech32: 'bcrt' },
};

const base58check = createBase58check(sha256);

const transactionForm = /^(?:0x)?[0-9a-f]{64}$/i;
const evmForm = /^0x[0-9a-f]{40}$/i;
const lightningForm = /^ln(?:bc|tb|bcrt)\d/i;
const base58Form = /^[123mn][1-9A-HJ-NP-Za-km-z]{24,35}$/;
const otherBase58Form = /^[1-9A-HJ-NP-Za-km-z]{25,36}$/;
const witnessForm = /^([a-z]{2,8})1[a-z0-9]{6,80}$/i;

const mistyped =
  'must be an address without a mistake: its checksum is wrong, so a character is mistyped or missing';

function readBitcoinAddress(given: string, network: CryptoNetwork): AddressReading {
  if (evmForm.test(given)) return otherChain('bitcoin', 'an address of Ethereum or a chain like it');
  if (lightningForm.test(given)) return otherChain('bitcoin', 'an invoice of Lightning');
  const networks = networksOf(given);
  if (networks === 'mistyped') return refused('bad_checksum', mistyped);
  if (networks === 'unknown') return noAddress('bitcoin');
  const [first] = networks;
  if (first === undefined) return otherChain('bitcoin', 'an address of another coin');
  const script = scriptOf(given, first);
  if (script === null) {
    return refused(
      'unspendable',
      'must be an address of a wallet; what is sent to this one, anybody could take',
    );
  }
  if (!networks.includes(network)) return otherNetwork(networks, network);
  return { ok: true, address: base58Form.test(given) ? given : given.toLowerCase(), to: hex.encode(script) };
}

/** The networks whose prefix or version an address has: none for another coin's. */
function networksOf(given: string): readonly CryptoNetwork[] | 'mistyped' | 'unknown' {
  const prefix = witnessForm.exec(given)?.[1]?.toLowerCase();
  if (prefix !== undefined && !base58Form.test(given)) {
    const networks = cryptoNetworks.filter((name) => bitcoinPrefixes[name].bech32 === prefix);
    if (hasWitnessChecksum(given)) return networks;
    if (networks.length > 0) return 'mistyped';
  }
  if (!otherBase58Form.test(given)) return 'unknown';
  const payload = orNull(() => base58check.decode(given));
  if (payload === null) return base58Form.test(given) ? 'mistyped' : 'unknown';
  const [version] = payload;
  return cryptoNetworks.filter((name) => {
    const { pubKeyHash, scriptHash } = bitcoinPrefixes[name];
    return payload.length === 21 && (version === pubKeyHash || version === scriptHash);
  });
}

/** Version 0 has BIP173's checksum, every later one BIP350's; the other one is a mistake. */
function hasWitnessChecksum(given: string): boolean {
  const [first = -1] = bech32.decodeUnsafe(given)?.words ?? [];
  const [later = -1] = bech32m.decodeUnsafe(given)?.words ?? [];
  return first === 0 || later > 0;
}

/** Null for a witness program that has no meaning yet, and for the anchor: they are no wallet's. The checksum is right. */
function scriptOf(given: string, network: CryptoNetwork): Uint8Array | null {
  return orNull(() => {
    const output = Address(bitcoinPrefixes[network]).decode(given);
    return output.type === 'p2a' ? null : OutScript.encode(output);
  });
}

function addressOfScript(script: string, network: CryptoNetwork): string | null {
  return orNull(() => {
    const output = OutScript.decode(hex.decode(script));
    switch (output.type) {
      case 'pkh':
      case 'sh':
      case 'wpkh':
      case 'wsh':
      case 'tr':
      case 'p2a':
        return Address(bitcoinPrefixes[network]).encode(output);
      default:
        return null;
    }
  });
}

function readEvmAddress(given: string, chain: ChainName, network: CryptoNetwork): AddressReading {
  if (!evmForm.test(given)) {
    const ofBitcoin = cryptoNetworks.some((name) => readBitcoinAddress(given, name).ok);
    return ofBitcoin ? otherChain(chain, 'an address of Bitcoin') : noAddress(chain);
  }
  const digits = given.slice(2);
  const address = checksummed(given);
  // In one case only, an address has no checksum; EIP-55 lets that pass.
  const isMixed = digits !== digits.toLowerCase() && digits !== digits.toUpperCase();
  if (isMixed && address !== `0x${digits}`) return refused('bad_checksum', mistyped);
  if (/^0+$/.test(digits) || address === usdcContractOn(chain, network)) {
    return refused(
      'unspendable',
      'must be an address of a wallet; nobody could spend what is sent to this one',
    );
  }
  return { ok: true, address, to: address.toLowerCase() };
}

const examples: Record<ChainFamily, string> = {
  bitcoin: 'beginning with bc1, 1 or 3 (tb1, m, n or 2 where coins have no value)',
  evm: '0x and 40 hexadecimal digits; names are not looked up',
};

function noAddress(chain: ChainName): AddressReading {
  return refused('not_an_address', `must be an address of ${titleOf(chain)}: ${examples[familyOf(chain)]}`);
}

function otherChain(chain: ChainName, what: string): AddressReading {
  return refused(
    'wrong_chain',
    `must be an address of ${titleOf(chain)}, and this is ${what}; coins sent to another chain are lost`,
  );
}

function otherNetwork(networks: readonly CryptoNetwork[], wanted: CryptoNetwork): AddressReading {
  const found = networks.map((name) => networkTitles[name]).join(' or ');
  return refused(
    'wrong_network',
    `must be an address of ${networkTitles[wanted]}, and this is one of ${found}`,
  );
}

const networkTitles: Record<CryptoNetwork, string> = {
  mainnet: "Bitcoin's main network",
  testnet: "Bitcoin's test network, whose coins have no value",
  local: 'a local test chain, whose coins have no value',
};

function refused(reason: AddressMistake, message: string): AddressReading {
  return { ok: false, reason, message };
}

function orNull<Value>(act: () => Value): Value | null {
  try {
    return act();
  } catch {
    return null;
  }
}

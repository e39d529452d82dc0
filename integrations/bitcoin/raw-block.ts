/**
 * Bitcoin's blocks and transactions as they travel between nodes, read into what the chain's watcher compares. A block proves
 * itself: its hash is that of its header, and the header commits to every transaction; a node cannot leave one out or invent
 * one unnoticed. Witnesses are skipped: they say who agreed, never what moved.
 * https://developer.bitcoin.org/reference/block_chain.html, https://github.com/bitcoin/bips/blob/master/bip-0144.mediawiki
 */
import { sha256 } from '@noble/hashes/sha2.js';
import type { ChainTransaction, ChainTransfer } from '../../domain/payments/chain-node.ts';

export type RawBlock = {
  hash: string;
  parentHash: string;
  /** UTC instant the block claims. */
  time: string;
  /** What the coinbase says of its height (BIP 34); means nothing before block 227,931. Null without a number. */
  claimedHeight: number | null;
  transactions: ChainTransaction[];
};

const HEADER_BYTES = 80;
const HASH_BYTES = 32;

/** Reads a whole block. Throws a `RangeError` for anything else, and for one whose header commits to other transactions. */
export function parseBlock(raw: Uint8Array): RawBlock {
  const reader = createReader(raw);
  const parentHash = reader.hashAt(4);
  const merkleRoot = reader.hashAt(36);
  const seconds = reader.uint32At(68);
  reader.skip(HEADER_BYTES);

  const count = reader.varint();
  const transactions: ChainTransaction[] = [];
  const ids: Uint8Array[] = [];
  let claimedHeight: number | null = null;
  for (let position = 0; position < count; position += 1) {
    const { transaction, id, coinbaseScript } = readTransaction(reader);
    transactions.push(transaction);
    ids.push(id);
    if (position === 0 && coinbaseScript) claimedHeight = heightIn(coinbaseScript);
  }
  if (!reader.isAtEnd()) throw new RangeError('A block that goes on after its last transaction');
  if (displayed(merkleRootOf(ids)) !== merkleRoot) {
    throw new RangeError('A block whose header commits to other transactions');
  }
  return {
    hash: displayed(sha256(sha256(raw.subarray(0, HEADER_BYTES)))),
    parentHash,
    time: new Date(seconds * 1000).toISOString(),
    claimedHeight,
    transactions,
  };
}

/** Reads one transaction, with or without witnesses. Throws a `RangeError` for anything else. */
export function parseTransaction(raw: Uint8Array): ChainTransaction {
  const reader = createReader(raw);
  const { transaction } = readTransaction(reader);
  if (!reader.isAtEnd()) throw new RangeError('A transaction that goes on after its end');
  return transaction;
}

type ReadTransaction = {
  transaction: ChainTransaction;
  /** In the order of the hash function's bytes. */
  id: Uint8Array;
  /** Null for all but the first of a block. */
  coinbaseScript: Uint8Array | null;
};

function readTransaction(reader: Reader): ReadTransaction {
  const start = reader.offset();
  reader.skip(4);
  const hasWitnesses = reader.skipSegwitMarker();

  const inputsStart = reader.offset();
  const { spends, coinbaseScript } = readInputs(reader);
  const outputs = readOutputs(reader);
  const outputsEnd = reader.offset();

  if (hasWitnesses) skipWitnesses(reader, spends.length + (coinbaseScript ? 1 : 0));
  const lockTime = reader.bytes(4);

  const id = hasWitnesses
    ? sha256(
        sha256
          .create()
          .update(reader.slice(start, start + 4))
          .update(reader.slice(inputsStart, outputsEnd))
          .update(lockTime)
          .digest(),
      )
    : sha256(sha256(reader.slice(start, reader.offset())));
  const txid = displayed(id);
  return {
    transaction: { txid, spends, transfers: outputs.map((output) => toTransfer(output, txid)) },
    id,
    coinbaseScript,
  };
}

const NO_HASH = '00'.repeat(HASH_BYTES);
const NO_OUTPUT = 0xffffffff;

function readInputs(reader: Reader): { spends: string[]; coinbaseScript: Uint8Array | null } {
  const count = reader.varint();
  if (count === 0) throw new RangeError('A transaction that spends nothing');
  const spends: string[] = [];
  let coinbaseScript: Uint8Array | null = null;
  for (let position = 0; position < count; position += 1) {
    const hash = reader.hashAt(reader.offset());
    reader.skip(HASH_BYTES);
    const vout = reader.uint32();
    const script = reader.bytes(reader.varint());
    reader.skip(4);
    if (vout === NO_OUTPUT && hash === NO_HASH) coinbaseScript = script;
    else spends.push(`${hash}:${vout}`);
  }
  return { spends, coinbaseScript };
}

type Output = { vout: number; to: string; units: bigint };

/** Those that carry coins. */
function readOutputs(reader: Reader): Output[] {
  const count = reader.varint();
  const outputs: Output[] = [];
  for (let vout = 0; vout < count; vout += 1) {
    const units = reader.uint64();
    const length = reader.varint();
    if (units > 0n) outputs.push({ vout, to: reader.hex(length), units });
    else reader.skip(length);
  }
  return outputs;
}

function skipWitnesses(reader: Reader, inputs: number): void {
  for (let input = 0; input < inputs; input += 1) {
    for (let items = reader.varint(); items > 0; items -= 1) reader.skip(reader.varint());
  }
}

function toTransfer({ vout, to, units }: Output, txid: string): ChainTransfer {
  return { key: `${txid}:${vout}`, to, asset: 'BTC', token: null, units };
}

/** Pairs are hashed level by level; the last of an odd level stands twice. */
function merkleRootOf(ids: readonly Uint8Array[]): Uint8Array {
  let level = ids;
  const pair = new Uint8Array(2 * HASH_BYTES);
  while (level.length > 1) {
    const above: Uint8Array[] = [];
    for (let left = 0; left < level.length; left += 2) {
      const first = level[left] as Uint8Array;
      const second = level[left + 1];
      // A list with its end repeated has the same root (CVE-2012-2459).
      if (second && first.every((byte, position) => byte === second[position])) {
        throw new RangeError('A block that holds a transaction twice');
      }
      pair.set(first);
      pair.set(second ?? first, HASH_BYTES);
      above.push(sha256(sha256(pair)));
    }
    level = above;
  }
  const [root] = level;
  if (!root) throw new RangeError('A block without a transaction');
  return root;
}

/** BIP 34: the script begins with the height as a number on the stack; 1 to 16 have opcodes of their own. */
function heightIn(script: Uint8Array): number | null {
  const [length = 0] = script;
  if (length >= 0x51 && length <= 0x60) return length - 0x50;
  if (length < 1 || length > 4 || script.length <= length) return null;
  return script.subarray(1, 1 + length).reduceRight((height, byte) => height * 256 + byte, 0);
}

/** Hashes are shown with their bytes in reverse. */
function displayed(hash: Uint8Array): string {
  return Buffer.from(hash).reverse().toString('hex');
}

type Reader = ReturnType<typeof createReader>;

/** Reads from left to right; a `RangeError` where the bytes end too early. */
function createReader(raw: Uint8Array) {
  const buffer = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  const size = raw.length;
  // One reversed copy, so that showing a hash is a plain slice of it.
  const reversed = Buffer.from(raw).reverse();
  let at = 0;

  /** Moves on by so many bytes, and tells where they began. */
  const take = (length: number): number => {
    const from = at;
    if (length > size - from) throw new RangeError('Bytes that end too early');
    at = from + length;
    return from;
  };
  const uint32 = () => buffer.readUInt32LE(take(4));
  const uint64 = () => buffer.readBigUInt64LE(take(8));

  return {
    offset: () => at,
    isAtEnd: () => at === size,
    skip: (length: number): void => void take(length),
    slice: (from: number, to: number) => raw.subarray(from, to),
    bytes: (length: number) => {
      const from = take(length);
      return raw.subarray(from, from + length);
    },
    hex: (length: number) => {
      const from = take(length);
      return buffer.toString('hex', from, from + length);
    },
    uint32,
    uint64,
    uint32At: (offset: number) => buffer.readUInt32LE(offset),
    hashAt: (offset: number) => {
      if (offset + HASH_BYTES > size) throw new RangeError('Bytes that end too early');
      return reversed.toString('hex', size - offset - HASH_BYTES, size - offset);
    },
    varint: (): number => {
      const first = buffer.readUInt8(take(1));
      if (first < 0xfd) return first;
      if (first === 0xfd) return buffer.readUInt16LE(take(2));
      // More than four bytes count is more than a block can hold.
      if (first === 0xfe) return uint32();
      throw new RangeError('A count beyond the size of a block');
    },
    /** Where a count of inputs would be, a zero and a one announce witnesses. */
    skipSegwitMarker: (): boolean => {
      if (buffer[at] !== 0) return false;
      if (buffer[at + 1] !== 1) throw new RangeError('A transaction of an unknown kind');
      take(2);
      return true;
    },
  };
}

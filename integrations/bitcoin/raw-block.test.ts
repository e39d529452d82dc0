import { createHash } from 'node:crypto';
import { p2pkh, p2tr, p2wpkh, Transaction } from '@scure/btc-signer';
import { pubECDSA, pubSchnorr } from '@scure/btc-signer/utils.js';
import { describe, expect, it } from 'vitest';
import { parseBlock, parseTransaction } from './raw-block.ts';

const key = Buffer.alloc(32, 7);
const segwit = p2wpkh(pubECDSA(key));
const legacy = p2pkh(pubECDSA(key));
const taproot = p2tr(pubSchnorr(key));
const scripts = {
  segwit: Buffer.from(segwit.script).toString('hex'),
  legacy: Buffer.from(legacy.script).toString('hex'),
  taproot: Buffer.from(taproot.script).toString('hex'),
};
const parent = `${'ab'.repeat(31)}01`;

/** The first block of the main network. */
const genesis = Buffer.from(
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3' +
    '888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c0101000000010000000000000000000000000000000000000000000000000000' +
    '000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e2062' +
    '72696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe554827' +
    '1967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f' +
    'ac00000000',
  'hex',
);

describe('a transaction', () => {
  it('with witnesses has the id that leaves them out, its outpoints and its outputs', () => {
    const paid = signedSegwit();
    expect(paid.hasWitnesses).toBe(true);
    expect(parseTransaction(paid.extract())).toEqual({
      txid: paid.id,
      spends: [`${parent}:258`, `${parent}:3`],
      transfers: [
        { key: `${paid.id}:0`, to: scripts.taproot, asset: 'BTC', token: null, units: 5_000_000_001n },
        { key: `${paid.id}:1`, to: scripts.legacy, asset: 'BTC', token: null, units: 546n },
      ],
    });
  });

  it('without witnesses is read as well', () => {
    const paid = signedLegacy();
    expect(paid.hasWitnesses).toBe(false);
    expect(parseTransaction(paid.extract())).toEqual({
      txid: paid.id,
      spends: [`${signedSegwit().id}:1`],
      transfers: [{ key: `${paid.id}:0`, to: scripts.segwit, asset: 'BTC', token: null, units: 400n }],
    });
  });

  it('keeps the place of an output behind one that carries nothing', () => {
    const paid = new Transaction({ allowUnknownOutputs: true });
    paid.addInput({ txid: parent, index: 0, witnessUtxo: { script: segwit.script, amount: 1000n } });
    paid.addOutput({ script: Buffer.from('6a0568656c6c6f', 'hex'), amount: 0n });
    paid.addOutput({ script: segwit.script, amount: 900n });
    paid.sign(key);
    paid.finalize();
    expect(parseTransaction(paid.extract()).transfers).toEqual([
      { key: `${paid.id}:1`, to: scripts.segwit, asset: 'BTC', token: null, units: 900n },
    ]);
  });

  it('with more outputs than one byte counts is read to the last', () => {
    const paid = new Transaction();
    paid.addInput({ txid: parent, index: 0, witnessUtxo: { script: segwit.script, amount: 1_000_000n } });
    for (let units = 1n; units <= 300n; units += 1n) paid.addOutput({ script: segwit.script, amount: units });
    paid.sign(key);
    paid.finalize();
    const { transfers } = parseTransaction(paid.extract());
    expect(transfers.map(({ units }) => units)).toEqual(Array.from({ length: 300 }, (_, n) => BigInt(n + 1)));
    expect(transfers.at(-1)?.key).toBe(`${paid.id}:299`);
  });

  it('that was cut anywhere, or goes on, is refused', () => {
    const raw = signedSegwit().extract();
    for (let length = 0; length < raw.length; length += 1) {
      expect(() => parseTransaction(raw.subarray(0, length)), `${length} bytes`).toThrow(RangeError);
    }
    expect(() => parseTransaction(Buffer.concat([raw, Buffer.of(0)]))).toThrow(RangeError);
  });
});

describe('a block', () => {
  it('of the main network is read with the hash that everybody knows', () => {
    const block = parseBlock(genesis);
    expect(block).toMatchObject({
      hash: '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f',
      parentHash: '0'.repeat(64),
      time: '2009-01-03T18:15:05.000Z',
    });
    expect(block.transactions).toEqual([
      {
        txid: '4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b',
        spends: [],
        transfers: [
          {
            key: '4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b:0',
            to:
              '4104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c3' +
              '84df7ba0b8d578a4c702b6bf11d5fac',
            asset: 'BTC',
            token: null,
            units: 5_000_000_000n,
          },
        ],
      },
    ]);
  });

  it.each([
    ['1', '51', 1],
    ['16', '60', 16],
    ['17', '0111', 17],
    ['255', '02ff00', 255],
    ['840,000', '0340d10c', 840_000],
  ])('of height %s says so in its coinbase', (_height, script, claimed) => {
    expect(parseBlock(blockOf([coinbase(script)])).claimedHeight).toBe(claimed);
  });

  it('has its transactions in their order, of every kind', () => {
    const [first, second] = [signedSegwit(), signedLegacy()];
    const block = parseBlock(blockOf([coinbase('0340d10c'), first.extract(), second.extract()]));
    expect(block.parentHash).toBe(parent);
    expect(block.time).toBe('2026-11-27T12:00:00.000Z');
    expect(block.transactions.slice(1)).toEqual([
      parseTransaction(first.extract()),
      parseTransaction(second.extract()),
    ]);
  });

  it('that leaves a transaction out, adds one or changes an amount is refused', () => {
    const [first, second] = [signedSegwit().extract(), signedLegacy().extract()];
    const whole = blockOf([coinbase('51'), first, second]);
    const header = whole.subarray(0, 80);
    const without = Buffer.concat([header, Buffer.of(2), coinbase('51'), first]);
    const repeated = Buffer.concat([header, Buffer.of(4), coinbase('51'), first, second, second]);
    const changed = Buffer.from(whole);
    changed.writeUInt8(0xff, whole.length - 34);
    for (const block of [without, repeated, changed, whole.subarray(0, -1), Buffer.concat([whole, first])]) {
      expect(() => parseBlock(block)).toThrow(RangeError);
    }
    expect(parseBlock(whole).transactions).toHaveLength(3);
  });

  it('without transactions is refused', () => {
    expect(() => parseBlock(Buffer.concat([genesis.subarray(0, 80), Buffer.of(0)]))).toThrow(RangeError);
    expect(() => parseBlock(Buffer.alloc(0))).toThrow(RangeError);
  });
});

function signedSegwit(): Transaction {
  const paid = new Transaction();
  const witnessUtxo = { script: segwit.script, amount: 2_500_000_500n };
  paid.addInput({ txid: parent, index: 258, witnessUtxo });
  paid.addInput({ txid: parent, index: 3, witnessUtxo });
  paid.addOutput({ script: taproot.script, amount: 5_000_000_001n });
  paid.addOutput({ script: legacy.script, amount: 546n });
  paid.sign(key);
  paid.finalize();
  return paid;
}

/** Spends the second output of `signedSegwit`. */
function signedLegacy(): Transaction {
  const paid = new Transaction();
  paid.addInput({ txid: signedSegwit().id, index: 1, nonWitnessUtxo: signedSegwit().extract() });
  paid.addOutput({ script: segwit.script, amount: 400n });
  paid.sign(key);
  paid.finalize();
  return paid;
}

function coinbase(scriptHex: string): Buffer {
  const script = Buffer.from(scriptHex, 'hex');
  return Buffer.concat([
    Buffer.from('0100000001', 'hex'),
    Buffer.alloc(32),
    Buffer.from('ffffffff', 'hex'),
    Buffer.of(script.length),
    script,
    Buffer.from('ffffffff0100f2052a0100000016', 'hex'),
    segwit.script,
    Buffer.alloc(4),
  ]);
}

function blockOf(transactions: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(80);
  header.writeUInt32LE(0x20000000, 0);
  Buffer.from(parent, 'hex').reverse().copy(header, 4);
  rootOf(transactions.map((raw) => Buffer.from(parseTransaction(raw).txid, 'hex').reverse())).copy(
    header,
    36,
  );
  header.writeUInt32LE(Date.parse('2026-11-27T12:00:00Z') / 1000, 68);
  return Buffer.concat([header, Buffer.of(transactions.length), ...transactions]);
}

function rootOf(ids: readonly Buffer[]): Buffer {
  const [only] = ids;
  if (only && ids.length === 1) return only;
  const pairs = Array.from({ length: Math.ceil(ids.length / 2) }, (_, n) => [ids[2 * n], ids[2 * n + 1]]);
  return rootOf(
    pairs.map(([left, right]) =>
      twice(Buffer.concat([left, right ?? left].filter((id) => id !== undefined))),
    ),
  );
}

function twice(bytes: Buffer): Buffer {
  const sha256 = (of: Buffer) => createHash('sha256').update(of).digest();
  return sha256(sha256(bytes));
}

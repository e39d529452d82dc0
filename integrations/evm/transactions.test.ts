import { describe, expect, it } from 'vitest';
import { reasonIn } from './failure-reason.ts';
import * as shapes from './shapes.ts';
import {
  minedTransaction,
  pendingTransaction,
  systemTransaction,
  transferOf,
  transferTopic,
} from './transactions.ts';

const txid = `0x${'ab'.repeat(32)}`;
const usdc = `0x${'c0'.repeat(20)}`;
const payee = `0x${'0e'.repeat(20)}`;
const known = { coin: 'ETH', usdc } as const;

const word = (hex: string) => hex.replace('0x', '').padStart(64, '0');

const transaction = (differs: object = {}) =>
  shapes.transaction.parse({
    hash: txid,
    blockHash: null,
    from: `0x${'FA'.repeat(20)}`,
    to: payee,
    value: '0x0',
    nonce: '0x1f',
    input: '0x',
    gas: '0x5208',
    ...differs,
  });

const log = (differs: object = {}) => ({
  address: usdc,
  topics: [transferTopic, `0x${word('fa')}`, `0x${word(payee)}`],
  data: `0x${word('2faf080')}`,
  logIndex: '0x2a',
  transactionHash: txid,
  ...differs,
});

const receipt = (differs: object = {}) =>
  shapes.receipt.parse({
    transactionHash: txid,
    blockHash: `0x${'b1'.repeat(32)}`,
    blockNumber: '0x10',
    status: '0x1',
    gasUsed: '0x5208',
    contractAddress: null,
    logs: [],
    ...differs,
  });

describe('a mined transaction', () => {
  it('counts the logs of its own, not those of its block', () => {
    const other = log({ topics: [`0x${'77'.repeat(32)}`], logIndex: '0x29' });
    const mined = minedTransaction({
      transaction: transaction({ to: usdc }),
      receipt: receipt({ logs: [other, log()] }),
      internal: [],
      known,
    });
    expect(mined.transfers).toEqual([
      { key: `${txid}:log:1`, to: payee, asset: 'USDC', token: usdc, units: 50_000_000n },
    ]);
  });

  it('that a rollup made of a deposit needs no nonce, and has no rivals', () => {
    const { type, ...deposit } = {
      type: '0x7e',
      sourceHash: txid,
      mint: '0x5',
      nonce: undefined,
      value: '0x5',
    };
    expect(type).toBe('0x7e');
    const mined = minedTransaction({
      transaction: transaction({ ...deposit, type }),
      receipt: receipt({ depositNonce: '0x1', l1Fee: '0x0' }),
      internal: [],
      known,
    });
    expect(mined).toEqual({
      txid,
      spends: [],
      transfers: [{ key: txid, to: payee, asset: 'ETH', token: null, units: 5n }],
    });
  });

  it('that only its chain knows of tells what its logs tell', () => {
    expect(systemTransaction(receipt({ logs: [log()] }), known)).toEqual({
      txid,
      spends: [],
      transfers: [{ key: `${txid}:log:0`, to: payee, asset: 'USDC', token: usdc, units: 50_000_000n }],
    });
  });

  it("in a coin that is none of ours is of no asset, like Polygon's", () => {
    const mined = minedTransaction({
      transaction: transaction({ value: '0x5' }),
      receipt: receipt(),
      internal: [],
      known: { coin: null, usdc },
    });
    expect(mined.transfers).toEqual([{ key: txid, to: payee, asset: null, token: null, units: 5n }]);
  });
});

describe('a transaction that failed', () => {
  const failed = (
    differs: object,
    { gasUsed = '0x5000', hasReceipt = true, coin = 'ETH' as 'ETH' | null } = {},
  ) =>
    minedTransaction({
      transaction: transaction(differs),
      receipt: hasReceipt ? receipt({ status: '0x0', gasUsed }) : undefined,
      internal: [],
      known: { coin, usdc },
    });
  const meant = { to: payee, asset: 'USDC', units: 5n, failure: 'reverted' };

  it('moves nothing, and says what it had carried', () => {
    expect(failed({ value: '0x5' })).toEqual({
      txid,
      spends: [`0x${'fa'.repeat(20)}:31`],
      transfers: [],
      attempts: [{ ...meant, asset: 'ETH' }],
    });
    expect(failed({ value: '0x5' }, { gasUsed: '0x5208' }).attempts).toEqual([
      { ...meant, asset: 'ETH', failure: 'out of gas' },
    ]);
  });

  it.each([
    ['transfer', `0xa9059cbb${word(payee)}${word('5')}`],
    ['transferFrom', `0x23b872dd${word('fa')}${word(payee)}${word('5')}`],
    ['a signed transfer', `0xe3ee160e${word('fa')}${word(payee)}${word('5')}${word('0').repeat(6)}`],
    ['a transfer signed by a contract', `0xcf092995${word('fa')}${word(payee)}${word('5')}${word('0')}`],
  ])('says whom %s of USDC had meant', (_, input) => {
    expect(failed({ to: usdc, input }).attempts).toEqual([meant]);
  });

  it.each([
    ['asked another contract', { input: `0xa9059cbb${word(payee)}${word('5')}` }],
    ['asked for half a transfer', { to: usdc, input: `0x23b872dd${word('fa')}${word(payee)}` }],
    ['asked for nothing', { to: usdc, input: `0xa9059cbb${word(payee)}${word('0')}` }],
    ['made a contract', { to: null, value: '0x5' }],
  ])('says nothing where it %s', (_, differs) => {
    expect(failed(differs)).not.toHaveProperty('attempts');
  });

  it('is not known to have failed without a receipt', () => {
    expect(failed({ value: '0x5' }, { hasReceipt: false })).not.toHaveProperty('attempts');
  });

  it('says nothing of a coin that is none of ours', () => {
    expect(failed({ value: '0x5' }, { coin: null })).not.toHaveProperty('attempts');
  });
});

describe("a token's log", () => {
  it.each([
    [
      "a collectible's, with a number for a value",
      { topics: [...log().topics, `0x${word('1')}`], data: '0x' },
    ],
    ['one of the first tokens, without topics', { topics: [transferTopic] }],
    ['another event', { topics: [`0x${'77'.repeat(32)}`, `0x${word('1')}`, `0x${word('2')}`] }],
    ['of nothing', { data: `0x${word('0')}` }],
    ['with more data than a value', { data: `0x${word('1')}${word('2')}` }],
    ['taken back', { removed: true }],
  ])('that is %s is no transfer', (_, differs) => {
    expect(transferOf(shapes.log.parse(log(differs)))).toBeNull();
  });
});

describe('a waiting transaction', () => {
  const asks = (input: string, differs: object = {}) =>
    pendingTransaction(transaction({ to: usdc, input, ...differs }), known).transfers;

  it('that asks USDC for a transfer tells to whom and how much', () => {
    expect(asks(`0xa9059cbb${word(payee)}${word('2faf080')}`)).toEqual([
      { key: `${txid}:log:0`, to: payee, asset: 'USDC', token: usdc, units: 50_000_000n },
    ]);
  });

  it.each([
    ['asks for half a transfer', `0xa9059cbb${word(payee)}`, {}],
    ['asks for a transfer of nothing', `0xa9059cbb${word(payee)}${word('0')}`, {}],
    ['asks another token', `0xa9059cbb${word(payee)}${word('5')}`, { to: payee }],
    ['asks for something else', `0x095ea7b3${word(payee)}${word('5')}`, {}],
    ['makes a contract', `0xa9059cbb${word(payee)}${word('5')}`, { to: null }],
  ])('that %s tells nothing', (_, input, differs) => {
    expect(asks(input, differs)).toEqual([]);
  });
});

describe('a reason', () => {
  const said = `0x08c379a0${word('20')}${word('12')}${Buffer.from('address is blocked').toString('hex').padEnd(64, '0')}`;

  it.each([
    ['as bytes', said, 'address is blocked'],
    ['behind a word', `Reverted ${said}`, 'address is blocked'],
    ['inside an object', { data: said }, 'address is blocked'],
    ['as a panic', `0x4e487b71${word('11')}`, 'panic 0x11'],
    ["as a contract's own error", '0x12345678', null],
    ['cut short', said.slice(0, 80), null],
    ['not at all', undefined, null],
  ])('is read %s', (_, data, reason) => {
    expect(reasonIn(data)).toBe(reason);
  });

  it('of many words is cut, and has no line ends', () => {
    const text = `a\nb${'x'.repeat(300)}`;
    const data = `0x08c379a0${word('20')}${word(text.length.toString(16))}${Buffer.from(text).toString('hex')}`;
    const reason = reasonIn(data.padEnd(data.length + 64 - (text.length % 32) * 2, '0'));
    expect(reason).toBe(`a b${'x'.repeat(197)}`);
  });
});

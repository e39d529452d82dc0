import { beforeEach, expect, it } from 'vitest';
import { type ErrorCode, VendorError } from '../domain/errors.ts';
import type { ChainNode } from '../domain/payments/chain-node.ts';
import { firstThatAnswers } from './chain-nodes.ts';

let asked: string[];

beforeEach(() => {
  asked = [];
});

it('asks the first node as long as it answers', async () => {
  const nodes = firstThatAnswers([node('a'), node('b')]);
  expect(nodes.name).toBe('a, b');
  expect(await nodes.hashAt(7)).toBe('7 by a');
  expect(await nodes.hashAt(8)).toBe('8 by a');
  expect(asked).toEqual(['a', 'a']);
});

it('goes on to the next one in order where one fails, and stays with the one that answered', async () => {
  const state: State = { a: down(), b: limited(), c: null };
  const nodes = firstThatAnswers([node('a', state), node('b', state), node('c', state)]);
  expect(await nodes.hashAt(1)).toBe('1 by c');
  expect(await nodes.hashAt(2)).toBe('2 by c');
  expect(asked).toEqual(['a', 'b', 'c', 'c']);

  state['a'] = null;
  state['c'] = down();
  expect(await nodes.hashAt(3)).toBe('3 by a');
});

it('never reads a node of another network, even where no other answers', async () => {
  const state: State = { a: null, b: null };
  const wrong: ChainNode = {
    ...node('a', state),
    checkNetwork: async () => {
      throw refused();
    },
  };
  const nodes = firstThatAnswers([wrong, node('b', state)]);
  expect(await nodes.hashAt(1)).toBe('1 by b');
  await nodes.checkNetwork();
  state['b'] = down();
  await expect(nodes.hashAt(2)).rejects.toMatchObject({ code: 'vendor_unavailable' });
  expect(asked).toEqual(['b', 'b']);
});

it('takes null for an answer', async () => {
  const nodes = firstThatAnswers([node('a'), node('b')]);
  expect(await nodes.find('unknown')).toBeNull();
  expect(asked).toEqual(['a']);
});

it.each<[string, VendorError, VendorError, object]>([
  ['an outage, which passes', refused(), down(), { code: 'vendor_unavailable', retryAfterMs: undefined }],
  ['the shortest delay', limited(9000), limited(4000), { code: 'rate_limited', retryAfterMs: 4000 }],
  ['a refusal only where all refuse', refused(), refused(), { code: 'vendor_rejected_request' }],
])('where none answers, every node is named, and it is %s', async (_what, a, b, expected) => {
  const nodes = firstThatAnswers([node('a', { a }), node('b', { b })]);
  await expect(nodes.tip()).rejects.toMatchObject({
    ...expected,
    message: `No node of the chain can be used. ${a.message}; ${b.message}`,
  });
});

it('a mistake of our own is not covered up by another node', async () => {
  const mistaken: ChainNode = {
    ...node('a'),
    tip: () => Promise.reject(new TypeError('ours')),
  };
  await expect(firstThatAnswers([mistaken, node('b')]).tip()).rejects.toThrow(new TypeError('ours'));
});

it('without a node there is no chain', () => {
  expect(() => firstThatAnswers([])).toThrow(RangeError);
});

type State = Record<string, VendorError | null>;

function node(name: string, state: State = {}): ChainNode {
  const answer = async <Answer>(value: Answer): Promise<Answer> => {
    asked.push(name);
    const failure = state[name];
    if (failure) throw failure;
    return value;
  };
  return {
    name,
    checkNetwork: async () => {},
    tip: () => answer({ height: 1, hash: name }),
    finalized: () => answer(null),
    hashAt: (height) => answer(`${height} by ${name}`),
    block: () => answer(null),
    mempool: () => answer([]),
    pending: () => answer([]),
    used: () => answer([]),
    find: () => answer(null),
    feeRate: () => answer(null),
  };
}

function failure(code: ErrorCode, retryAfterMs?: number): VendorError {
  return new VendorError({ code, message: `${code}!`, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}

function down(): VendorError {
  return failure('vendor_unavailable');
}

function limited(retryAfterMs = 1000): VendorError {
  return failure('rate_limited', retryAfterMs);
}

function refused(): VendorError {
  return failure('vendor_rejected_request');
}

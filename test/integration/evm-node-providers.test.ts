/** What is told of a chain does not depend on what its node offers, and what a node cannot tell is no silence. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Hex } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChainBlock } from '../../domain/payments/chain-node.ts';
import { createEvmNode, type EvmNode } from '../../integrations/evm/client.ts';
import { type EvmWallet, localUsdc } from '../../scripts/chains/evm-wallet.ts';
import { freePorts } from '../../scripts/ports.ts';
import { startTestAnvil, type TestChain } from '../support/anvil.ts';

let chain: TestChain;
let wallet: EvmWallet;
let node: EvmNode;

beforeAll(async () => {
  chain = await startTestAnvil();
  ({ wallet } = chain);
  node = nodeAt(chain.url);
});
afterAll(() => chain?.stop());

const nodeAt = (url: string, differs: Partial<Parameters<typeof createEvmNode>[0]> = {}) =>
  createEvmNode({ url, chain: 'ethereum', network: 'local', usdc: localUsdc, timeoutMs: 5000, ...differs });

const receiver: Hex = '0x0000000000000000000000000000000000abc001';

describe('a node that offers less', () => {
  const payments = async () => {
    await wallet.withoutMining(async () => {
      await wallet.sendEth(receiver, 31n);
      await wallet.forwardEth(receiver, 32n);
      await wallet.sendToken(receiver, 33n);
      await wallet.forwardEthThenRevert(receiver, 34n);
      await wallet.sendTokenOutOfGas(receiver, 35n);
      await wallet.leaveEthTo(receiver, 36n);
      await wallet.sendTokenByContract([{ to: receiver, units: 37n }]);
      await wallet.mine();
    });
    return (await node.tip()).hash;
  };

  it('by traces of another kind tells the very same', async () => {
    await using front = await frontOf({ without: ['debug_traceBlockByHash'] });
    const other = nodeAt(front.url);
    const hash = await payments();
    expect(await other.block(hash)).toEqual(await node.block(hash));
    expect(other.tracesCalls).toBe(true);
    expect(front.methods()).toContain('trace_block');
  });

  it('by receipts one at a time tells the very same', async () => {
    await using front = await frontOf({ without: ['eth_getBlockReceipts'] });
    const other = nodeAt(front.url);
    const hash = await payments();
    expect(await other.block(hash)).toEqual(await node.block(hash));
    expect(front.methods()).toContain('eth_getTransactionReceipt');
  });

  it('by receipts one at a time tells of ether from a contract that was called without any', async () => {
    const calls = [{ type: 'CALL', to: receiver, value: '0x26' }];
    await using front = await frontOf({
      without: ['eth_getBlockReceipts'],
      answers: { debug_traceBlockByHash: { result: [{ result: { type: 'CALL', calls } }] } },
    });
    const txid = await wallet.sendEth(receiver, 0n);
    const told = await nodeAt(front.url).block((await node.tip()).hash);
    expect(told?.transactions.flatMap(({ transfers }) => transfers)).toEqual([
      { key: `${txid}:call:0`, to: receiver, asset: 'ETH', token: null, units: 38n },
    ]);
  });

  it('by having no traces tells the rest, and that it has none', async () => {
    await using front = await frontOf({ without: ['debug_traceBlockByHash', 'trace_block'] });
    const other = nodeAt(front.url);
    expect(other.tracesCalls).toBeNull();
    const hash = await payments();
    const transfersOf = (block: ChainBlock | null) =>
      block?.transactions.flatMap(({ transfers }) => transfers) ?? [];
    expect(transfersOf(await other.block(hash))).toEqual(
      transfersOf(await node.block(hash)).filter(({ key }) => !key.includes(':call:')),
    );
    expect(other.tracesCalls).toBe(false);
  });

  it('for a moment is asked again a minute later', async () => {
    await using front = await frontOf({ without: ['debug_traceBlockByHash', 'trace_block'] });
    let now = 0;
    const other = nodeAt(front.url, { clock: () => now });
    const hash = await payments();
    await other.block(hash);
    front.offer('trace_block');
    now = 59_999;
    await other.block(hash);
    expect(other.tracesCalls).toBe(false);
    now = 60_000;
    expect(await other.block(hash)).toEqual(await node.block(hash));
    expect(other.tracesCalls).toBe(true);
  });

  it('than before is refused: a block without its traces would lose payments', async () => {
    await using front = await frontOf({});
    const other = nodeAt(front.url);
    const hash = await payments();
    await other.block(hash);
    front.without('debug_traceBlockByHash', 'trace_block');
    await expect(other.block(hash)).rejects.toMatchObject({ code: 'vendor_rejected_request' });
    expect(other.tracesCalls).toBe(true);
  });

  it('by not showing its pool tells of the block to be mined next', async () => {
    await using front = await frontOf({ without: ['txpool_content'] });
    await wallet.withoutMining(async () => {
      const txid = await wallet.sendEth(receiver, 41n);
      expect(await nodeAt(front.url).mempool()).toEqual([txid]);
      await wallet.mine();
      expect(await nodeAt(front.url).mempool()).toEqual([]);
    });
  });

  it('by having no finality says so', async () => {
    await using front = await frontOf({
      answers: { eth_getBlockByNumber: { error: { code: -39001, message: 'Unknown block' } } },
    });
    expect(await nodeAt(front.url).finalized()).toBeNull();
  });

  it('is asked as often for a block with many transactions as for one', async () => {
    await using front = await frontOf({});
    const other = nodeAt(front.url);
    await wallet.sendEth(receiver, 1n);
    await other.block((await node.tip()).hash);
    const forOne = front.methods();
    const hash = await payments();
    const already = front.methods().length;
    await other.block(hash);
    expect(front.methods().slice(already)).toEqual(forOne.filter((method) => method !== 'eth_chainId'));
  });
});

describe('a node that cannot be used', () => {
  it('is on another chain: nothing is read from it, and it says which', async () => {
    await using front = await frontOf({});
    const mainnet = nodeAt(front.url, { network: 'mainnet' });
    const refused = { code: 'vendor_rejected_request', message: expect.stringContaining('chain 31337') };
    await expect(mainnet.checkNetwork()).rejects.toMatchObject(refused);
    for (const read of [
      () => mainnet.tip(),
      () => mainnet.block(`0x${'0'.repeat(64)}`),
      () => mainnet.mempool(),
      () => mainnet.pending([`0x${'0'.repeat(64)}`]),
      () => mainnet.find(`0x${'0'.repeat(64)}`),
    ]) {
      await expect(read()).rejects.toMatchObject(refused);
    }
    expect(new Set(front.methods())).toEqual(new Set(['eth_chainId']));
  });

  it('was on another chain when it was asked first, and is used once it is right', async () => {
    await using front = await frontOf({ answers: { eth_chainId: { result: '0x1' } } });
    const local = nodeAt(front.url);
    await expect(local.tip()).rejects.toMatchObject({ code: 'vendor_rejected_request' });
    front.answerAgain('eth_chainId');
    expect(await local.tip()).toEqual(await node.tip());
    await local.tip();
    expect(front.methods().filter((method) => method === 'eth_chainId')).toHaveLength(2);
  });

  it('is down', async () => {
    const { nobody } = await freePorts(['nobody']);
    await expect(nodeAt(`http://127.0.0.1:${nobody}`).tip()).rejects.toMatchObject({
      name: 'VendorError',
      code: 'vendor_unavailable',
      message: `127.0.0.1:${nobody}: no answer (ECONNREFUSED)`,
    });
  });

  it.each([
    ['asks us to slow down', { status: 429, headers: { 'retry-after': '7' } }, 'rate_limited', 7000],
    ['does not know our key', { status: 401 }, 'vendor_rejected_request', undefined],
    ['forbids us', { status: 403, body: 'no' }, 'vendor_rejected_request', undefined],
    ['is ill', { status: 502, body: '<html>' }, 'vendor_unavailable', undefined],
    ['answers nonsense', { status: 200, body: '<html>' }, 'vendor_unavailable', undefined],
    ['sends us elsewhere', { status: 302, headers: { location: '/' } }, 'vendor_unavailable', undefined],
    ['has a limit', rpcError(-32005, 'daily request count exceeded'), 'rate_limited', undefined],
    [
      'finds too much',
      rpcError(-32005, 'query returned more than 10000 results'),
      'vendor_rejected_request',
      undefined,
    ],
    ['is behind', rpcError(-32000, 'header not found'), 'vendor_unavailable', undefined],
    ['does not understand', rpcError(-32602, 'invalid params'), 'vendor_rejected_request', undefined],
  ])('%s', async (_, answer, code, retryAfterMs) => {
    await using front = await frontOf({ http: answer });
    await expect(nodeAt(front.url).tip()).rejects.toMatchObject({ code, retryAfterMs });
  });

  it('is slow', async () => {
    await using front = await frontOf({ http: 'never' });
    await expect(nodeAt(front.url, { timeoutMs: 50 }).tip()).rejects.toMatchObject({
      code: 'vendor_unavailable',
      message: expect.stringContaining('no answer within 0.05 s'),
    });
  });

  it('never gives away its password and key', async () => {
    const said = 'unknown key s3cret-key of alice with pa55word';
    await using front = await frontOf({ http: { status: 401, body: rpcError(-32000, said).body } });
    const secret = nodeAt(`${front.url.replace('//', '//alice:pa55word@')}/v2/s3cret-key?token=t0ken-x`);
    expect(secret.name).toBe(new URL(front.url).host);
    const error: unknown = await secret.tip().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'vendor_rejected_request',
      message: `${secret.name}: unknown key … of … with …`,
      cause: undefined,
    });
    expect(front.lastRequest()).toMatchObject({
      url: '/v2/s3cret-key?token=t0ken-x',
      authorization: `Basic ${Buffer.from('alice:pa55word').toString('base64')}`,
    });
  });

  it('has an address that is none: what to write instead is said, without the secrets', () => {
    expect(() => nodeAt('127.0.0.1:8545')).toThrow(
      new RangeError("An Ethereum node's address begins with http:// or https://."),
    );
    expect(() => nodeAt('https://alice:pa%ss@node.example')).toThrow(
      new RangeError("In an Ethereum node's address, write a % of the user or the password as %25."),
    );
  });
});

type Answer = { status: number; headers?: Record<string, string>; body?: string };
type Call = { id: number; method: string };

function rpcError(code: number, message: string): Answer & { body: string } {
  return { status: 200, body: JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }) };
}

/** A server before the node, as a provider's: it may lack methods, or answer by itself. */
async function frontOf({
  without = [],
  answers = {},
  http,
}: {
  without?: string[];
  answers?: Record<string, object>;
  http?: Answer | 'never';
}) {
  const lacks = new Set(without);
  const own = new Map(Object.entries(answers));
  const asked: string[] = [];
  let last: { url: string | undefined; authorization: string | undefined } | undefined;

  const answerTo = async (call: Call): Promise<object> => {
    asked.push(call.method);
    const common = { jsonrpc: '2.0', id: call.id };
    if (lacks.has(call.method)) {
      const message = `the method ${call.method} does not exist/is not available`;
      return { ...common, error: { code: -32601, message } };
    }
    const given = own.get(call.method);
    if (given) return { ...common, ...given };
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(chain.url, { method: 'POST', headers, body: JSON.stringify(call) });
    return (await answer.json()) as object;
  };

  const server = createServer((request, response) => {
    last = { url: request.url, authorization: request.headers.authorization };
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (http === 'never') return;
      if (http) return void response.writeHead(http.status, http.headers).end(http.body ?? '');
      const calls = JSON.parse(Buffer.concat(chunks).toString()) as Call | Call[];
      const all = Array.isArray(calls) ? Promise.all(calls.map(answerTo)) : answerTo(calls);
      void all.then((body) => response.end(JSON.stringify(body)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    methods: () => [...asked],
    lastRequest: () => last,
    without: (...methods: string[]) => methods.forEach((method) => void lacks.add(method)),
    offer: (method: string) => lacks.delete(method),
    answerAgain: (method: string) => own.delete(method),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

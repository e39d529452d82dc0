/** What the port to a chain tells of a real Ethereum node: every way to pay, and every way in which a payment can fail. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeFunctionData, type Hex, parseAbi } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChainBlock, ChainTransaction, ChainTransfer } from '../../domain/payments/chain-node.ts';
import { createEvmNode, type EvmNode } from '../../integrations/evm/client.ts';
import { type EvmWallet, localContracts, localUsdc } from '../../scripts/chains/evm-wallet.ts';
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

let receivers = 0;
/** An address that nobody was paid at before. */
const receiver = (): Hex => {
  receivers += 1;
  return `0x${(0xabc000 + receivers).toString(16).padStart(40, '0')}`;
};

async function blockOf(asked: EvmNode, txid: string): Promise<ChainBlock> {
  const at = (await asked.find(txid))?.block;
  const block = at ? await asked.block(at.hash) : null;
  if (!block) throw new Error(`${txid} is in no block.`);
  return block;
}

async function minedBy(sent: Promise<string>, asked: EvmNode = node): Promise<ChainTransaction> {
  const txid = await sent;
  const found = (await blockOf(asked, txid)).transactions.find((each) => each.txid === txid);
  if (!found) throw new Error(`${txid} is not in its block.`);
  return found;
}

const eth = (key: string, to: string, units: bigint): ChainTransfer => ({
  key,
  to,
  asset: 'ETH',
  token: null,
  units,
});
const usdc = (key: string, to: string, units: bigint): ChainTransfer => ({
  key,
  to,
  asset: 'USDC',
  token: localUsdc,
  units,
});

describe('a payment in a block', () => {
  it('in ETH is the transaction itself', async () => {
    const to = receiver();
    const { txid, transfers } = await minedBy(wallet.sendEth(to, 1_500_000_000_000_000_001n));
    expect(transfers).toEqual([eth(txid, to, 1_500_000_000_000_000_001n)]);
  });

  it('in USDC is known by its log, whatever its sender writes the address like', async () => {
    const to = '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB';
    const { txid, transfers } = await minedBy(wallet.sendToken(to, 49_990_000n));
    expect(transfers).toEqual([usdc(`${txid}:log:0`, to.toLowerCase(), 49_990_000n)]);
  });

  it('by a contract that pays many at once is seen for each of them', async () => {
    const [first, second] = [receiver(), receiver()];
    const paid = wallet.sendTokenByContract([
      { to: first, units: 1n },
      { to: second, units: 2_000_000n },
    ]);
    const { txid, transfers } = await minedBy(paid);
    expect(transfers).toEqual([usdc(`${txid}:log:0`, first, 1n), usdc(`${txid}:log:1`, second, 2_000_000n)]);
  });

  it('that is minted to the address counts as well', async () => {
    const to = receiver();
    const issuer = '0xa0Ee7A142d267C1f36714E4a8F75612F20a79720';
    const { txid, transfers } = await minedBy(wallet.call('token', 'mint', [to, 7n], { from: issuer }));
    expect(transfers).toEqual([usdc(`${txid}:log:0`, to, 7n)]);
  });

  it('in ETH that a contract sends on is seen beside what the contract was sent', async () => {
    const to = receiver();
    const { txid, transfers } = await minedBy(wallet.forwardEth(to, 5n));
    expect(transfers).toEqual([eth(txid, localContracts.forwarder, 5n), eth(`${txid}:call:0`, to, 5n)]);
    expect(node.tracesCalls).toBe(true);
  });

  it('in ETH out of what a contract holds is seen for each receiver', async () => {
    const [first, second] = [receiver(), receiver()];
    const paid = wallet.sendEthByContract([
      { to: first, wei: 3n },
      { to: second, wei: 4n },
    ]);
    const { txid, transfers } = await minedBy(paid);
    expect(transfers).toEqual([eth(`${txid}:call:0`, first, 3n), eth(`${txid}:call:1`, second, 4n)]);
  });

  it('left behind by a contract that ends itself is seen', async () => {
    const to = receiver();
    const { txid, transfers } = await minedBy(wallet.leaveEthTo(to, 9n));
    expect(transfers.filter((each) => each.to === to)).toEqual([eth(`${txid}:call:1`, to, 9n)]);
  });

  it('by a call that failed inside a transaction that succeeded is none', async () => {
    const [undone, paid] = [receiver(), receiver()];
    const abi = parseAbi(['function forwardThenRevert(address to) payable']);
    const data = encodeFunctionData({ abi, args: [undone] });
    const sent = wallet.sendEthByContract(
      [
        { to: localContracts.forwarder, wei: 8n, data },
        { to: paid, wei: 6n },
      ],
      { way: 'attempt' },
    );
    const { txid, transfers } = await minedBy(sent);
    expect(transfers).toEqual([eth(`${txid}:call:0`, paid, 6n)]);
  });

  it('in a token that only calls itself USDC is of no asset of ours', async () => {
    const to = receiver();
    const { txid, transfers } = await minedBy(wallet.sendOtherToken(to, 1_000_000n));
    expect(transfers).toEqual([
      { key: `${txid}:log:0`, to, asset: null, token: localContracts.otherToken, units: 1_000_000n },
    ]);
  });

  it('of nothing is none, though it leaves a log', async () => {
    expect((await minedBy(wallet.sendToken(receiver(), 0n))).transfers).toEqual([]);
  });

  it('names its sender and nonce as what it spends', async () => {
    const nonce = await wallet.nextNonce();
    const { spends } = await minedBy(wallet.sendEth(receiver(), 1n));
    expect(spends).toEqual([`${wallet.payer.toLowerCase()}:${nonce}`]);
  });
});

describe('a payment that failed', () => {
  it('by a revert moves nothing, and says why', async () => {
    const to = receiver();
    await wallet.setBlocked(to, true);
    const { txid, transfers, spends } = await minedBy(wallet.sendToken(to, 5n));
    expect(transfers).toEqual([]);
    expect(spends).toHaveLength(1);
    const { hash, height } = await blockOf(node, txid);
    expect(await node.find(txid)).toEqual({
      txid,
      spends,
      transfers: [],
      block: { height, hash },
      failure: 'address is blocked',
    });
  });

  it('by a revert takes the coins inside back, too', async () => {
    const { txid, transfers } = await minedBy(wallet.forwardEthThenRevert(receiver(), 5n));
    expect(transfers).toEqual([]);
    expect((await node.find(txid))?.failure).toBe('closed for today');
  });

  it('for want of gas moves nothing, and says so', async () => {
    const { txid, transfers } = await minedBy(wallet.sendTokenOutOfGas(receiver(), 5n));
    expect(transfers).toEqual([]);
    expect((await node.find(txid))?.failure).toBe('out of gas');
  });

  it('without a word of its contract is reverted', async () => {
    const { txid } = await minedBy(wallet.send({ to: localUsdc, data: '0xdeadbeef' }));
    expect((await node.find(txid))?.failure).toBe('reverted');
  });

  it('that never was is not found', async () => {
    expect(await node.find(`0x${'12'.repeat(32)}`)).toBeNull();
  });
});

describe('a payment that waits', () => {
  it('is in the mempool with what it will move, under the key it keeps when it is mined', async () => {
    const [first, second] = [receiver(), receiver()];
    await wallet.withoutMining(async () => {
      const txids = [await wallet.sendEth(first, 11n), await wallet.sendToken(second, 12n)];
      expect([...(await node.mempool())].sort()).toEqual([...txids].sort());
      const pending = await node.pending(txids);
      const [coin = '', token = ''] = txids;
      expect(pending.map(({ transfers }) => transfers)).toEqual([
        [eth(coin, first, 11n)],
        [usdc(`${token}:log:0`, second, 12n)],
      ]);
      expect(await node.find(token)).toEqual({ ...pending[1], block: null, failure: null });

      await wallet.mine();
      expect(await node.mempool()).toEqual([]);
      expect(await node.pending(txids)).toEqual([]);
      const { transactions } = (await node.block((await node.tip()).hash)) ?? {};
      expect(transactions).toEqual(pending);
    });
  });

  it('shares what it spends with the one that replaces it', async () => {
    const [first, second] = [receiver(), receiver()];
    await wallet.withoutMining(async () => {
      const nonce = await wallet.nextNonce();
      const replaced = await wallet.sendEth(first, 11n, { nonce });
      const [before] = await node.pending([replaced]);
      const gasPrice = 100_000_000_000n;
      const replacing = await wallet.sendEth(second, 11n, { nonce, gasPrice });
      expect(await node.mempool()).toEqual([replacing]);
      expect(await node.pending([replaced])).toEqual([]);
      await wallet.mine();
      expect((await node.find(replacing))?.spends).toEqual(before?.spends);
      expect(await node.find(replaced)).toBeNull();
    });
  });
});

describe('the chain', () => {
  it('is followed from block to parent, with the time each claims', async () => {
    await wallet.mine(2);
    const tip = await node.tip();
    const block = await node.block(tip.hash);
    expect(block).toEqual({
      ...tip,
      parentHash: await node.hashAt(tip.height - 1),
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
      transactions: [],
    });
    expect(await node.hashAt(tip.height)).toBe(tip.hash);
    expect(await node.hashAt(tip.height + 1)).toBeNull();
    expect(await node.block(`0x${'12'.repeat(32)}`)).toBeNull();
  });

  it('is final two epochs deep', async () => {
    await wallet.mine(5);
    const { height } = await node.tip();
    expect(await node.finalized()).toEqual({ height: height - 4, hash: await node.hashAt(height - 4) });
  });

  it('after a reorg has the same payment in another block, under the same keys', async () => {
    const to = receiver();
    await wallet.mine();
    const paid = await minedBy(wallet.forwardEth(to, 21n));
    const before = await blockOf(node, paid.txid);
    await wallet.reorg(2, [{ txid: paid.txid, place: 1 }]);
    const after = await blockOf(node, paid.txid);
    expect(after.hash).not.toBe(before.hash);
    expect(after.height).toBe(before.height);
    expect(after.parentHash).not.toBe(before.parentHash);
    expect(after.transactions).toEqual([paid]);
    expect(await node.hashAt(before.height)).toBe(after.hash);
  });

  it('after a reorg without it knows the payment no more', async () => {
    const { txid } = await minedBy(wallet.sendEth(receiver(), 22n));
    const { hash, height } = await blockOf(node, txid);
    await wallet.reorg(1);
    expect(await node.find(txid)).toBeNull();
    expect(await node.hashAt(height)).not.toBe(hash);
    expect((await node.tip()).height).toBe(height);
  });

  it('names what a transaction costs', async () => {
    expect(await node.feeRate()).toBeGreaterThan(0n);
  });
});

describe('a node that offers less', () => {
  const payments = async () => {
    const to = receiver();
    const txids: string[] = [];
    await wallet.withoutMining(async () => {
      txids.push(await wallet.sendEth(to, 31n));
      txids.push(await wallet.forwardEth(to, 32n));
      txids.push(await wallet.sendToken(to, 33n));
      txids.push(await wallet.forwardEthThenRevert(to, 34n));
      txids.push(await wallet.sendTokenOutOfGas(to, 35n));
      txids.push(await wallet.leaveEthTo(to, 36n));
      txids.push(await wallet.sendTokenByContract([{ to, units: 37n }]));
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
      const txid = await wallet.sendEth(receiver(), 41n);
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
    await other.block((await blockOf(node, await wallet.sendEth(receiver(), 1n))).hash);
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

  it('has an address that is none', () => {
    expect(() => nodeAt('127.0.0.1:8545')).toThrow(RangeError);
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
    answerAgain: (method: string) => own.delete(method),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

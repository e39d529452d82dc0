/** What the port to a chain tells of a real Ethereum node: every way to pay, and every way in which a payment can fail. */
import { encodeFunctionData, type Hex, parseAbi } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChainBlock, ChainTransaction, ChainTransfer } from '../../domain/payments/chain-node.ts';
import { createEvmNode, type EvmNode } from '../../integrations/evm/client.ts';
import { type EvmWallet, localContracts, localUsdc } from '../../scripts/chains/evm-wallet.ts';
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
    const next = `${wallet.payer.toLowerCase()}:${nonce + 1}`;
    expect(await node.used([...spends, next])).toEqual(spends);
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
      attempts: [{ to, units: 5n, asset: 'USDC', failure: 'reverted' }],
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

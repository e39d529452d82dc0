/** What the watcher of the Bitcoin chain relies on, on real nodes: blocks, the mempool, replacements and reorganisations. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChainTransfer } from '../../domain/payments/chain-node.ts';
import { createBitcoinNode } from '../../integrations/bitcoin/client.ts';
import { firstThatAnswers } from '../../integrations/chain-nodes.ts';
import { bitcoinWalletAddress, type WalletPayment } from '../../scripts/chains/bitcoin-wallet.ts';
import { joinNodes, partNodes, sameTip, startBtcd, type TestBtcd } from '../support/btcd.ts';

/** Somebody who is paid; with the script of the address. */
const shop = {
  address: 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080',
  script: '0014751e76e8199196d454941c45d1b3a323f1433bd6',
};
const other = bitcoinWalletAddress(7);
const regtestGenesis = '0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206';
const nobodysHash = 'ab'.repeat(32);

let btcd: TestBtcd;

beforeAll(async () => {
  btcd = await startBtcd();
});

afterAll(async () => {
  await btcd.stop();
});

describe('one node', () => {
  /** Nothing of an earlier test waits. */
  beforeEach(async () => {
    await btcd.mine(1);
  });

  it('a payment is seen in the mempool, then in its block, as the same transaction', async () => {
    const { node, wallet } = btcd;
    const paid = await wallet.pay([
      { to: shop.address, units: 125_000n },
      { to: other, units: 546n },
    ]);
    const expected = {
      txid: paid.txid,
      spends: paid.coins.map(({ txid, vout }) => `${txid}:${vout}`),
      transfers: expect.arrayContaining([transferOf(paid, 0, shop.script, 125_000n)]),
    };
    expect(await node.mempool()).toEqual([paid.txid]);
    const [pending] = await node.pending([paid.txid]);
    expect(pending).toEqual(expected);
    expect(pending?.transfers.map(({ units }) => units)).toEqual([125_000n, 546n, paid.change?.units]);
    expect(await node.find(paid.txid)).toEqual({ ...pending, block: null, failure: null });

    const before = await node.tip();
    const [hash = ''] = await btcd.mine(1);
    const tip = { height: before.height + 1, hash };
    expect(await node.tip()).toEqual(tip);
    expect(await node.hashAt(tip.height)).toBe(hash);
    expect(await node.hashAt(tip.height + 1)).toBeNull();
    const block = await node.block(hash);
    expect(block).toMatchObject({ ...tip, parentHash: before.hash });
    expect(block?.transactions).toHaveLength(2);
    expect(block?.transactions[0]).toMatchObject({ spends: [] });
    expect(block?.transactions[1]).toEqual(pending);
    expect(await node.mempool()).toEqual([]);
    expect(await node.pending([paid.txid])).toEqual([]);
    expect(await node.find(paid.txid)).toEqual({ ...pending, block: tip, failure: null });
  });

  it('many outputs in one transaction arrive each under a key of its own', async () => {
    const payees = Array.from({ length: 300 }, (_, n) => ({ to: shop.address, units: 1_000n + BigInt(n) }));
    const paid = await btcd.wallet.pay(payees);
    const [hash = ''] = await btcd.mine(1);
    const block = await btcd.node.block(hash);
    const received = block?.transactions[1]?.transfers.filter(({ to }) => to === shop.script);
    expect(received).toEqual(payees.map(({ units }, n) => transferOf(paid, n, shop.script, units)));
  });

  it('more pending transactions than one request holds are all told, without those that are gone', async () => {
    const { change: coin } = await btcd.wallet.pay(
      Array.from({ length: 120 }, () => ({ to: btcd.wallet.address, units: 10_000n })),
    );
    expect(coin).not.toBeNull();
    await btcd.mine(1);
    const coins = (await btcd.wallet.coins()).filter(({ units }) => units === 10_000n);
    expect(coins).toHaveLength(120);
    const paid: string[] = [];
    for (const each of coins) {
      const payment = await btcd.wallet.pay({ to: shop.address, units: 5_000n }, { coins: [each] });
      paid.push(payment.txid);
    }
    const pending = await btcd.node.pending([nobodysHash, ...paid]);
    expect(pending.map(({ txid }) => txid)).toEqual(paid);
    expect((await btcd.node.mempool()).toSorted()).toEqual(paid.toSorted());
  });

  it('a replacement shares an outpoint with what it replaces, and takes its place', async () => {
    const first = await btcd.wallet.pay({ to: shop.address, units: 200_000n });
    const [before] = await btcd.node.pending([first.txid]);
    const away = await btcd.wallet.replace(first, { payees: [{ to: other, units: 200_000n }] });
    const [after] = await btcd.node.pending([away.txid]);
    expect(after?.spends).toEqual(before?.spends);
    expect(after?.transfers.map(({ to }) => to)).not.toContain(shop.script);
    expect(await btcd.node.mempool()).toEqual([away.txid]);
    expect(await btcd.node.find(first.txid)).toBeNull();

    const back = await btcd.wallet.replace(away, { payees: first.payees });
    const found = await btcd.node.find(back.txid);
    expect(found?.spends).toEqual(before?.spends);
    expect(found?.transfers).toContainEqual(transferOf(back, 0, shop.script, 200_000n));
  });

  it('what does not announce that it may be replaced cannot be', async () => {
    const first = await btcd.wallet.pay({ to: shop.address, units: 200_000n }, { rbf: false });
    await expect(btcd.wallet.replace(first)).rejects.toMatchObject({ code: 'vendor_rejected_request' });
    expect(await btcd.node.mempool()).toEqual([first.txid]);
  });

  it('a child of an unmined payment spends its output', async () => {
    const parent = await btcd.wallet.pay({ to: other, units: 90_000n });
    const change = parent.change ?? expect.fail('no change');
    const child = await btcd.wallet.pay({ to: shop.address, units: 70_000n }, { coins: [change] });
    const [found] = await btcd.node.pending([child.txid]);
    expect(found?.spends).toEqual([`${parent.txid}:1`]);
    // What is not mined has used up nothing, and neither is what it makes there to be used.
    const spends = [...parent.coins.map(({ txid, vout }) => `${txid}:${vout}`), `${parent.txid}:1`];
    expect(await btcd.node.used(spends)).toEqual([]);
    await btcd.mine(1);
    expect(await btcd.node.used([...spends, `${child.txid}:0`, `${nobodysHash}:0`])).toEqual(spends);
  });

  it('a block that leaves the chain stays readable, and its payments wait again', async () => {
    const { node } = btcd;
    const paid = await btcd.wallet.pay({ to: shop.address, units: 300_000n });
    const [hash = ''] = await btcd.mine(1);
    const block = await node.block(hash);
    const { height } = await node.tip();

    await btcd.invalidate(hash);
    expect(await node.hashAt(height)).toBeNull();
    expect(await node.block(hash)).toEqual(block);
    expect(await node.find(paid.txid)).toMatchObject({ block: null });
    const [, onTop] = await btcd.mine(2);
    expect(await node.hashAt(height)).not.toBe(hash);
    expect(await node.tip()).toEqual({ height: height + 1, hash: onTop });
    expect((await node.find(paid.txid))?.block?.height).toBe(height);

    await btcd.reconsider(hash);
    expect(await node.tip()).toEqual({ height: height + 1, hash: onTop });
  });

  it('the coins of the wallet are one after they were consolidated', async () => {
    const made = await btcd.wallet.consolidate();
    expect(await btcd.wallet.coins()).toEqual([]);
    await btcd.mine(1);
    const coins = await btcd.wallet.coins();
    expect(coins).toContainEqual(made.change);
    // Besides it, at most what ripened with this block.
    expect(coins.length).toBeLessThanOrEqual(2);
  });

  it('says null for what it does not know', async () => {
    const { node } = btcd;
    expect(await node.block(nobodysHash)).toBeNull();
    expect(await node.find(nobodysHash)).toBeNull();
    expect(await node.hashAt(0)).toBe(regtestGenesis);
    expect(await node.finalized()).toBeNull();
  });
});

describe('a node that cannot be used', () => {
  it.each(['testnet', 'mainnet'] as const)('is refused when %s was expected', async (network) => {
    const node = createBitcoinNode({ url: btcd.url, network });
    const refusal = {
      code: 'vendor_rejected_request',
      message: `Bitcoin node ${node.name}: is on local, not on ${network}; name a node of ${network}`,
    };
    await expect(node.checkNetwork()).rejects.toMatchObject(refusal);
    await expect(node.tip()).rejects.toMatchObject(refusal);
  });

  it('tells a wrong password from an outage', async () => {
    const url = new URL(btcd.url);
    url.password = 'guessed';
    await expect(createBitcoinNode({ url: url.href, network: 'local' }).tip()).rejects.toMatchObject({
      code: 'vendor_rejected_request',
      message: expect.stringMatching(/refuses the user or the password/),
    });
  });

  describe('and comes back', () => {
    let second: TestBtcd;

    beforeAll(async () => {
      second = await startBtcd({ blocks: 5 });
    });

    afterAll(async () => {
      await second.stop();
    });

    it('is passed over for one that answers, and has the chain it had', async () => {
      const both = firstThatAnswers([second.node, btcd.node]);
      const tip = await both.tip();
      expect(tip.height).toBe(5);
      // Nothing was ever paid on this chain.
      expect(await both.feeRate()).toBeNull();
      await second.down();
      await expect(second.node.tip()).rejects.toMatchObject({ code: 'vendor_unavailable' });
      expect(await both.tip()).toEqual(await btcd.node.tip());
      await second.up();
      expect(await second.node.tip()).toEqual(tip);
    });
  });
});

describe('two nodes', () => {
  let rival: TestBtcd;

  beforeAll(async () => {
    rival = await startBtcd({ blocks: 0 });
    await btcd.mine(1);
    await joinNodes(btcd, rival);
  });

  afterAll(async () => {
    await rival.stop();
  });

  /** A payment of two blocks on one node, and its double spend in four blocks on the other. */
  async function doubleSpend(): Promise<{ paid: WalletPayment; conflict: WalletPayment; fork: number }> {
    await partNodes(btcd, rival);
    const { height: fork } = await btcd.node.tip();
    const paid = await btcd.wallet.pay({ to: shop.address, units: 400_000n });
    await btcd.mine(2);
    const conflict = await rival.wallet.pay({ to: other, units: 400_000n }, { coins: paid.coins });
    await rival.mine(4);
    expect((await btcd.node.find(paid.txid))?.block?.height).toBe(fork + 1);
    return { paid, conflict, fork };
  }

  it('a longer chain takes over and confirms a double spend; the orphan still seems to wait', async () => {
    const { paid, conflict, fork } = await doubleSpend();
    const left = await btcd.node.hashAt(fork + 1);
    await joinNodes(btcd, rival);
    await sameTip(btcd, rival);

    expect(await btcd.node.tip()).toMatchObject({ height: fork + 4 });
    expect(await btcd.node.hashAt(fork + 1)).not.toBe(left);
    const rivalFound = await btcd.node.find(conflict.txid);
    expect(rivalFound?.block).toEqual({ height: fork + 1, hash: await rival.node.hashAt(fork + 1) });

    // The mempool is no proof of life: both are told, and only what they spend says that one of them is dead.
    expect(await btcd.node.mempool()).toContain(paid.txid);
    const [orphan] = await btcd.node.pending([paid.txid]);
    expect(orphan?.spends).toEqual(rivalFound?.spends);
    expect(await btcd.node.find(paid.txid)).toMatchObject({ txid: paid.txid, block: null });
    await btcd.mine(1);
    expect(await btcd.node.mempool()).toContain(paid.txid);
    // The node that never had it does not know it.
    expect(await rival.node.find(paid.txid)).toBeNull();
  });

  it('the wallet of each node sees the coins of its own chain', async () => {
    const coins = await btcd.wallet.coins();
    await sameTip(btcd, rival);
    const rivals = await rival.wallet.coins();
    expect(rivals.map(({ txid, vout }) => `${txid}:${vout}`)).toEqual(
      expect.arrayContaining(coins.map(({ txid, vout }) => `${txid}:${vout}`)),
    );
  });
});

function transferOf({ txid }: WalletPayment, vout: number, to: string, units: bigint): ChainTransfer {
  return { key: `${txid}:${vout}`, to, asset: 'BTC', token: null, units };
}

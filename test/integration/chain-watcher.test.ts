/**
 * The watcher of a chain against every mishap of chains, nodes and processes: what an invoice is worth in the end depends on
 * the chain alone, and never on when or how often somebody looked.
 */
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchFor } from '../../activities/payments/chain-watcher.ts';
import { createMempoolReader } from '../../activities/payments/mempool-reader.ts';
import { withSystem, withTenant } from '../../db/client.ts';
import { LeaseLostError, takeLease } from '../../db/queries/payments/chain-cursor.ts';
import { readChainHealth } from '../../db/queries/payments/chain-health.ts';
import { rescanChain, resumeChain } from '../../db/queries/payments/rescan-chain.ts';
import { decideCryptoInvoices } from '../../db/queries/payments/save-decision.ts';
import { VendorError } from '../../domain/errors.ts';
import type { ChainTransaction } from '../../domain/payments/chain-node.ts';
import {
  bitcoinTransaction,
  createStillChain,
  evmTransaction,
  type StillChain,
  type StillNode,
} from '../support/still-chain.ts';
import { type ChainScene, createChainScene, DUE, type Watcher } from './chain-scene.ts';

let scene: ChainScene;
let chain: StillChain;
let node: StillNode;
let watcher: Watcher;

beforeEach(async () => {
  scene = await createChainScene();
  chain = createStillChain({ clock: scene.now });
  node = chain.node();
  node.mineEmpty(10);
  watcher = await scene.watch(node);
  await watcher.poll();
});
afterEach(() => scene.close());

describe('a payment', () => {
  it('is seen, mined and confirmed, and costs its invoice one signal', async () => {
    const { id, target } = await scene.offer();
    node.send(bitcoinTransaction([{ to: target, units: DUE }]));
    await watcher.poll();
    expect([await scene.standing(id), await scene.payments(id)]).toEqual(['processing', ['100000 seen']]);

    node.mine([pendingOf(node)]);
    await watcher.poll();
    expect(await scene.payments(id)).toEqual(['100000 mined @11']);
    node.mine();
    await watcher.poll();
    node.mine();
    await watcher.poll();
    expect([await scene.standing(id), await scene.payments(id)]).toEqual([
      'settled',
      ['100000 confirmed @11'],
    ]);
    expect(await scene.events(id)).toEqual(['payment_seen', 'processing', 'settled']);
    expect(await scene.signals(id)).toBe(1);
  });

  it('that is first seen in a block counts from the block’s time', async () => {
    const { id, target } = await scene.offer();
    scene.pass({ minutes: 40 });
    node.mine([bitcoinTransaction([{ to: target, units: DUE }])], { time: '2026-03-01T12:14:30.000Z' });
    await watcher.poll();
    expect([await scene.standing(id), await scene.events(id)]).toEqual([
      'processing',
      ['payment_seen', 'processing'],
    ]);
    expect((await scene.rows(id)).map(({ effectiveAt }) => effectiveAt.toISOString())).toEqual([
      '2026-03-01T12:14:30.000Z',
    ]);
  });

  it('is kept with the price of its time, and without one where none is fresh', async () => {
    const [priced, unpriced] = [await scene.offer(), await scene.offer()];
    await scene.price('BTC', '100000');
    node.send(bitcoinTransaction([{ to: priced.target, units: DUE }]));
    await watcher.poll();
    scene.pass({ minutes: 6 });
    node.send(bitcoinTransaction([{ to: unpriced.target, units: DUE }]));
    await watcher.poll();
    expect((await scene.rows(priced.id)).map(({ usdRate }) => usdRate)).toEqual(['100000']);
    expect((await scene.rows(unpriced.id)).map(({ usdRate }) => usdRate)).toEqual([null]);
  });

  it('of many to us in one transaction is one of 3,500', async () => {
    const offers = await scene.offers(3_500);
    const outputs = offers.map(({ target }) => ({ to: target, units: DUE }));
    node.mine([bitcoinTransaction(outputs)]);
    expect((await watcher.poll()).payments).toBe(3_500);
    node.mineEmpty(2);
    await watcher.poll();
    const settled = await Promise.all(
      offers.filter((_, i) => i % 500 === 0).map(({ id }) => scene.standing(id)),
    );
    expect(settled).toEqual(Array.from({ length: 7 }, () => 'settled'));
  });
});

describe('a mempool larger than one look', () => {
  it('holds up no block, and lets nothing expire that may have been paid in it', async () => {
    for (let i = 0; i < 8; i += 1)
      node.send(bitcoinTransaction([{ to: `0014${'e'.repeat(40)}`, units: 1n }]));
    const paid = await scene.offer({ expiresIn: 10 });
    const mined = await scene.offer({ expiresIn: 10 });
    node.send(bitcoinTransaction([{ to: paid.target, units: DUE }]));
    node.mine([bitcoinTransaction([{ to: mined.target, units: DUE }])]);
    const unpaid = await scene.offer({ expiresIn: 10 });
    const { freshUntil } = await scene.chain();
    const begun = await scene.watch(node, { mempool: createMempoolReader({ atOnce: 4 }) });

    scene.pass({ minutes: 11 });
    await begun.poll();
    expect(await scene.payments(mined.id)).toEqual(['100000 mined @11']);
    await begun.poll();
    expect((await scene.chain()).freshUntil).toEqual(freshUntil);
    expect([await scene.standing(paid.id), await scene.standing(unpaid.id)]).toEqual([
      'awaiting',
      'awaiting',
    ]);
    await begun.poll();
    expect((await scene.chain()).freshUntil).toEqual(scene.now());
    expect(await scene.payments(paid.id)).toEqual(['100000 seen late']);
    expect(await scene.standing(unpaid.id)).toBe('expired');
  });
});

describe('a reorganisation', () => {
  it.each([1, 2, 3, 4, 5])(
    '%i deep that mines the payment again changes nothing but its block',
    async (depth) => {
      const { id, target } = await scene.offer();
      const paying = bitcoinTransaction([{ to: target, units: DUE }]);
      node.mine([paying]);
      node.mineEmpty(depth - 1);
      await watcher.poll();
      const events = await scene.events(id);
      node.reorganise(depth, [[paying], ...Array.from({ length: depth }, () => [])]);
      await watcher.poll();
      expect(await scene.payments(id)).toEqual([`100000 ${depth >= 2 ? 'confirmed' : 'mined'} @11`]);
      const paused = depth >= 3 ? ['paused'] : [];
      expect((await scene.events(id)).filter((kind) => !['settled', ...paused].includes(kind))).toEqual(
        events.filter((kind) => kind !== 'settled'),
      );
      expect((await scene.rows(id)).map(({ orphanedAt }) => orphanedAt)).toEqual([null]);
    },
  );

  it('that leaves the payment out reverses it, and mines it again with the time it had', async () => {
    const { id, target } = await scene.offer();
    const paying = bitcoinTransaction([{ to: target, units: DUE }]);
    node.mine([paying]);
    await watcher.poll();
    scene.pass({ minutes: 5 });
    node.reorganise(1, [[], []]);
    await watcher.poll();
    expect(await scene.payments(id)).toEqual(['100000 orphaned']);
    scene.pass({ minutes: 30 });
    node.mine([paying]);
    await watcher.poll();
    expect(await scene.payments(id)).toEqual(['100000 mined @13']);
    expect((await scene.rows(id)).map(({ effectiveAt }) => effectiveAt.toISOString())).toEqual([
      '2026-03-01T12:00:00.000Z',
    ]);
    expect((await scene.events(id)).includes('expired')).toBe(false);
  });

  it('that confirms a double spend kills the payment, although the node keeps it in its mempool', async () => {
    const { id, target } = await scene.offer();
    const paying = bitcoinTransaction([{ to: target, units: DUE }], { spends: ['coin:0'] });
    const away = bitcoinTransaction([{ to: 'elsewhere', units: DUE }], { spends: ['coin:0'] });
    node.mine([paying]);
    await watcher.poll();
    node.reorganise(1, [[away], []]);
    node.keep(paying);
    await watcher.poll();
    await watcher.poll();
    expect(await rivals(id)).toEqual([`${away.txid} @11`]);
    expect((await scene.invoice(id)).creditedUnits).toBe(0n);
    node.mineEmpty(4);
    await watcher.poll();
    expect(await scene.payments(id)).toEqual(['100000 double_spent']);
    // A new process sees the dead one in the mempool as if for the first time.
    await (await scene.watch(node)).poll();
    expect(await scene.payments(id)).toEqual(['100000 double_spent']);
    expect(await rivals(id)).toEqual([`${away.txid} @11`]);
  });

  it('that takes the double spend out again lets the payment live', async () => {
    const { id, target } = await scene.offer();
    const paying = bitcoinTransaction([{ to: target, units: DUE }], { spends: ['coin:0'] });
    const away = bitcoinTransaction([{ to: 'elsewhere', units: DUE }], { spends: ['coin:0'] });
    node.send(paying);
    await watcher.poll();
    node.mine([away]);
    await watcher.poll();
    expect(await rivals(id)).toEqual([`${away.txid} @11`]);
    node.reorganise(1, [[paying], []]);
    await watcher.poll();
    expect(await scene.payments(id)).toEqual(['100000 mined @11']);
    expect(await scene.standing(id)).toBe('processing');
  });

  it('that mines a contract’s transfer again with less keeps no more than that', async () => {
    const evm = createStillChain({ clock: scene.now }).node();
    const { id, target } = await scene.offer({ chain: 'ethereum', asset: 'USDC', dueUnits: 100_000_000n });
    const ethereum = await scene.watch(evm, { chain: 'ethereum' });
    await ethereum.poll();
    const paying = evmTransaction([{ to: target, units: 100_000_000n, asset: 'USDC', token: '0xusdc' }]);
    evm.mine([paying]);
    await ethereum.poll();
    expect(await scene.standing(id)).toBe('processing');
    const poorer = {
      ...paying,
      transfers: paying.transfers.map((each) => ({ ...each, units: 60_000_000n })),
    };
    evm.reorganise(1, [[poorer], []]);
    await ethereum.poll();
    expect(await scene.payments(id)).toEqual(['60000000 mined @1']);
    expect((await scene.invoice(id)).creditedUnits).toBe(60_000_000n);
    const elsewhere = { ...paying, transfers: paying.transfers.map((each) => ({ ...each, to: '0xother' })) };
    evm.reorganise(2, [[elsewhere], [], []]);
    await ethereum.poll();
    expect((await scene.invoice(id)).creditedUnits).toBe(0n);
    expect(await rivals(id)).toEqual([`${paying.txid} @1`]);
  });

  it('that mines a contract’s transfer again to another of our invoices takes it from the first and gives it to the second', async () => {
    const evm = createStillChain({ clock: scene.now }).node();
    const usdc = { chain: 'ethereum', asset: 'USDC', dueUnits: 100_000_000n } as const;
    const [first, second] = [await scene.offer(usdc), await scene.offer(usdc)];
    const ethereum = await scene.watch(evm, { chain: 'ethereum' });
    evm.setFinalized(0);
    await ethereum.poll();
    const paying = evmTransaction([
      { to: first.target, units: 100_000_000n, asset: 'USDC', token: '0xusdc' },
    ]);
    const diverted = {
      ...paying,
      transfers: paying.transfers.map((each) => ({ ...each, to: second.target })),
    };
    const nobody = ['awaiting', []];
    const paid = ['processing', ['100000000 mined @1']];
    const of = async ({ id }: { id: string }) => [await scene.standing(id), await scene.payments(id)];
    evm.mine([paying]);
    await ethereum.poll();
    expect([await of(first), await of(second)]).toEqual([paid, nobody]);

    evm.reorganise(1, [[diverted], []]);
    await ethereum.poll();
    expect(await of(first)).toEqual(['awaiting [replaced, reorged]', ['100000000 replaced']]);
    expect(await of(second)).toEqual(paid);
    const before = await scene.everything();
    await withSystem(scene.db, (tx) => rescanChain(tx, { chain: 'ethereum', fromHeight: 1 }));
    await ethereum.poll();
    expect(await scene.everything()).toEqual(before);

    evm.reorganise(2, [[paying], [], []]);
    await ethereum.poll();
    expect([await of(first), (await of(second))[1]]).toEqual([paid, ['100000000 replaced']]);
    evm.reorganise(3, [[diverted], [], [], []]);
    evm.mineEmpty(12);
    await ethereum.poll();
    expect(await of(first)).toEqual(['awaiting [replaced]', ['100000000 replaced']]);
    expect(await of(second)).toEqual(['settled', ['100000000 confirmed @1']]);
    expect((await scene.events(second.id)).filter((kind) => kind === 'settled')).toEqual(['settled']);
  });

  it('deeper than what is kept is found by ever fewer blocks', async () => {
    const { id, target } = await scene.offer({ expiresIn: 60 });
    const paying = bitcoinTransaction([{ to: target, units: DUE }]);
    node.mineEmpty(60);
    node.mine([paying]);
    node.mineEmpty(900);
    await watcher.poll();
    const kept = await scene.everything();
    expect((kept as { blocks: unknown[] }).blocks.length).toBeLessThan(330);
    node.reorganise(
      920,
      Array.from({ length: 921 }, () => []),
    );
    await watcher.poll();
    expect(await scene.payments(id)).toEqual(['100000 orphaned']);
    expect((await scene.chain()).height).toBe(node.peek().height);
    expect((await scene.chain()).pauseReason).toMatch(
      /^a reorganisation has taken \d+ blocks out of the chain$/,
    );
  });

  it('pauses the chain from the depth on that is set', async () => {
    const pauseReorgDepth = { bitcoin: 5, evm: 64 };
    node.mineEmpty(10);
    await watcher.poll();
    node.reorganise(4, [[], [], [], [], []]);
    await watcher.poll({ settings: { pauseReorgDepth } });
    expect((await scene.chain()).pausedAt).toBeNull();
    node.reorganise(4, [[], [], [], [], []]);
    await watcher.poll({ settings: { pauseReorgDepth: { ...pauseReorgDepth, bitcoin: 4 } } });
    expect((await scene.chain()).pauseReason).toBe('a reorganisation has taken 4 blocks out of the chain');
  });

  it('without any common block pauses the chain and reads nothing', async () => {
    const stranger = createStillChain({ clock: scene.now }).node();
    stranger.mineEmpty(20);
    await scene.sql("update chain_blocks set hash = 'x' || hash");
    await scene.sql("update chains set hash = 'x' || hash");
    const before = (await scene.chain()).height;
    await expect(watcher.poll({ node: stranger })).rejects.toThrow(/shares no block with what was read/);
    const row = await scene.chain();
    expect([row.height, row.pauseReason]).toEqual([
      before,
      `the node shares no block with what was read up to ${before}`,
    ]);
  });
});

describe('a replacement', () => {
  it('that pays us too takes the place and the time of what it replaces', async () => {
    const { id, target } = await scene.offer();
    node.send(bitcoinTransaction([{ to: target, units: DUE }], { spends: ['coin:0'] }));
    scene.pass({ minutes: 14 });
    await watcher.poll();
    scene.pass({ minutes: 30 });
    node.send(bitcoinTransaction([{ to: target, units: DUE }], { spends: ['coin:0', 'fee:1'] }));
    await watcher.poll();
    expect(await scene.payments(id)).toEqual(['100000 replaced', '100000 seen']);
    expect((await scene.invoice(id)).creditedUnits).toBe(DUE);
    expect(await scene.events(id)).toEqual(['payment_seen', 'processing', 'payment_replaced']);
  });

  it('that pays somebody else reverses the payment at once', async () => {
    const { id, target } = await scene.offer();
    node.send(bitcoinTransaction([{ to: target, units: DUE }], { spends: ['coin:0'] }));
    await watcher.poll();
    node.send(bitcoinTransaction([{ to: 'elsewhere', units: DUE }], { spends: ['coin:0'] }));
    await watcher.poll();
    expect(await scene.payments(id)).toEqual(['100000 replaced']);
    expect((await scene.standing(id)).startsWith('awaiting')).toBe(true);
  });

  it('that pays another of our invoices is no attempt to cheat', async () => {
    const [first, second] = [await scene.offer(), await scene.offer()];
    node.send(bitcoinTransaction([{ to: first.target, units: DUE }], { spends: ['coin:0'] }));
    await watcher.poll();
    const paying = bitcoinTransaction([{ to: second.target, units: DUE }], { spends: ['coin:0'] });
    node.send(paying);
    await watcher.poll();
    const of = async ({ id }: { id: string }) => [await scene.standing(id), await scene.payments(id)];
    const replaced = ['awaiting [replaced]', ['100000 replaced']];
    expect([await of(first), await of(second)]).toEqual([replaced, ['processing', ['100000 seen']]]);
    expect((await scene.invoice(first.id)).requiredDepth).toBe(3);

    node.mine([paying]);
    node.mineEmpty(6);
    await watcher.poll();
    expect([await of(first), await of(second)]).toEqual([replaced, ['settled', ['100000 confirmed @11']]]);
    const told = ['payment_seen', 'processing', 'payment_replaced', 'payment_reversed'];
    expect(await scene.events(first.id)).toEqual(told);
    // Whoever decides later, and sees only what is the tenant's, decides the same.
    await withTenant(scene.db, scene.tenantId, (tx) =>
      decideCryptoInvoices(tx, { ids: [first.id], now: scene.now().toISOString() }),
    );
    expect([await of(first), await scene.events(first.id)]).toEqual([replaced, told]);
  });

  it('that pays another of our invoices next to nothing is an attempt all the same', async () => {
    const [first, second] = [await scene.offer(), await scene.offer()];
    node.send(bitcoinTransaction([{ to: first.target, units: DUE }], { spends: ['coin:0'] }));
    await watcher.poll();
    node.send(bitcoinTransaction([{ to: second.target, units: 500n }], { spends: ['coin:0'] }));
    await watcher.poll();
    expect(await scene.standing(first.id)).toBe('awaiting [replaced, double_spend_attempt]');
  });

  it('of a parent, which is none of ours, takes the child that pays us with it', async () => {
    const { id, target } = await scene.offer();
    const parent = bitcoinTransaction([{ to: 'change', units: 1n }], { spends: ['coin:0'] });
    const child = bitcoinTransaction([{ to: target, units: DUE }], { spends: [`${parent.txid}:0`] });
    node.send(parent, child);
    await watcher.poll();
    expect(await scene.standing(id)).toBe('processing [unconfirmed_parent]');
    expect((await scene.rows(id)).map(({ unconfirmedParent }) => unconfirmedParent)).toEqual([parent.txid]);
    node.send(bitcoinTransaction([{ to: 'elsewhere', units: 1n }], { spends: ['coin:0'] }));
    node.drop(child.txid);
    await watcher.poll();
    expect(await scene.payments(id)).toEqual(['100000 replaced']);
  });

  it('of a child whose parent is mined first needs no parent any more', async () => {
    const { id, target } = await scene.offer();
    const parent = bitcoinTransaction([{ to: 'change', units: 1n }], { spends: ['coin:0'] });
    const child = bitcoinTransaction([{ to: target, units: DUE }], { spends: [`${parent.txid}:0`] });
    node.send(parent, child);
    await watcher.poll();
    node.mine([parent]);
    await watcher.poll();
    expect(await scene.standing(id)).toBe('processing');
  });

  it('by the same sender and nonce is one on EVM chains', async () => {
    const evm = createStillChain({ clock: scene.now }).node();
    const { id, target } = await scene.offer({ chain: 'ethereum', asset: 'USDC', dueUnits: 100_000_000n });
    const ethereum = await scene.watch(evm, { chain: 'ethereum' });
    evm.setFinalized(0);
    await ethereum.poll();
    const usdc = { to: target, units: 100_000_000n, asset: 'USDC', token: '0xusdc' } as const;
    evm.send(evmTransaction([usdc], { spends: ['0xsender:7'] }));
    await ethereum.poll();
    evm.mine([evmTransaction([], { spends: ['0xsender:7'] })]);
    await ethereum.poll();
    expect((await scene.rows(id)).map(({ rivalHeight }) => rivalHeight)).toEqual([1]);
    evm.mineEmpty(80);
    evm.setFinalized(70);
    await ethereum.poll();
    expect(await scene.payments(id)).toEqual(['100000000 double_spent']);
  });
});

describe('money that nobody asked for', () => {
  it('on another chain to the same address is kept with its own chain, and asks for a review', async () => {
    const evm = createStillChain({ clock: scene.now }).node();
    const { id, target } = await scene.offer({ chain: 'ethereum', asset: 'USDC', dueUnits: 100_000_000n });
    const base = await scene.watch(evm, { chain: 'base' });
    await base.poll();
    await scene.price('USDC', '1');
    evm.mine([evmTransaction([{ to: target, units: 100_000_000n, asset: 'USDC', token: '0xusdc' }])]);
    await base.poll();
    expect(await scene.payments(id)).toEqual(['100000000 unexpected_asset on base @1']);
    expect(await scene.standing(id)).toBe('awaiting [wrong_chain, review]');
  });

  it('in unknown tokens fills no more than twenty rows, and wakes nobody on another chain', async () => {
    const evm = createStillChain({ clock: scene.now }).node();
    const { id, target } = await scene.offer({ chain: 'ethereum', asset: 'USDC', dueUnits: 100_000_000n });
    const base = await scene.watch(evm, { chain: 'base' });
    await base.poll();
    for (let i = 0; i < 3; i += 1) {
      const spam = Array.from({ length: 30 }, (_, n) => ({
        to: target,
        units: 5n,
        asset: null,
        token: `0xspam${n}`,
      }));
      evm.mine([evmTransaction(spam)]);
      await base.poll();
    }
    expect(await scene.rows(id)).toHaveLength(20);
    expect((await scene.invoice(id)).version).toBe(0);
    expect([await scene.events(id), await scene.signals(id)]).toEqual([[], 0]);
  });

  it('in crumbs fills no more than twenty rows, and what is due is still seen', async () => {
    const { id, target } = await scene.offer();
    await scene.price('BTC', '100000');
    const crumbs = Array.from({ length: 50 }, () => bitcoinTransaction([{ to: target, units: 600n }]));
    node.mine([...crumbs, bitcoinTransaction([{ to: target, units: DUE }])]);
    await watcher.poll();
    expect(await scene.rows(id)).toHaveLength(21);
    expect((await scene.invoice(id)).creditedUnits).toBe(DUE);
  });
});

describe('a transaction that fails', () => {
  let evm: StillNode;
  let ethereum: Watcher;
  beforeEach(async () => {
    evm = createStillChain({ clock: scene.now }).node();
    ethereum = await scene.watch(evm, { chain: 'ethereum' });
    await ethereum.poll();
  });
  const offerUsdc = () => scene.offer({ chain: 'ethereum', asset: 'USDC', dueUnits: 100_000_000n });
  const failed = (to: string): ChainTransaction => ({
    ...evmTransaction([]),
    attempts: [{ to, asset: 'USDC', units: 100_000_000n, failure: 'out of gas' }],
  });

  it('is told of once, however often it is mined or read, and pays nothing', async () => {
    const { id, target } = await offerUsdc();
    const call = failed(target);
    evm.mine([call]);
    await ethereum.poll();
    expect([await scene.standing(id), await scene.payments(id)]).toEqual(['awaiting', []]);
    expect(await scene.events(id)).toEqual(['call_failed']);
    expect(await scene.signals(id)).toBe(1);
    evm.reorganise(1, [[call], []]);
    await ethereum.poll();
    await withSystem(scene.db, (tx) => rescanChain(tx, { chain: 'ethereum', fromHeight: 1 }));
    await ethereum.poll();
    expect([await scene.events(id), await scene.signals(id)]).toEqual([['call_failed'], 1]);
  });

  it('is told of five times at most for an invoice, each transaction once', async () => {
    const { id, target } = await offerUsdc();
    evm.mine(Array.from({ length: 4 }, () => failed(target)));
    await ethereum.poll();
    evm.mine(Array.from({ length: 4 }, () => failed(target)));
    await ethereum.poll();
    expect(await scene.events(id)).toEqual(Array.from({ length: 5 }, () => 'call_failed'));
  });

  it('to somebody else concerns nobody', async () => {
    const { id } = await offerUsdc();
    evm.mine([failed('0xelsewhere')]);
    await ethereum.poll();
    expect(await scene.events(id)).toEqual([]);
  });
});

describe('an expiry', () => {
  it('waits for a look that began after it', async () => {
    const { id } = await scene.offer();
    scene.pass({ minutes: 16 });
    node.fail('mempool', 1);
    await expect(watcher.poll()).rejects.toThrow('still:8332 does not answer.');
    expect(await scene.standing(id)).toBe('awaiting');
    await watcher.poll();
    expect(await scene.standing(id)).toBe('expired');
    expect(await scene.events(id)).toEqual(['expired']);
  });

  it('is not told of an invoice whose payment was missed while nobody looked', async () => {
    const { id, target } = await scene.offer();
    scene.pass({ minutes: 10 });
    node.mine([bitcoinTransaction([{ to: target, units: DUE }])]);
    for (let i = 0; i < 144; i += 1) {
      scene.pass({ minutes: 10 });
      node.mine();
    }
    expect((await watcher.poll()).blocks).toBe(145);
    expect(await scene.standing(id)).toBe('final');
    expect((await scene.events(id)).includes('expired')).toBe(false);
  });
});

describe('late money that may be accepted by itself', () => {
  const expired = async () => {
    const offered = await scene.offer({ policy: { late: 'auto' } });
    scene.pass({ minutes: 16 });
    await watcher.poll();
    expect(await scene.standing(offered.id)).toBe('expired');
    return { ...offered, before: await scene.signals(offered.id) };
  };
  const rates = async (id: string) => (await scene.rows(id)).map(({ usdRate }) => usdRate);

  it('has its invoice looked at when it comes, and again when it is beyond doubt', async () => {
    const { id, target, before } = await expired();
    await scene.price('BTC', '100000');
    const parent = bitcoinTransaction([{ to: 'change', units: 1n }]);
    const child = bitcoinTransaction([{ to: target, units: DUE }], { spends: [`${parent.txid}:0`] });
    node.send(parent, child);
    await watcher.poll();
    expect([await scene.standing(id), await rates(id)]).toEqual(['expired [late, review]', ['100000']]);
    expect(await scene.signals(id)).toBe(before + 1);
    node.mine([parent, child]);
    await watcher.poll();
    expect(await scene.signals(id)).toBe(before + 2);
  });

  it('has no rate where one source alone says so, or two are too far apart', async () => {
    const [alone, apart, close] = [await expired(), await expired(), await expired()];
    const paid = async ({ id, target }: { id: string; target: string }) => {
      node.send(bitcoinTransaction([{ to: target, units: DUE }]));
      await watcher.poll();
      return rates(id);
    };
    await scene.price('BTC', '100000');
    const kraken = `update crypto_prices set rate = $1 where source = 'kraken'`;
    await scene.sql(kraken, ['103001']);
    expect(await paid(apart)).toEqual([null]);
    await scene.sql(kraken, ['103000']);
    expect(await paid(close)).toEqual(['100000']);
    await scene.sql(`delete from crypto_prices where source = 'kraken'`);
    expect(await paid(alone)).toEqual([null]);
    const usual = await scene.offer();
    expect(await paid(usual)).toEqual(['100000']);
  });
});

describe('a chain whose last block is too old', () => {
  beforeEach(async () => {
    await scene.close();
    scene = await createChainScene({ network: 'mainnet' });
    node = createStillChain({ clock: scene.now }).node();
    node.mineEmpty(10);
    watcher = await scene.watch(node);
    await watcher.poll();
  });
  const failing = () =>
    withSystem(scene.db, async (tx) => {
      const asked = { watched: ['bitcoin'], network: 'mainnet', now: scene.now() } as const;
      const [health] = await readChainHealth(tx, asked);
      return health?.failing.map(({ part, detail }) => `${part}: ${detail}`);
    });
  /** Whoever decides: the watcher's look, and the invoice's own process. */
  const decided = async (id: string) => {
    await watcher.poll();
    await withSystem(scene.db, (tx) =>
      decideCryptoInvoices(tx, { ids: [id], now: scene.now().toISOString() }),
    );
    return [await scene.standing(id), await scene.events(id)];
  };

  it('is not one of ninety minutes ago: what is over then expires', async () => {
    const { id } = await scene.offer({ expiresIn: 89 });
    scene.pass({ minutes: 90 });
    expect(await decided(id)).toEqual(['expired', ['expired']]);
    expect(await failing()).toEqual([]);
  });

  it('is named by health, and nothing expires on it; what it tells later is in time all the same', async () => {
    const [paid, unpaid] = [await scene.offer({ expiresIn: 89 }), await scene.offer({ expiresIn: 89 })];
    scene.pass({ minutes: 90, seconds: 1 });
    expect(await decided(paid.id)).toEqual(['awaiting [paused]', ['paused']]);
    expect(await failing()).toEqual([
      'tip: the last block is 90 minutes old: see whether the node has peers and is synchronised',
      'paused: the last block is from 2026-03-01T12:00:00.000Z; it goes on once its nodes agree for some blocks, or with POST /v1/crypto/chains/bitcoin/resume',
    ]);
    scene.pass({ hours: 5 });
    for (const { id } of [paid, unpaid]) {
      expect(await decided(id)).toEqual(['awaiting [paused]', ['paused']]);
    }

    const paying = bitcoinTransaction([{ to: paid.target, units: DUE }]);
    node.mine([paying], { time: '2026-03-01T13:28:59.000Z' });
    node.mine();
    expect(await decided(paid.id)).toEqual(['processing [paused]', ['paused', 'payment_seen', 'processing']]);
    expect(await decided(unpaid.id)).toEqual(['awaiting [paused]', ['paused']]);
    expect((await failing())?.map((each) => each.split(':')[0])).toEqual(['paused']);

    node.mineEmpty(6);
    expect(await decided(paid.id)).toEqual([
      'settled',
      ['paused', 'payment_seen', 'processing', 'settled', 'resumed'],
    ]);
    expect(await decided(unpaid.id)).toEqual(['expired', ['paused', 'expired', 'resumed']]);
    expect(await failing()).toEqual([]);
  });
});

describe('a payment under way', () => {
  const paying = (to: string, spends: string[]) => bitcoinTransaction([{ to, units: DUE }], { spends });

  it('tells a process that has ended already to look after it', async () => {
    const { id, target } = await scene.offer();
    const promised = paying(target, ['coin:0']);
    node.send(promised);
    await watcher.poll();
    node.send(paying('elsewhere', ['coin:0']));
    await watcher.poll();
    scene.pass({ minutes: 16 });
    await watcher.poll();
    expect(await scene.standing(id)).toMatch(/^expired/);
    const before = await scene.signals(id);
    node.send(promised);
    await watcher.poll();
    expect(await scene.standing(id)).toMatch(/^processing/);
    expect(await scene.signals(id)).toBe(before + 1);
  });

  it('tells one that waits for the chain, once its quote is over', async () => {
    const { id, target } = await scene.offer();
    scene.pass({ minutes: 16 });
    node.mine([paying(target, ['coin:0'])], { time: '2026-03-01T12:14:00.000Z' });
    await watcher.poll();
    expect([await scene.standing(id), await scene.signals(id)]).toEqual(['processing', 1]);
  });
});

describe('a node', () => {
  it('that is behind takes nothing out of the chain, and nothing is known to be fresh by it', async () => {
    const { id, target } = await scene.offer();
    const late = chain.node('late:8332');
    late.follow(node);
    node.mine([bitcoinTransaction([{ to: target, units: DUE }])]);
    await watcher.poll();
    const { freshUntil } = await scene.chain();
    scene.pass({ minutes: 20 });
    await expect(watcher.poll({ node: late })).rejects.toThrow(/late:8332 is behind/);
    expect(await scene.payments(id)).toEqual(['100000 mined @11']);
    expect((await scene.chain()).freshUntil).toEqual(freshUntil);
  });

  it('that is far behind, or before where we began, does so neither', async () => {
    node.mineEmpty(950);
    await watcher.poll();
    const { hash, freshUntil, tipHeight } = await scene.chain();
    for (const height of [501, 3]) {
      const late = chain.node('late:8332');
      late.follow(node);
      late.rewindTo(height);
      await scene.sql('delete from chain_blocks where height < 10 or height = 501');
      await expect(watcher.poll({ node: late })).rejects.toThrow(/late:8332 is behind/);
    }
    const row = await scene.chain();
    expect([row.hash, row.freshUntil, row.tipHeight, row.pausedAt]).toEqual([
      hash,
      freshUntil,
      tipHeight,
      null,
    ]);
  });

  it('that stands still while the other goes on lets nothing expire', async () => {
    const { id, target } = await scene.offer();
    const other = chain.node('other:8332');
    other.follow(node);
    other.mine([bitcoinTransaction([{ to: target, units: DUE }])]);
    scene.pass({ minutes: 16 });
    const { freshUntil } = await scene.chain();
    await expect(watcher.poll({ second: other })).rejects.toThrow(
      'still:8332 stands still at block 10, and other:8332 has 11.',
    );
    expect([await scene.standing(id), (await scene.chain()).freshUntil]).toEqual(['awaiting', freshUntil]);
    await watcher.poll({ node: other, second: node });
    expect([await scene.standing(id), await scene.payments(id)]).toEqual([
      'processing',
      ['100000 mined @11'],
    ]);
  });

  it('that is on a shorter branch than the other is no frozen one, but nothing is fresh by it', async () => {
    const other = chain.node('other:8332');
    other.follow(node);
    node.mineEmpty(2);
    other.mineEmpty(3);
    const { freshUntil } = await scene.chain();
    scene.pass({ minutes: 1 });
    expect(await watcher.poll({ second: other })).toMatchObject({ height: 12 });
    const row = await scene.chain();
    expect([row.freshUntil, row.disagreeingSince]).toEqual([freshUntil, scene.now()]);
  });

  it('that receives the block in the meantime does not stand still, but is not fresh yet', async () => {
    const other = chain.node('other:8332');
    other.follow(node);
    other.mine();
    const { freshUntil } = await scene.chain();
    scene.pass({ minutes: 1 });
    node.onCall((method) => {
      if (method === 'mempool') node.follow(other);
    });
    expect(await watcher.poll({ second: other })).toMatchObject({ tip: 10 });
    expect((await scene.chain()).freshUntil).toEqual(freshUntil);
    node.onCall(null);
    await watcher.poll({ second: other });
    expect((await scene.chain()).freshUntil).toEqual(scene.now());
  });

  it('without traces reads no block of a chain that another one traces', async () => {
    const ethereum = createStillChain({ clock: scene.now });
    const [traced, blind] = [ethereum.node('traced:8545'), ethereum.node('blind:8545')];
    traced.setTraces(true);
    blind.setTraces(false);
    const { id, target } = await scene.offer({ chain: 'ethereum', asset: 'ETH', dueUnits: 10n ** 18n });
    const evm = await scene.watch(blind, { chain: 'ethereum' });
    await evm.poll();
    const paying = evmTransaction([{ to: target, units: 10n ** 18n, asset: 'ETH', token: null }]);
    const call = {
      ...paying,
      transfers: paying.transfers.map((each) => ({ ...each, key: `${paying.txid}:call:0` })),
    };
    traced.mine([call]);
    await evm.poll({ node: traced });
    expect(await scene.payments(id)).toEqual(['1000000000000000000 mined @1']);
    traced.reorganise(1, [[], [call]]);
    blind.follow(traced);
    await expect(evm.poll()).rejects.toMatchObject({
      name: 'VendorError',
      message: expect.stringMatching(/^blind:8545 does not trace calls, and block 1 is not read without/),
    });
    await evm.poll({ node: traced });
    expect(await scene.payments(id)).toEqual(['1000000000000000000 mined @2']);
    expect(await rivals(id)).toEqual(['null @null']);
    await withSystem(scene.db, (tx) => rescanChain(tx, { chain: 'ethereum', fromHeight: 1 }));
    await expect(evm.poll()).rejects.toThrow(/^blind:8545 does not trace calls/);
  });

  it('on another network is not read at all', async () => {
    node.setWrongNetwork(true);
    node.mine();
    await expect(watcher.poll()).rejects.toMatchObject({ code: 'vendor_rejected_request' });
    expect((await scene.chain()).height).toBe(10);
  });

  it.each(['tip', 'finalized', 'hashAt', 'block', 'mempool', 'pending'] as const)(
    'that fails at %s is asked again, and nothing is lost or counted twice',
    async (method) => {
      const { id, target } = await scene.offer();
      node.mine([bitcoinTransaction([{ to: target, units: 60_000n }])]);
      node.send(bitcoinTransaction([{ to: target, units: 40_000n }]));
      node.mine();
      node.fail(method, 1);
      await expect(watcher.poll()).rejects.toBeInstanceOf(VendorError);
      await watcher.poll();
      expect(await scene.payments(id)).toEqual(['60000 mined @11', '40000 seen']);
      expect(await scene.standing(id)).toBe('processing');
    },
  );

  it('whose mempool fails has its blocks kept all the same', async () => {
    const { id, target } = await scene.offer();
    node.mine([bitcoinTransaction([{ to: target, units: DUE }])]);
    node.fail('mempool');
    await expect(watcher.poll()).rejects.toThrow('still:8332 does not answer.');
    expect(await scene.payments(id)).toEqual(['100000 mined @11']);
  });

  it('that disagrees with the other for half an hour pauses the chain, until both have agreed for six blocks', async () => {
    const other = chain.node('other:8332');
    other.follow(node);
    node.mineEmpty(2);
    other.mineEmpty(2);
    const poll = () => watcher.poll({ second: other });
    await poll();
    expect((await scene.chain()).disagreeingSince?.toISOString()).toBe('2026-03-01T12:00:00.000Z');
    scene.pass({ minutes: 31 });
    await poll();
    expect((await scene.chain()).pauseReason).toBe('two nodes have disagreed since 2026-03-01T12:00:00.000Z');
    other.follow(node);
    await poll();
    for (let i = 0; i < 6; i += 1) {
      expect((await scene.chain()).pausedAt).not.toBeNull();
      node.mine();
      other.follow(node);
      await poll();
    }
    const row = await scene.chain();
    expect([row.pausedAt, row.cautiousUntil?.toISOString()]).toEqual([null, '2026-03-02T12:31:00.000Z']);
  });

  it('that replaces a block that was final pauses the chain', async () => {
    const evm = createStillChain({ clock: scene.now }).node();
    evm.mineEmpty(10);
    evm.setFinalized(8);
    const ethereum = await scene.watch(evm, { chain: 'ethereum' });
    await ethereum.poll();
    evm.reorganise(3, [[], [], [], []]);
    await ethereum.poll();
    expect((await scene.chain('ethereum')).pauseReason).toBe('a block that was final has been replaced');
  });
});

describe('a pause', () => {
  it('holds back what would settle, and an operator ends it', async () => {
    const { id, target } = await scene.offer();
    const paying = bitcoinTransaction([{ to: target, units: DUE }]);
    node.mineEmpty(3);
    await watcher.poll();
    node.reorganise(3, [[paying], [], [], []]);
    await watcher.poll();
    expect(await scene.standing(id)).toBe('processing [paused]');
    const at = scene.now();
    await withSystem(scene.db, (tx) => resumeChain(tx, { chain: 'bitcoin', at }));
    node.mineEmpty(2);
    await watcher.poll();
    // Six deep: the depth is doubled for a day.
    expect(await scene.standing(id)).toBe('settled');
  });
});

describe('a process', () => {
  it('that dies before or after any block goes on where it was', async () => {
    const { id, target } = await scene.offer();
    for (let i = 0; i < 24; i += 1) {
      node.mine(i === 7 ? [bitcoinTransaction([{ to: target, units: DUE }])] : []);
    }
    for (let deaths = 1; deaths <= 6; deaths += 1) {
      let left = deaths;
      node.onCall((method) => {
        if (method === 'block') left -= 1;
        if (left === 0) throw new Error('killed');
      });
      await expect(watcher.poll()).rejects.toThrow('killed');
      watcher = await scene.watch(node);
    }
    node.onCall(null);
    await watcher.poll();
    expect((await scene.chain()).height).toBe(34);
    expect(await scene.standing(id)).toBe('settled');
    expect(await scene.events(id)).toEqual(['payment_seen', 'processing', 'settled']);
    expect(await scene.signals(id)).toBe(1);
  });

  it('that has lost its lease writes nothing any more', async () => {
    const { id, target } = await scene.offer();
    node.mine([bitcoinTransaction([{ to: target, units: DUE }])]);
    const slow = watcher;
    await scene.watch(node);
    await expect(slow.poll()).rejects.toBeInstanceOf(LeaseLostError);
    expect([(await scene.chain()).height, await scene.payments(id)]).toEqual([10, []]);
  });

  it('that looks again and again, at the same, writes nothing', async () => {
    const { target } = await scene.offer();
    node.mine([bitcoinTransaction([{ to: target, units: 60_000n }])]);
    node.send(bitcoinTransaction([{ to: target, units: 40_000n }]));
    await watcher.poll();
    const before = await scene.everything();
    await watcher.poll();
    await (await scene.watch(node)).poll();
    expect(await scene.everything()).toEqual(before);
  });

  it('asks the node as often with a thousand open invoices as with none', async () => {
    const calls = async () => {
      const before = { ...node.calls };
      node.mine([bitcoinTransaction([{ to: 'elsewhere', units: 1n }])]);
      await watcher.poll();
      return Object.entries(node.calls).map(
        ([method, count]) => count - before[method as keyof typeof before],
      );
    };
    const idle = await calls();
    await scene.offers(1_000);
    expect(await calls()).toEqual(idle);
  });
});

describe('a watch', () => {
  const watch = (nodes: readonly StillNode[], signal: AbortSignal, onPoll: (result: unknown) => void) =>
    watchFor(60_000, {
      chain: 'bitcoin',
      nodes,
      everyMs: 1,
      startHeight: null,
      db: scene.db,
      network: 'local',
      holder: 'another',
      log: pino({ level: 'silent' }),
      signal,
      clock: scene.now,
      onPoll,
    });

  it('goes on with the next node where one fails, and says so where all do', async () => {
    const [dead, alive] = [chain.node('dead:8332'), chain.node('alive:8332')];
    dead.fail('tip');
    alive.follow(node);
    const stop = new AbortController();
    const results: string[] = [];
    await scene.sql('update chains set lease_until = null');
    await watch([dead, alive], stop.signal, (result) => {
      results.push(result instanceof Error ? result.message : 'read');
      if (results.length === 2) stop.abort();
    });
    expect(results).toEqual(['dead:8332 does not answer.', 'read']);
    expect([(await scene.chain()).node, (await scene.chain()).failure]).toEqual(['alive:8332', null]);

    const alone = new AbortController();
    const since = scene.now();
    await watch([dead], alone.signal, () => setImmediate(() => alone.abort()));
    const row = await scene.chain();
    expect([row.failure, row.failingSince]).toEqual(['dead:8332 does not answer.', since]);
  });

  it('stays with its node where the database fails', async () => {
    const other = chain.node('other:8332');
    node.mine();
    other.follow(node);
    await scene.sql(`create function fail() returns trigger language plpgsql as $$
      begin raise exception using errcode = '40P01', message = 'deadlock detected'; end $$`);
    await scene.sql('create trigger fail before insert on chain_blocks execute function fail()');
    await scene.sql('update chains set lease_until = null');
    const stop = new AbortController();
    const results: string[] = [];
    const mended: Promise<void>[] = [];
    await watch([node, other], stop.signal, (result) => {
      results.push(result instanceof Error ? 'failed' : 'read');
      if (results.length === 1) mended.push(scene.sql('drop trigger fail on chain_blocks'));
      if (results.at(-1) === 'read') stop.abort();
    });
    await Promise.all(mended);
    // It fails once more where the database takes longer to mend than a watch waits.
    expect([[...new Set(results)], (await scene.chain()).node]).toEqual([['failed', 'read'], 'still:8332']);
  });

  it('ends at once when it is told to, and lets the next one begin', async () => {
    const stop = new AbortController();
    await scene.sql('update chains set lease_until = null');
    await watch([node], stop.signal, () => stop.abort());
    const next = await takeLease(scene.db, { chain: 'bitcoin', network: 'local', holder: 'next' });
    expect(next).not.toBeNull();
  });

  it('waits as long as another one has the lease, and stops when it is taken over', async () => {
    const stop = new AbortController();
    const other = await takeLease(scene.db, { chain: 'bitcoin', network: 'local', holder: 'other' });
    expect(other).toBeNull();
    await scene.sql('update chains set lease_until = null');
    const stolen = watch([node], stop.signal, () => {
      scene.sql('update chains set fence = fence + 1').catch(() => {});
    });
    await expect(stolen).rejects.toBeInstanceOf(LeaseLostError);
  });

  it('on another network than the rows of this database is refused', async () => {
    const other = takeLease(scene.db, { chain: 'bitcoin', network: 'mainnet', holder: 'other' });
    await expect(other).rejects.toMatchObject({ reason: 'other_network' });
  });
});

describe('a chain that was never read', () => {
  const unread = async (startHeight: number | null) => {
    const evm = createStillChain({ clock: scene.now }).node();
    const { id, target } = await scene.offer({ chain: 'ethereum', asset: 'USDC', dueUnits: 100n });
    for (let i = 1; i <= 9; i += 1) {
      const paying = { to: target, units: 98n, asset: 'USDC', token: '0xusdc' } as const;
      evm.mine(i === 4 ? [evmTransaction([paying])] : []);
    }
    const ethereum = await scene.watch(evm, { chain: 'ethereum' });
    await ethereum.poll({ startHeight });
    return { id, evm, ethereum };
  };

  it.each([
    ['its tip, and not what lies before', null, []],
    ['the height that was named', 4, ['98 mined @4']],
    ['the first block where everything is wanted', 0, ['98 mined @4']],
    ['a later height, and misses what came before', 5, []],
  ] as const)('is begun at %s', async (_name, startHeight, payments) => {
    const { id } = await unread(startHeight);
    expect(await scene.payments(id)).toEqual(payments);
    expect((await scene.chain('ethereum')).height).toBe(9);
  });

  it('finds its way back when the very block behind which it was begun is replaced', async () => {
    const { evm, ethereum } = await unread(null);
    evm.reorganise(2, [[], [], []]);
    await ethereum.poll();
    expect((await scene.chain('ethereum')).hash).toBe(evm.peek().hash);
  });
});

describe('reading again', () => {
  it('from a height finds what was missed, and changes nothing the second time', async () => {
    const { id, target } = await scene.offer();
    node.mine([bitcoinTransaction([{ to: target, units: DUE }])]);
    node.mineEmpty(70);
    await watcher.poll();
    await scene.sql('delete from crypto_events');
    await scene.sql('delete from crypto_payments');
    await scene.sql(
      "update crypto_invoices set status = 'awaiting', version = 0, settled_at = null, credited_units = 0, confirmed_units = 0, wake_height = null, flags = '[]'",
    );
    const rescan = async () => {
      await withSystem(scene.db, (tx) => rescanChain(tx, { chain: 'bitcoin', fromHeight: 5 }));
      for (let i = 0; i < 3; i += 1) await watcher.poll();
    };
    await rescan();
    expect([await scene.standing(id), await scene.payments(id)]).toEqual([
      'settled',
      ['100000 confirmed @11'],
    ]);
    const before = await scene.everything();
    await rescan();
    expect(await scene.everything()).toEqual(before);
    expect((await scene.chain()).rescanFrom).toBeNull();
  });

  it('from a lower height, asked for while it is under way, is not forgotten', async () => {
    node.mineEmpty(60);
    await watcher.poll();
    const rescan = (fromHeight: number) =>
      withSystem(scene.db, (tx) => rescanChain(tx, { chain: 'bitcoin', fromHeight }));
    await rescan(40);
    const asked: Promise<unknown>[] = [];
    node.onCall((method) => {
      if (method === 'block' && asked.length === 0) asked.push(rescan(3));
    });
    await watcher.poll();
    await Promise.all(asked);
    expect((await scene.chain()).rescanFrom).toBe(3);
    node.onCall(null);
    for (let i = 0; i < 2; i += 1) await watcher.poll();
    expect((await scene.chain()).rescanFrom).toBeNull();
  });

  it('from a height that was never reached is refused', async () => {
    const ask = withSystem(scene.db, (tx) => rescanChain(tx, { chain: 'bitcoin', fromHeight: 11 }));
    await expect(ask).rejects.toMatchObject({ reason: 'height_not_read' });
    const other = withSystem(scene.db, (tx) => rescanChain(tx, { chain: 'base', fromHeight: 1 }));
    await expect(other).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('the health of chains', () => {
  const look = () =>
    withSystem(scene.db, async (tx) => {
      const watched = ['bitcoin', 'base'] as const;
      const health = await readChainHealth(tx, { watched, network: 'local', now: scene.now() });
      return health.map(
        ({ chain: name, failing }) => `${name}: ${failing.map(({ part }) => part).join(' ')}`,
      );
    });

  it('names the chain and the part that fails', async () => {
    expect(await look()).toEqual(['bitcoin: ', 'base: heartbeat']);
    await scene.sql("update chains set tip_height = height + 3, failure = 'refused', paused_at = now()");
    expect(await look()).toEqual(['bitcoin: node cursor paused', 'base: heartbeat']);
    await scene.sql(
      "update chains set tip_height = height, failure = null, paused_at = null, heartbeat_at = now() - interval '91 seconds', network = 'testnet'",
    );
    expect(await look()).toEqual(['bitcoin: network heartbeat', 'base: heartbeat']);
  });
});

async function rivals(id: string): Promise<string[]> {
  return (await scene.rows(id)).map(({ rivalTxid, rivalHeight }) => `${rivalTxid} @${rivalHeight}`);
}

function pendingOf(from: StillNode) {
  const [waiting] = from.waiting();
  if (waiting === undefined) throw new Error('The mempool is empty');
  return waiting;
}

/** Invoices paid in ETH and USDC on a real node, in every way in which people and contracts pay, and fail to. */
import type { Hex } from 'viem';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { cryptoLots } from '../../db/schema/crypto-lots.ts';
import { createEvmNode, type EvmNode } from '../../integrations/evm/client.ts';
import { type EvmWallet, localUsdc } from '../../scripts/chains/evm-wallet.ts';
import { startTestAnvil, type TestChain } from '../support/anvil.ts';
import {
  createRealChainScene,
  type Offered,
  type RealChainScene,
  untouchedUnits,
  type Watcher,
} from './real-chain-scene.ts';

/** 29 dollars at 3,000 for a coin. */
const WEI = 9_666_666_666_666_667n;
const MICRODOLLARS = 29_000_000n;
const elsewhere = '0x00000000000000000000000000000000000000ee';

let scene: RealChainScene;
let anvil: TestChain;
let node: EvmNode;
let wallet: EvmWallet;
let watcher: Watcher;

beforeAll(async () => {
  // What is sixteen blocks deep is final, a little more than settles an invoice.
  [scene, anvil] = await Promise.all([createRealChainScene(), startTestAnvil({ blocksInEpoch: 8 })]);
  ({ wallet } = anvil);
  node = createEvmNode({ url: anvil.url, chain: 'ethereum', network: 'local', usdc: localUsdc });
});
afterAll(async () => {
  await Promise.all([scene?.close(), anvil?.stop()]);
});
beforeEach(async () => {
  watcher = await scene.watch(node, { chain: 'ethereum' });
  await scene.pass({ hours: 3 });
  await mine(6);
  expect((await scene.chain('ethereum')).pauseReason).toBeNull();
});

/** Blocks, and a look at them. */
async function mine(blocks: number): Promise<void> {
  await wallet.mine(blocks);
  await watcher.poll();
}

const target = ({ coins }: Offered) => coins.address as Hex;

/** What is left of each lot of the invoice's tenant. */
function unitsInLots({ coins }: Offered): Promise<bigint[]> {
  return withTenant(scene.db, coins.tenantId, async (tx) => {
    const lots = await tx.select().from(cryptoLots);
    return lots.map(({ remainingUnits }) => remainingUnits);
  });
}

const unpaid = {
  invoice: 'open 0/2900',
  subscription: 'active',
  payments: [],
  creditMinor: 0,
  cashMinor: 0,
  sumMinor: 0,
  mails: [] as string[],
};
const paid = { ...unpaid, invoice: 'paid 2900/2900', payments: ['2900 (2900)'], cashMinor: 2900 };
const nothing = { is: 'awaiting', units: untouchedUnits, payments: [], events: [], signals: 0 };

function settled(units: bigint) {
  return {
    is: 'settled',
    units: { ...untouchedUnits, credited: units, confirmed: units },
    payments: [`${units} confirmed +1`],
    events: ['payment_seen', 'processing', 'settled'],
    signals: 1,
  };
}

describe('a payment', () => {
  it.each([['ETH', WEI] as const, ['USDC', MICRODOLLARS] as const])(
    'in %s is settled twelve blocks deep, and final with its chain',
    async (asset, units) => {
      const offered = await scene.offered(asset);
      expect(offered.coins.dueUnits).toBe(units);
      if (asset === 'ETH') await wallet.sendEth(target(offered), units);
      else await wallet.sendToken(target(offered), units);
      await mine(10);
      expect(await scene.state(offered)).toEqual({
        ...settled(units),
        is: 'processing',
        units: { ...untouchedUnits, credited: units },
        payments: [`${units} mined +1`],
        events: ['payment_seen', 'processing'],
        signals: 0,
      });
      expect(await scene.books(offered)).toEqual({ ...unpaid, mails: ['crypto_payment_seen'] });
      await mine(1);
      expect(await scene.state(offered)).toEqual(settled(units));
      expect(await scene.books(offered)).toEqual({ ...paid, mails: ['crypto_payment_seen'] });
      await mine(5);
      expect(await scene.state(offered)).toEqual({
        ...settled(units),
        is: 'final',
        events: ['payment_seen', 'processing', 'settled', 'finalised'],
      });
      expect(await scene.books(offered)).toEqual({ ...paid, mails: ['crypto_payment_seen'] });
    },
  );

  it('by a contract that pays many invoices at once pays each of them', async () => {
    const [first, second] = [await scene.offered('USDC'), await scene.offered('USDC')];
    await wallet.sendTokenByContract([
      { to: target(first), units: MICRODOLLARS },
      { to: target(second), units: 10_000_000n },
      { to: target(second), units: 19_000_000n },
    ]);
    await mine(11);
    expect(await scene.state(first)).toEqual(settled(MICRODOLLARS));
    expect(await scene.state(second)).toEqual({
      ...settled(MICRODOLLARS),
      payments: ['10000000 confirmed +1', '19000000 confirmed +1'],
      events: ['payment_seen', 'payment_seen', 'processing', 'settled'],
    });
    for (const each of [first, second]) expect(await scene.books(each)).toEqual(paid);
  });

  it('in ETH that a contract passes on is seen as soon as it is mined', async () => {
    const offered = await scene.offered('ETH');
    await wallet.withoutMining(async () => {
      await wallet.forwardEth(target(offered), WEI);
      await watcher.poll();
      // Nobody knows what a contract will do.
      expect(await scene.state(offered)).toEqual(nothing);
    });
    await mine(11);
    expect(await scene.state(offered)).toEqual(settled(WEI));
    expect((await scene.payments(offered)).map(({ key }) => key)).toEqual([
      expect.stringMatching(/:call:0$/),
    ]);
    expect(await scene.books(offered)).toEqual(paid);
  });

  it('of ten thousand dollars waits until its chain calls it final', async () => {
    const offered = await scene.offered('USDC');
    await wallet.sendToken(target(offered), 10_000_000_000n);
    await mine(15);
    expect(await scene.state(offered)).toMatchObject({
      is: 'processing [over]',
      payments: ['10000000000 mined +1'],
    });
    await mine(1);
    expect(await scene.state(offered)).toEqual({
      is: 'final [over]',
      units: { credited: 10_000_000_000n, confirmed: 10_000_000_000n, late: 0n, excess: 9_971_000_000n },
      payments: ['10000000000 confirmed +1'],
      events: ['payment_seen', 'over_paid', 'processing', 'settled', 'finalised'],
      signals: 2,
    });
    expect(await scene.books(offered)).toMatchObject({
      ...paid,
      payments: ['1000000 (2900)'],
      creditMinor: 997_100,
      cashMinor: 1_000_000,
      mails: expect.anything(),
    });
  });

  it('that is replaced by its sender takes over the time of the first', async () => {
    const offered = await scene.offered('ETH');
    await wallet.withoutMining(async () => {
      const nonce = await wallet.nextNonce();
      await wallet.sendEth(target(offered), WEI, { nonce });
      await watcher.poll();
      await scene.pass({ minutes: 20 });
      await wallet.sendEth(target(offered), WEI, { nonce, gasPrice: 100_000_000_000n });
      await watcher.poll();
    });
    expect(await scene.state(offered)).toEqual({
      is: 'processing [replaced]',
      units: { ...untouchedUnits, credited: WEI },
      payments: [`${WEI} replaced`, `${WEI} seen`],
      events: ['payment_seen', 'processing', 'payment_replaced'],
      signals: 0,
    });
    await mine(11);
    expect(await scene.state(offered)).toMatchObject({
      is: 'settled [replaced]',
      payments: [`${WEI} replaced`, `${WEI} confirmed +1`],
      signals: 1,
    });
    expect(await scene.books(offered)).toEqual(paid);
  });

  it('that is replaced by one to somebody else is taken back before any block', async () => {
    const offered = await scene.offered('USDC');
    await wallet.withoutMining(async () => {
      const nonce = await wallet.nextNonce();
      await wallet.sendToken(target(offered), MICRODOLLARS, { nonce });
      await watcher.poll();
      expect((await scene.state(offered)).is).toBe('processing');
      await wallet.sendEth(elsewhere, 1n, { nonce, gasPrice: 100_000_000_000n });
      await watcher.poll();
    });
    expect(await scene.state(offered)).toEqual({
      is: 'awaiting [replaced, double_spend_attempt]',
      units: untouchedUnits,
      payments: [`${MICRODOLLARS} replaced`],
      events: ['payment_seen', 'processing', 'payment_replaced', 'payment_reversed', 'double_spend_attempt'],
      signals: 1,
    });
    await mine(1);
    expect(await scene.books(offered)).toMatchObject({ ...unpaid, mails: expect.anything() });
  });
});

describe('no payment', () => {
  it('is a call that its contract reverts, which does not say whom it had meant', async () => {
    const offered = await scene.offered('ETH');
    await wallet.forwardEthThenRevert(target(offered), WEI);
    await mine(12);
    expect(await scene.state(offered)).toEqual(nothing);
    expect(await scene.books(offered)).toEqual(unpaid);
  });

  it.each<[string, (to: Hex) => Promise<unknown>]>([
    ['a transfer that runs out of gas', (to) => wallet.sendTokenOutOfGas(to, MICRODOLLARS)],
    [
      'a transfer that the token refuses',
      async (to) => {
        await wallet.setBlocked(to, true);
        await wallet.sendToken(to, MICRODOLLARS);
      },
    ],
  ])('is %s, and the customer is told once that it failed', async (_, send) => {
    const offered = await scene.offered('USDC');
    await send(target(offered));
    await mine(12);
    expect(await scene.state(offered)).toEqual({ ...nothing, events: ['call_failed'], signals: 1 });
    expect(await scene.books(offered)).toEqual({ ...unpaid, mails: ['crypto_payment_call_failed'] });
  });

  it('is one that was seen and then fails in its block', async () => {
    const offered = await scene.offered('USDC');
    await wallet.withoutMining(async () => {
      await wallet.sendTokenOutOfGas(target(offered), MICRODOLLARS);
      await watcher.poll();
      expect((await scene.state(offered)).is).toBe('processing');
      await mine(1);
    });
    expect(await scene.state(offered)).toMatchObject({ units: untouchedUnits });
    await mine(12);
    expect(await scene.books(offered)).toEqual({
      ...unpaid,
      mails: ['crypto_payment_call_failed'],
    });
  });

  it('is a token that only calls itself USDC; it is listed', async () => {
    const offered = await scene.offered('USDC');
    await wallet.sendOtherToken(target(offered), MICRODOLLARS);
    await mine(12);
    expect(await scene.state(offered)).toEqual({
      ...nothing,
      payments: [`${MICRODOLLARS} unexpected_asset +1`],
    });
    expect(await scene.books(offered)).toEqual(unpaid);
  });
});

describe('USDC for an invoice in ETH', () => {
  it('is for a person to decide, and pays it once it is accepted', async () => {
    const offered = await scene.offered('ETH');
    await wallet.sendToken(target(offered), MICRODOLLARS);
    await mine(12);
    expect(await scene.state(offered)).toEqual({
      is: 'awaiting [wrong_asset, review]',
      units: untouchedUnits,
      payments: [`${MICRODOLLARS} unexpected_asset +1`],
      events: ['wrong_asset', 'review_opened'],
      signals: 1,
    });
    expect(await scene.books(offered)).toMatchObject({ ...unpaid, mails: expect.anything() });
    await scene.accept(
      offered,
      (await scene.payments(offered)).map(({ key }) => key),
    );
    expect(await scene.state(offered)).toMatchObject({
      is: 'settled [wrong_asset, marked]',
      units: { ...untouchedUnits, credited: WEI, confirmed: WEI },
      payments: [`${MICRODOLLARS} confirmed +1`],
    });
    expect(await scene.books(offered)).toMatchObject({ ...paid, mails: expect.anything() });
  });
});

describe('a reorganisation', () => {
  it('that has the payment again changes nothing but its block', async () => {
    const offered = await scene.offered('ETH');
    const txid = await wallet.sendEth(target(offered), WEI);
    await mine(2);
    const before = await scene.state(offered);
    const [first] = await scene.payments(offered);
    await wallet.reorg(3, [{ txid, place: 1 }]);
    await watcher.poll();
    expect(await scene.state(offered)).toEqual({ ...before, payments: [`${WEI} mined +2`] });
    const [again] = await scene.payments(offered);
    expect(again?.key).toBe(first?.key);
    expect(again?.blockHash).not.toBe(first?.blockHash);
    await mine(9);
    expect((await scene.state(offered)).is).toBe('processing');
    await mine(1);
    expect(await scene.state(offered)).toEqual({
      ...settled(WEI),
      payments: [`${WEI} confirmed +2`],
      is: 'settled',
    });
    expect(await scene.books(offered)).toEqual(paid);
  });

  it('that leaves it out takes it back; the same money counts again when it comes again', async () => {
    const offered = await scene.offered('USDC');
    const nonce = await wallet.nextNonce();
    await wallet.sendToken(target(offered), MICRODOLLARS, { nonce });
    await mine(2);
    await wallet.reorg(3);
    await watcher.poll();
    const out = await scene.state(offered);
    expect(out).toMatchObject({
      is: 'awaiting [reorged]',
      units: untouchedUnits,
      payments: [`${MICRODOLLARS} orphaned`],
      events: ['payment_seen', 'processing', 'payment_reversed', 'reorged'],
    });
    // The same nonce, and so the same payment by the same sender.
    await scene.pass({ minutes: 20 });
    await wallet.sendToken(target(offered), MICRODOLLARS, { nonce, gasPrice: 100_000_000_000n });
    await mine(11);
    expect(await scene.state(offered)).toMatchObject({
      units: { ...untouchedUnits, credited: MICRODOLLARS, confirmed: MICRODOLLARS },
      payments: [`${MICRODOLLARS} replaced`, `${MICRODOLLARS} confirmed +4`],
    });
    expect(await scene.books(offered)).toMatchObject({ ...paid, mails: expect.anything() });
  });

  it('that has a contract pay another invoice takes the settlement from the first and gives it to the second', async () => {
    const [first, second] = [await scene.offered('ETH'), await scene.offered('ETH')];
    const height = Number(await wallet.rpc<Hex>('eth_blockNumber'));
    // Pays whom its storage names for the lowest bit of the block's height.
    const fickle = '0x00000000000000000000000000000000000000fc';
    await wallet.rpc('anvil_setCode', fickle, '0x60006000600060003460014316545af100');
    const word = (hex: string) => `0x${hex.slice(2).padStart(64, '0')}`;
    for (const [ahead, offered] of [first, second].entries()) {
      const slot = `0x${((height + 2 + ahead) % 2).toString(16)}`;
      await wallet.rpc('anvil_setStorageAt', fickle, word(slot), word(target(offered)));
    }
    await wallet.mine(1);
    const txid = await wallet.send({ to: fickle, value: WEI });
    await mine(11);
    await scene.books(first);
    expect([await scene.state(first), await scene.state(second)]).toEqual([
      { ...settled(WEI), payments: [`${WEI} confirmed +2`] },
      nothing,
    ]);

    await wallet.reorg(12, [{ txid, place: 1 }]);
    await mine(12);
    expect(await scene.state(first)).toMatchObject({
      is: 'invalid [replaced, double_spent]',
      units: untouchedUnits,
      payments: [`${WEI} replaced`],
    });
    expect(await scene.books(first)).toMatchObject({
      ...unpaid,
      subscription: 'past_due',
      payments: ['2900 (0) left_chain'],
      mails: expect.anything(),
    });
    expect(await scene.state(second)).toEqual({
      ...settled(WEI),
      is: 'final',
      payments: [`${WEI} confirmed +3`],
      events: ['payment_seen', 'processing', 'settled', 'finalised'],
    });
    expect(await scene.books(second)).toEqual(paid);
    expect(await unitsInLots(first)).toEqual([0n]);
    expect(await unitsInLots(second)).toEqual([WEI]);
  });

  it('after the settlement keeps what was given for six hours, and then takes it back once', async () => {
    const offered = await scene.offered('USDC');
    await wallet.sendToken(target(offered), MICRODOLLARS);
    await mine(11);
    await scene.books(offered);
    await wallet.reorg(13);
    await watcher.poll();
    expect(await scene.state(offered)).toMatchObject({
      is: 'settled [reorged]',
      payments: [`${MICRODOLLARS} orphaned`],
    });
    expect(await scene.books(offered)).toMatchObject({ ...paid, mails: expect.anything() });
    await scene.pass({ hours: 6, ms: 1 });
    await watcher.poll();
    expect(await scene.books(offered)).toMatchObject({
      ...unpaid,
      subscription: 'past_due',
      payments: ['2900 (0) left_chain'],
      mails: expect.anything(),
    });
    expect(await scene.state(offered)).toMatchObject({
      is: 'invalid [double_spent]',
      units: untouchedUnits,
      payments: [`${MICRODOLLARS} orphaned`],
      events: ['payment_seen', 'processing', 'settled', 'reorged', 'settlement_reversed', 'double_spent'],
    });
  });

  it('of what was final pauses the chain', async () => {
    // Empty blocks in the place of empty blocks would be the same.
    await wallet.sendEth(elsewhere, 1n);
    await mine(17);
    await wallet.reorg(18);
    await watcher.poll();
    expect((await scene.chain('ethereum')).pauseReason).toBe('a block that was final has been replaced');
  });
});

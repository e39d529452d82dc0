/** Invoices paid in bitcoin on real nodes, through everything that happens to a payment on its way into the chain. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { LeaseLostError } from '../../db/queries/payments/chain-cursor.ts';
import { invoices } from '../../db/schema/billing.ts';
import { bitcoinWalletAddress } from '../../scripts/chains/bitcoin-wallet.ts';
import { joinNodes, partNodes, sameTip, startBtcd, type TestBtcd } from '../support/btcd.ts';
import { offer, rowOf } from './crypto-scene.ts';
import { Death, mortalFetch } from './mortal.ts';
import {
  createRealChainScene,
  type Offered,
  type RealChainScene,
  untouchedUnits,
  type Watcher,
} from './real-chain-scene.ts';

/** 29 dollars at 60,000 for a coin. */
const DUE = 48_334n;
const elsewhere = bitcoinWalletAddress(7);

let scene: RealChainScene;
let btcd: TestBtcd;
let watcher: Watcher;

beforeAll(async () => {
  [scene, btcd] = await Promise.all([createRealChainScene(), startBtcd()]);
});
afterAll(async () => {
  await Promise.all([scene?.close(), btcd?.stop()]);
});
/** Nothing of an earlier test waits, or is met with caution. */
beforeEach(async () => {
  watcher = await scene.watch(btcd.node);
  await mine(1);
  if ((await scene.chain()).pausedAt !== null) await mine(7);
  await scene.pass({ hours: 25 });
  await watcher.poll();
  expect((await scene.chain()).pauseReason).toBeNull();
});

/** Blocks, and a look at them. */
async function mine(blocks: number): Promise<string[]> {
  const hashes = await btcd.mine(blocks);
  await watcher.poll();
  return hashes;
}

const pay = ({ coins }: Offered, units: bigint) => btcd.wallet.pay({ to: coins.address, units });

/** What the books say of an invoice that nothing was paid for, and of one that was paid. */
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
const all = { ...untouchedUnits, credited: DUE, confirmed: DUE };

describe('a payment', () => {
  it('of what is due is seen, mined and settled three blocks deep, once', async () => {
    const offered = await scene.offered();
    await pay(offered, DUE);
    await watcher.poll();
    const seen = {
      is: 'processing',
      units: { ...untouchedUnits, credited: DUE },
      payments: [`${DUE} seen`],
      events: ['payment_seen', 'processing'],
      signals: 0,
    };
    expect(await scene.state(offered)).toEqual(seen);
    await mine(2);
    expect(await scene.state(offered)).toEqual({ ...seen, payments: [`${DUE} mined +1`] });
    expect(await scene.books(offered)).toEqual({ ...unpaid, mails: ['crypto_payment_seen'] });
    await mine(1);
    expect(await scene.state(offered)).toEqual({
      is: 'settled',
      units: all,
      payments: [`${DUE} confirmed +1`],
      events: ['payment_seen', 'processing', 'settled'],
      signals: 1,
    });
    expect(await scene.books(offered)).toEqual({ ...paid, mails: ['crypto_payment_seen'] });
  });

  it('in two parts is settled when the second is deep enough', async () => {
    const offered = await scene.offered();
    await pay(offered, 29_000n);
    await mine(1);
    expect(await scene.state(offered)).toMatchObject({
      is: 'awaiting [partial]',
      payments: ['29000 mined +1'],
      events: ['payment_seen', 'partial_payment'],
    });
    await scene.pass({ minutes: 10 });
    await pay(offered, 19_334n);
    await mine(2);
    expect(await scene.state(offered)).toMatchObject({
      is: 'processing',
      units: { ...all, confirmed: 29_000n },
      payments: ['29000 confirmed +1', '19334 mined +2'],
    });
    await mine(1);
    expect(await scene.state(offered)).toEqual({
      is: 'settled',
      units: all,
      payments: ['29000 confirmed +1', '19334 confirmed +2'],
      events: ['payment_seen', 'partial_payment', 'payment_seen', 'processing', 'settled'],
      signals: 1,
    });
    expect(await scene.books(offered)).toMatchObject({ ...paid, mails: expect.anything() });
  });

  it('of more than is due is settled, and the excess is known to the satoshi', async () => {
    const offered = await scene.offered();
    await pay(offered, 72_501n);
    await mine(3);
    expect(await scene.state(offered)).toEqual({
      is: 'settled [over]',
      units: { credited: 72_501n, confirmed: 72_501n, late: 0n, excess: 24_167n },
      payments: ['72501 confirmed +1'],
      events: ['payment_seen', 'over_paid', 'processing', 'settled'],
      signals: 2,
    });
    expect(await scene.books(offered)).toEqual({
      ...paid,
      payments: ['4350 (2900)'],
      creditMinor: 1450,
      cashMinor: 4350,
      mails: ['crypto_payment_over'],
    });
  });

  it('at the end of the quote is on time, and a thousandth of a second later it is not', async () => {
    const [onTime, late] = [await scene.offered(), await scene.offered()];
    await scene.startClock(onTime.coins.expiresAt);
    await pay(onTime, DUE);
    await watcher.poll();
    await scene.pass({ ms: 1 });
    await pay(late, DUE);
    await mine(3);
    expect(await scene.state(onTime)).toMatchObject({ is: 'settled', payments: [`${DUE} confirmed +1`] });
    expect(await scene.state(late)).toEqual({
      is: 'expired [late, review]',
      units: { ...untouchedUnits, late: DUE },
      payments: [`${DUE} confirmed late +1`],
      events: ['late_payment', 'review_opened', 'expired'],
      signals: 2,
    });
    expect(await scene.books(late)).toMatchObject({ ...unpaid, mails: expect.anything() });

    await scene.accept(
      late,
      (await scene.payments(late)).map(({ key }) => key),
    );
    expect(await scene.state(late)).toMatchObject({ is: 'settled [late, marked]', units: all });
    expect(await scene.books(late)).toMatchObject({ ...paid, mails: expect.anything() });
  });

  it('that comes twice to one address is settled once, and the second is credit', async () => {
    const offered = await scene.offered();
    await pay(offered, DUE);
    await mine(3);
    await scene.books(offered);
    await pay(offered, DUE);
    await mine(3);
    expect(await scene.state(offered)).toMatchObject({
      is: 'settled [over]',
      units: { credited: 2n * DUE, confirmed: 2n * DUE, late: 0n, excess: DUE },
      payments: [`${DUE} confirmed +1`, `${DUE} confirmed +4`],
      events: ['payment_seen', 'processing', 'settled', 'payment_seen', 'over_paid'],
    });
    expect(await scene.books(offered)).toMatchObject({
      ...paid,
      payments: ['2900 (2900)', '2900 (0)'],
      creditMinor: 2900,
      cashMinor: 5800,
      mails: expect.anything(),
    });
  });

  it('to the nested address of an older wallet counts together with the other', async () => {
    const offered = await scene.offered();
    expect(offered.nested).toMatch(/^2/);
    await btcd.wallet.pay([
      { to: offered.nested, units: 30_000n },
      { to: offered.coins.address, units: 18_334n },
    ]);
    await mine(3);
    expect(await scene.state(offered)).toEqual({
      is: 'settled',
      units: all,
      payments: ['30000 confirmed +1', '18334 confirmed +1'],
      events: ['payment_seen', 'payment_seen', 'processing', 'settled'],
      signals: 1,
    });
    expect(await scene.books(offered)).toMatchObject({ ...paid, mails: expect.anything() });
  });
});

describe('a replacement', () => {
  it('that pays us again takes the time of the first, and nobody is told of two', async () => {
    const offered = await scene.offered();
    const first = await pay(offered, DUE);
    await watcher.poll();
    // On time only by what it replaces.
    await scene.pass({ minutes: 20 });
    await btcd.wallet.replace(first);
    await watcher.poll();
    expect(await scene.state(offered)).toEqual({
      is: 'processing [replaced]',
      units: { ...untouchedUnits, credited: DUE },
      payments: [`${DUE} replaced`, `${DUE} seen`],
      events: ['payment_seen', 'processing', 'payment_replaced'],
      signals: 0,
    });
    const times = (await scene.payments(offered)).map(({ effectiveAt }) => effectiveAt.toISOString());
    expect(times[1]).toBe(times[0]);
    await mine(3);
    expect(await scene.state(offered)).toMatchObject({
      is: 'settled [replaced]',
      units: all,
      payments: [`${DUE} replaced`, `${DUE} confirmed +1`],
      signals: 1,
    });
    expect(await scene.books(offered)).toEqual(paid);
  });

  it('that pays somebody else takes the payment back at once, before any block', async () => {
    const offered = await scene.offered();
    const first = await pay(offered, DUE);
    await watcher.poll();
    await btcd.wallet.replace(first, { payees: [{ to: elsewhere, units: DUE }] });
    await watcher.poll();
    const reversed = {
      is: 'awaiting [replaced, double_spend_attempt]',
      units: untouchedUnits,
      payments: [`${DUE} replaced`],
      events: ['payment_seen', 'processing', 'payment_replaced', 'payment_reversed', 'double_spend_attempt'],
      signals: 1,
    };
    expect(await scene.state(offered)).toEqual(reversed);
    await mine(6);
    expect(await scene.state(offered)).toMatchObject({
      is: 'awaiting [double_spent, double_spend_attempt]',
      payments: [`${DUE} double_spent`],
    });
    expect(await scene.books(offered)).toMatchObject({ ...unpaid, mails: expect.anything() });
    await scene.pass({ minutes: 16 });
    await watcher.poll();
    expect((await scene.state(offered)).is).toBe('expired [double_spent, double_spend_attempt]');
  });
});

describe('a replacement that pays another invoice of the same customer', () => {
  it('takes the payment from the one and gives it to the other, and is no attempt to cheat', async () => {
    const offered = await scene.offered();
    const { tenantId } = offered.coins;
    const otherId = await withTenant(scene.db, tenantId, async (tx) => {
      const [row] = await tx.select().from(invoices).where(eq(invoices.id, offered.invoice.invoiceId));
      if (row === undefined) throw new Error('The invoice is gone');
      const other = { ...row, id: newId('inv'), number: 'INV-other', periodIndex: 50 };
      await tx.insert(invoices).values(other);
      return other.id;
    });
    const at = scene.now().toISOString();
    const second = await offer(scene, { tenantId, invoiceId: otherId }, { at });
    const first = await pay(offered, DUE);
    await watcher.poll();
    expect((await scene.state(offered)).is).toBe('processing');

    await btcd.wallet.replace(first, { payees: [{ to: second.address, units: DUE }] });
    await watcher.poll();
    const replaced = {
      is: 'awaiting [replaced]',
      units: untouchedUnits,
      payments: [`${DUE} replaced`],
      events: ['payment_seen', 'processing', 'payment_replaced', 'payment_reversed'],
      signals: 1,
    };
    expect(await scene.state(offered)).toEqual(replaced);
    expect(await rowOf(scene, second)).toMatchObject({ status: 'processing', flags: [] });

    await mine(3);
    expect(await scene.state(offered)).toEqual(replaced);
    expect(await scene.books(offered)).toEqual({ ...unpaid, mails: ['crypto_payment_gone'] });
    expect(await rowOf(scene, second)).toMatchObject({ status: 'settled', flags: [], reversals: 0 });
  });
});

describe('a payment that builds upon another one', () => {
  it('waits with it, and is mined with it', async () => {
    const offered = await scene.offered();
    const parent = await btcd.wallet.pay({ to: elsewhere, units: 10_000n });
    const coin = parent.change ?? expect.fail('no change');
    await btcd.wallet.pay({ to: offered.coins.address, units: DUE }, { coins: [coin] });
    await watcher.poll();
    expect(await scene.state(offered)).toEqual({
      is: 'processing [unconfirmed_parent]',
      units: { ...untouchedUnits, credited: DUE },
      payments: [`${DUE} seen`],
      events: ['payment_seen', 'processing', 'unconfirmed_parent'],
      signals: 0,
    });
    expect((await scene.payments(offered)).map((each) => each.unconfirmedParent)).toEqual([parent.txid]);
    await mine(3);
    expect(await scene.state(offered)).toMatchObject({ is: 'settled', units: all, signals: 1 });
    expect(await scene.books(offered)).toMatchObject({ ...paid, mails: expect.anything() });
  });

  it('dies with it when that is replaced', async () => {
    const offered = await scene.offered();
    const parent = await btcd.wallet.pay({ to: elsewhere, units: 10_000n });
    const coin = parent.change ?? expect.fail('no change');
    await btcd.wallet.pay({ to: offered.coins.address, units: DUE }, { coins: [coin] });
    await watcher.poll();
    // Pays for both that it throws out.
    await btcd.wallet.replace(parent, { feeRate: 20n });
    await watcher.poll();
    expect(await scene.state(offered)).toMatchObject({
      is: 'awaiting [replaced, double_spend_attempt]',
      units: untouchedUnits,
      payments: [`${DUE} replaced`],
    });
    await mine(3);
    expect(await scene.books(offered)).toMatchObject({ ...unpaid, mails: expect.anything() });
  });
});

describe('a reorganisation', () => {
  it('that mines the payment again settles it once', async () => {
    const offered = await scene.offered();
    await pay(offered, DUE);
    const [hash = ''] = await mine(2);
    await btcd.invalidate(hash);
    await mine(3);
    const before = await scene.state(offered);
    expect(before).toMatchObject({ is: 'settled', payments: [`${DUE} confirmed +1`], signals: 1 });
    await scene.books(offered);
    const deep = (await btcd.node.hashAt((await btcd.node.tip()).height - 1)) ?? '';
    await btcd.invalidate(deep);
    await mine(4);
    expect(await scene.state(offered)).toEqual(before);
    expect(before.events).toEqual(['payment_seen', 'processing', 'settled']);
    expect(await scene.books(offered)).toEqual(paid);
  });
});

describe('two nodes', () => {
  let rival: TestBtcd;

  beforeAll(async () => {
    rival = await startBtcd({ blocks: 0 });
    await joinNodes(btcd, rival);
    await partNodes(btcd, rival);
  });
  afterAll(() => rival?.stop());
  /** Both have the same chain, and no payment of the one is told to the other. */
  beforeEach(async () => {
    await joined();
    await partNodes(btcd, rival);
  });

  async function joined(): Promise<void> {
    await joinNodes(btcd, rival);
    await sameTip(btcd, rival);
  }

  it('one of which confirms a double spend: the orphan in the mempool is not alive', async () => {
    const offered = await scene.offered();
    const payment = await pay(offered, DUE);
    await mine(2);
    expect(await scene.state(offered)).toMatchObject({ is: 'processing', payments: [`${DUE} mined +1`] });
    await rival.wallet.pay({ to: elsewhere, units: DUE }, { coins: payment.coins });
    await rival.mine(4);
    await joined();
    for (let processes = 0; processes < 2; processes += 1) {
      await watcher.poll();
      expect(await btcd.node.mempool()).toContain(payment.txid);
      expect(await scene.state(offered)).toMatchObject({
        units: untouchedUnits,
        payments: [`${DUE} orphaned`],
      });
      // It finds the dead one in the mempool as if for the first time.
      watcher = await scene.watch(btcd.node);
    }
    await mine(2);
    expect(await btcd.node.mempool()).toContain(payment.txid);
    expect(await scene.state(offered)).toEqual({
      is: 'awaiting [double_spent, double_spend_attempt]',
      units: untouchedUnits,
      payments: [`${DUE} double_spent`],
      events: [
        'payment_seen',
        'processing',
        'payment_reversed',
        'reorged',
        'double_spend_attempt',
        'double_spent',
      ],
      signals: 2,
    });
    expect(await scene.books(offered)).toMatchObject({ ...unpaid, mails: expect.anything() });
  });

  it('one of which confirmed a double spend before we saw what it killed: nothing was ever paid', async () => {
    const offered = await scene.offered();
    const payment = await pay(offered, DUE);
    await btcd.mine(1);
    const away = await rival.wallet.pay({ to: elsewhere, units: DUE }, { coins: payment.coins });
    await rival.mine(2);
    await joined();
    expect(await btcd.node.mempool()).toContain(payment.txid);
    for (let looks = 0; looks < 2; looks += 1) {
      await watcher.poll();
      expect(await scene.state(offered)).toMatchObject({ is: 'awaiting', payments: [], events: [] });
    }
    const spends = payment.coins.map(({ txid, vout }) => `${txid}:${vout}`);
    expect(await btcd.node.used([...spends, `${payment.txid}:0`])).toEqual(spends);
    // The branch of the double spend leaves the chain: what it had killed is back in its block.
    await btcd.invalidate((await btcd.node.find(away.txid))?.block?.hash ?? '');
    await btcd.mine(2);
    await watcher.poll();
    expect(await scene.state(offered)).toMatchObject({ is: 'settled', payments: [`${DUE} confirmed +1`] });
  });

  it('one of which takes a settled payment out of three blocks: the chain is paused, and it settles no second time', async () => {
    const [settled, waiting] = [await scene.offered(), await scene.offered()];
    await pay(settled, DUE);
    await mine(3);
    await scene.books(settled);
    await rival.mine(4);
    await joined();
    await pay(waiting, DUE);
    await watcher.poll();
    expect((await scene.chain()).pauseReason).toBe('a reorganisation has taken 3 blocks out of the chain');
    expect(await scene.state(settled)).toMatchObject({
      is: 'settled [reorged]',
      payments: [`${DUE} orphaned`],
      events: ['payment_seen', 'processing', 'settled', 'reorged'],
    });
    expect(await scene.books(settled)).toMatchObject({ ...paid, mails: expect.anything() });
    await expect(scene.offered()).rejects.toMatchObject({ reason: 'chain_paused' });

    await mine(4);
    expect(await scene.state(waiting)).toMatchObject({ is: 'processing [paused]' });
    await mine(2);
    // Six blocks later it goes on by itself, with doubled depths.
    expect((await scene.chain()).pauseReason).toBeNull();
    expect(await scene.state(waiting)).toMatchObject({ is: 'settled', units: all });
    expect(await scene.state(settled)).toEqual({
      is: 'settled',
      units: all,
      payments: [`${DUE} confirmed +5`],
      events: ['payment_seen', 'processing', 'settled', 'reorged', 'reorg_healed'],
      signals: 2,
    });
    for (const each of [settled, waiting]) {
      expect(await scene.books(each)).toMatchObject({ ...paid, mails: expect.anything() });
    }
  });

  it('one of which double-spends a settled payment six blocks deep: what was given is taken back, once', async () => {
    const offered = await scene.offered();
    const payment = await pay(offered, DUE);
    await mine(3);
    await scene.books(offered);
    await rival.wallet.pay({ to: elsewhere, units: DUE }, { coins: payment.coins });
    await rival.mine(5);
    await joined();
    await watcher.poll();
    expect(await scene.state(offered)).toMatchObject({
      is: 'settled [reorged, double_spend_attempt]',
    });
    expect(await scene.books(offered)).toMatchObject({ ...paid, mails: expect.anything() });
    await mine(1);
    expect(await scene.state(offered)).toEqual({
      is: 'invalid [double_spent, double_spend_attempt]',
      units: untouchedUnits,
      payments: [`${DUE} double_spent`],
      events: [
        'payment_seen',
        'processing',
        'settled',
        'reorged',
        'double_spend_attempt',
        'settlement_reversed',
        'double_spent',
      ],
      signals: 3,
    });
    expect(await scene.books(offered)).toEqual({
      ...unpaid,
      subscription: 'past_due',
      payments: ['2900 (0) double_spent'],
      mails: ['crypto_payment_reversed'],
    });
  });

  it('that disagree for half an hour pause the chain, and nothing settles or expires until they agree', async () => {
    const [settling, unpaidOne] = [await scene.offered(), await scene.offered()];
    await pay(settling, DUE);
    await rival.mine(3);
    await btcd.mine(2);
    await watcher.poll({ second: rival.node });
    expect(await scene.chain()).toMatchObject({ pauseReason: null, disagreeingSince: scene.now() });
    const since = scene.now().toISOString();
    await scene.pass({ minutes: 31 });
    await btcd.mine(4);
    await watcher.poll({ second: rival.node });
    expect((await scene.chain()).pauseReason).toBe(`two nodes have disagreed since ${since}`);
    expect((await scene.state(settling)).is).toBe('processing [paused]');
    expect((await scene.state(unpaidOne)).is).toBe('awaiting');

    await joined();
    await watcher.poll({ second: rival.node });
    await rival.mine(6);
    await sameTip(btcd, rival);
    await watcher.poll({ second: rival.node });
    expect((await scene.chain()).pauseReason).toBeNull();
    expect(await scene.state(settling)).toMatchObject({ is: 'settled', payments: [`${DUE} confirmed +1`] });
    expect((await scene.state(unpaidOne)).is).toBe('expired');
    expect(await scene.books(settling)).toMatchObject({ ...paid, mails: expect.anything() });
  });
});

describe('a watcher that is killed', () => {
  it('at any moment loses no block and counts none twice', async () => {
    const offered = await scene.offered();
    await pay(offered, 72_501n);
    await btcd.mine(4);
    let deaths = 0;
    for (let dieAt = 1; ; dieAt += 1) {
      const { db } = mortalFetch(scene, dieAt);
      const killed = await scene.watch(btcd.node, { db });
      const isDead = await killed.poll().then(
        () => false,
        (error: unknown) => {
          if (error instanceof Death) return true;
          throw error;
        },
      );
      if (!isDead) break;
      deaths += 1;
    }
    expect(deaths).toBeGreaterThan(12);
    expect(await scene.state(offered)).toEqual({
      is: 'settled [over]',
      units: { credited: 72_501n, confirmed: 72_501n, late: 0n, excess: 24_167n },
      payments: ['72501 confirmed +1'],
      events: ['payment_seen', 'over_paid', 'processing', 'settled'],
      signals: 2,
    });
    expect(await scene.books(offered)).toMatchObject({
      ...paid,
      payments: ['4350 (2900)'],
      cashMinor: 4350,
      creditMinor: 1450,
      mails: expect.anything(),
    });
    // The one from before all of them is still there, and writes nothing.
    await btcd.mine(1);
    await expect(watcher.poll()).rejects.toBeInstanceOf(LeaseLostError);
  });
});

describe('on the clock of the chain', () => {
  it('a payment in one of 144 blocks that nobody read counts from its block, and nothing has expired', async () => {
    await scene.startClock(new Date());
    await mine(1);
    const [offered, unpaidOne] = [await scene.offered(), await scene.offered()];
    await pay(offered, DUE);
    const [hash = ''] = await btcd.mine(144);
    await scene.pass({ minutes: 40 });
    expect(await watcher.poll()).toMatchObject({ blocks: 144, payments: 1 });
    expect(await scene.state(offered)).toEqual({
      is: 'final',
      units: all,
      payments: [`${DUE} confirmed +1`],
      events: ['payment_seen', 'processing', 'settled', 'finalised'],
      signals: 3,
    });
    const block = await btcd.node.block(hash);
    expect((await scene.payments(offered)).map((each) => each.effectiveAt.toISOString())).toEqual([
      block?.time,
    ]);
    expect((await scene.state(unpaidOne)).is).toBe('expired');
    expect(await scene.books(offered)).toMatchObject({ ...paid, mails: expect.anything() });
  });
});

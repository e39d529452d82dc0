/** Coins in the books: what is settled is booked once, what is more or less than due, and what a chain takes back. */

import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDunningActivities } from '../../activities/billing/dunning.ts';
import { collectInvoice } from '../../activities/payments/collect-invoice.ts';
import { createCryptoInvoiceActivities } from '../../activities/payments/crypto-invoice.ts';
import { type Tx, withSystem, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { closeInvoice } from '../../db/queries/billing/close-invoice.ts';
import { changeCase, findOpenCase, moveOnCase } from '../../db/queries/billing/dunning-cases.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { requestCheckout } from '../../db/queries/payments/coinbase-checkouts.ts';
import { type CryptoInvoiceRow, lockCryptoInvoices } from '../../db/queries/payments/observe-chain.ts';
import { requestOrder } from '../../db/queries/payments/razorpay-orders.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { invoices, subscriptions } from '../../db/schema/billing.ts';
import { coinbaseCheckouts } from '../../db/schema/coinbase.ts';
import { cryptoInvoices, cryptoPayments } from '../../db/schema/crypto.ts';
import { outbox } from '../../db/schema/operations.ts';
import { money } from '../../domain/money.ts';
import { createScene, type OpenInvoice, type Scene } from './collection-scene.ts';
import {
  booksOf,
  carryOut,
  eventsOf,
  loseTo,
  minutesAfter,
  offer,
  pay,
  readTo,
  readyForCoins,
  rowOf,
  setChain,
  setPrices,
  T0,
} from './crypto-scene.ts';
import { Death, mortal } from './mortal.ts';

let scene: Scene;
let invoice: OpenInvoice;
let coins: CryptoInvoiceRow;

beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene.close());
async function offered(): Promise<void> {
  invoice = await scene.openInvoice();
  await readyForCoins(scene, invoice.tenantId);
  coins = await offer(scene, invoice);
}

/** Three blocks deep, which is enough. */
async function confirmed(units: bigint, n = 1, height = 101): Promise<string> {
  const key = await pay(scene, coins, { units, at: minutesAfter(5), height, n });
  await readTo(scene, coins, { height: height + 2, at: minutesAfter(40) });
  return key;
}

describe('an invoice paid in coins', () => {
  it('is paid once it is deep enough, with one payment, however often it is looked at', async () => {
    await offered();
    expect(coins).toMatchObject({ status: 'awaiting', dueMinor: 2900, dueUnits: 48_334n });
    await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(5) });
    expect(await rowOf(scene, coins)).toMatchObject({ status: 'processing' });
    await carryOut(scene, coins, minutesAfter(6));
    expect(await booksOf(scene, invoice)).toMatchObject({ invoice: 'open 0/2900', payments: [] });
    await confirmed(coins.dueUnits);
    for (let i = 0; i < 3; i += 1) await carryOut(scene, coins, minutesAfter(41));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      subscription: 'active',
      payments: ['2900 (2900)'],
      creditMinor: 0,
      cashMinor: 2900,
      toleranceMinor: 0,
      sumMinor: 0,
    });
    expect((await eventsOf(scene, coins)).filter((event) => event.endsWith('waits'))).toEqual([]);
  });

  it('within the tolerance is paid in full, and the books say what is missing', async () => {
    await offered();
    await confirmed(coins.minDueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      subscription: 'active',
      payments: ['2842 (2842)'],
      cashMinor: 2842,
      toleranceMinor: 58,
      sumMinor: 0,
    });
    expect((await rowOf(scene, coins)).flags).toEqual(['within_tolerance']);
  });

  it('below the tolerance is not paid', async () => {
    await offered();
    await confirmed(coins.minDueUnits - 1n);
    await carryOut(scene, coins, minutesAfter(41));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'open 0/2900',
      payments: [],
      cashMinor: 0,
    });
    expect(await rowOf(scene, coins)).toMatchObject({ status: 'expired', flags: ['partial', 'review'] });
    expect((await booksOf(scene, invoice)).mails).toContain('crypto_payment_partial');
  });

  it("and more than that is the customer's credit, to the cent", async () => {
    await offered();
    await confirmed((coins.dueUnits * 3n) / 2n);
    await carryOut(scene, coins, minutesAfter(41));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      payments: ['4350 (2900)'],
      creditMinor: 1450,
      cashMinor: 4350,
      sumMinor: 0,
    });
    expect(await rowOf(scene, coins)).toMatchObject({ flags: ['over'], excessUnits: coins.dueUnits / 2n });
    expect((await booksOf(scene, invoice)).mails).toContain('crypto_payment_over');
  });

  it('a second time is credit as well, once it is deep enough', async () => {
    await offered();
    await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    await pay(scene, coins, { units: 10_000n, at: minutesAfter(7), height: 103, n: 2 });
    await carryOut(scene, coins, minutesAfter(42));
    expect(await booksOf(scene, invoice)).toMatchObject({ payments: ['2900 (2900)'], creditMinor: 0 });
    await readTo(scene, coins, { height: 105, at: minutesAfter(60) });
    await carryOut(scene, coins, minutesAfter(61));
    await carryOut(scene, coins, minutesAfter(62));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      payments: ['2900 (2900)', '600 (0)'],
      creditMinor: 600,
      cashMinor: 3500,
      sumMinor: 0,
    });
  });

  it('whose coins are spent elsewhere for good is open again, and so is what depends on it', async () => {
    await offered();
    const key = await confirmed(coins.minDueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    await setChain(scene, { height: 110, at: minutesAfter(100) });
    await loseTo(scene, coins, { key, height: 101, at: minutesAfter(100) });
    for (let i = 0; i < 2; i += 1) await carryOut(scene, coins, minutesAfter(101));
    expect(await rowOf(scene, coins)).toMatchObject({ status: 'invalid', reversals: 1, bookedUnits: 0n });
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'open 0/2900',
      subscription: 'past_due',
      ladder: 'suspended',
      payments: ['2842 (0) double_spent'],
      cashMinor: 0,
      toleranceMinor: 0,
      sumMinor: 0,
    });
    const { mails } = await booksOf(scene, invoice);
    expect(mails.filter((mail) => mail === 'crypto_payment_reversed')).toHaveLength(1);
  });

  it('whose coins leave the chain without a rival, and stay out of it, is open again for that reason', async () => {
    await offered();
    const key = await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    await withSystem(scene.db, (tx) =>
      tx
        .update(cryptoPayments)
        .set({ height: null, blockHash: null, orphanedAt: new Date(minutesAfter(90)) })
        .where(eq(cryptoPayments.key, key)),
    );
    await readTo(scene, coins, { height: 150, at: minutesAfter(90 + 6 * 60 + 1) });
    for (let i = 0; i < 2; i += 1) await carryOut(scene, coins, minutesAfter(90 + 6 * 60 + 2));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'open 0/2900',
      payments: ['2900 (0) left_chain'],
      cashMinor: 0,
      sumMinor: 0,
    });
  });

  it('whose coins are spent elsewhere takes the access that another unpaid invoice had left', async () => {
    await offered();
    const key = await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    await withTenant(scene.db, invoice.tenantId, (tx) =>
      tx.update(subscriptions).set({ status: 'past_due', ladder: 'grace' }),
    );
    await setChain(scene, { height: 110, at: minutesAfter(100) });
    await loseTo(scene, coins, { key, height: 101, at: minutesAfter(100) });
    for (let i = 0; i < 2; i += 1) await carryOut(scene, coins, minutesAfter(101));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'open 0/2900',
      subscription: 'past_due',
      ladder: 'suspended',
    });
  });

  it('whose coins are spent elsewhere is told of that, and never that a step takes what is gone already', async () => {
    await offered();
    const row = await lostCase();
    const { performDunningStep } = createDunningActivities(scene);
    for (const [stepIndex, days] of [
      [3, 7],
      [4, 14],
    ] as const) {
      const at = minutesAfter(101 + days * 24 * 60);
      const input = { tenantId: row.tenantId, customerId: row.customerId, caseId: row.id, stepIndex, at };
      const after = await performDunningStep({ ...input, charge: true });
      expect(after.nextStepIndex).toBe(stepIndex + 1);
    }
    const { mails, ladder } = await booksOf(scene, invoice);
    expect(ladder).toBe('suspended');
    expect(mails.filter((mail) => mail.startsWith('account_'))).toEqual([]);
  });

  it('whose coins are spent elsewhere gets no access back from a case that passes on to it', async () => {
    await offered();
    const row = await lostCase();
    await withTenant(scene.db, invoice.tenantId, async (tx) => {
      const [unpaid] = await tx.select().from(invoices).where(eq(invoices.id, invoice.invoiceId));
      if (unpaid === undefined) throw new Error('The invoice is gone');
      const earlier = {
        ...unpaid,
        id: newId('inv'),
        number: 'INV-earlier',
        periodIndex: (unpaid.periodIndex ?? 0) + 50,
        status: 'paid' as const,
      };
      await tx.insert(invoices).values({ ...earlier, paidMinor: unpaid.totalMinor, paidAt: new Date(T0) });
      const changed = await changeCase(tx, row.id, { invoiceId: earlier.id });
      const { tenant } = await lockSubscription(tx, unpaid.subscriptionId);
      const at = new Date(minutesAfter(102));
      expect(await moveOnCase(tx, tenant, changed, { at, outcome: 'recovered' })).toBe(false);
    });
    expect(await booksOf(scene, invoice)).toMatchObject({ subscription: 'past_due', ladder: 'suspended' });
  });

  /** Settled, and lost to another transaction; the case that begins with it. */
  async function lostCase() {
    const key = await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    await setChain(scene, { height: 110, at: minutesAfter(100) });
    await loseTo(scene, coins, { key, height: 101, at: minutesAfter(100) });
    await carryOut(scene, coins, minutesAfter(101));
    const row = await withTenant(scene.db, invoice.tenantId, (tx) => findOpenCase(tx, coins.customerId));
    if (row === null) throw new Error('No case was opened');
    return row;
  }

  it('that settles again after a reversal is booked as another payment', async () => {
    await offered();
    const key = await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    await setChain(scene, { height: 110, at: minutesAfter(100) });
    await loseTo(scene, coins, { key, height: 101, at: minutesAfter(100) });
    await carryOut(scene, coins, minutesAfter(101));
    await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(5), height: 105, n: 3 });
    await carryOut(scene, coins, minutesAfter(102));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      subscription: 'active',
      payments: ['2900 (0) double_spent', '2900 (2900)'],
      cashMinor: 2900,
      sumMinor: 0,
    });
  });

  it('that was paid otherwise meanwhile is no longer offered; what still comes is for a person to decide', async () => {
    await offered();
    await recordCash();
    expect(await rowOf(scene, coins)).toMatchObject({ status: 'cancelled' });
    await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    expect(await rowOf(scene, coins)).toMatchObject({ status: 'cancelled', flags: ['review'] });
    expect(await booksOf(scene, invoice)).toMatchObject({ payments: [], cashMinor: 0, sumMinor: 0 });
  });

  it('and otherwise as well is credit', async () => {
    await offered();
    await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(5) });
    await recordCash();
    expect(await rowOf(scene, coins)).toMatchObject({ status: 'processing' });
    await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      payments: ['2900 (0)'],
      creditMinor: 2900,
      sumMinor: 0,
    });
  });

  it('is not given up while coins are on their way', async () => {
    await offered();
    await pay(scene, coins, { units: 20_000n, at: minutesAfter(5) });
    const giveUp = withTenant(scene.db, invoice.tenantId, (tx) =>
      closeInvoice(tx, {
        invoiceId: invoice.invoiceId,
        as: 'void',
        reason: undefined,
        actor: 'test',
        at: new Date(minutesAfter(6)),
      }),
    );
    await expect(giveUp).rejects.toMatchObject({ reason: 'coins_under_way' });
  });

  it('is not charged to a card while coins are on their way', async () => {
    await offered();
    await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(5) });
    const { outcome } = await collectInvoice(scene, { ...invoice.input, at: minutesAfter(6) });
    expect(outcome).toBe('technical');
    await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      payments: ['2900 (2900)'],
    });
  });
});

describe('coins that are lost while enough of them stay', () => {
  /** Another payment on time, deep with the first one. */
  async function alsoPaid(units: bigint, n = 2): Promise<string> {
    return pay(scene, coins, { units, at: minutesAfter(7), height: 101, n });
  }

  /** Spent elsewhere, deep in the chain. */
  async function lost(key: string, minutes = 100): Promise<void> {
    await setChain(scene, { height: 110, at: minutesAfter(minutes) });
    await loseTo(scene, coins, { key, height: 101, at: minutesAfter(minutes) });
    for (let i = 0; i < 2; i += 1) await carryOut(scene, coins, minutesAfter(minutes + 1));
  }

  it('are the credit of nobody: what was over is taken back, and the invoice stays paid', async () => {
    await offered();
    const key = await alsoPaid(coins.dueUnits);
    await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    expect(await booksOf(scene, invoice)).toMatchObject({ payments: ['5800 (2900)'], creditMinor: 2900 });
    await lost(key);
    expect(await rowOf(scene, coins)).toMatchObject({ status: 'settled', bookedUnits: coins.dueUnits });
    const books = await booksOf(scene, invoice);
    expect(books).toMatchObject({
      invoice: 'paid 2900/2900',
      subscription: 'active',
      payments: ['5800 (2900) double_spent'],
      creditMinor: 0,
      cashMinor: 2900,
      toleranceMinor: 0,
      sumMinor: 0,
    });
    expect(books.mails).not.toContain('crypto_payment_reversed');
  });

  it('are looked at by the process of the invoice, and taken back, once they have been in no block for too long', async () => {
    await offered();
    const key = await alsoPaid(coins.dueUnits);
    await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    await withSystem(scene.db, (tx) =>
      tx
        .update(cryptoPayments)
        .set({ height: null, blockHash: null, orphanedAt: new Date(minutesAfter(90)) })
        .where(eq(cryptoPayments.key, key)),
    );
    await readTo(scene, coins, { height: 105, at: minutesAfter(91) });
    await carryOut(scene, coins, minutesAfter(91));
    expect(await booksOf(scene, invoice)).toMatchObject({ creditMinor: 2900, cashMinor: 5800 });
    const before = await looks();
    await readTo(scene, coins, { height: 150, at: minutesAfter(90 + 6 * 60 + 1) });
    expect((await looks()) - before).toBe(1);
    await carryOut(scene, coins, minutesAfter(90 + 6 * 60 + 2));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      payments: ['5800 (2900) left_chain'],
      creditMinor: 0,
      cashMinor: 2900,
      sumMinor: 0,
    });
  });

  /** How often the invoice's process was told to look. */
  function looks(): Promise<number> {
    return inTenant((tx) => tx.$count(outbox, sql`${outbox.envelope}::text like ${`%${coins.id}%`}`));
  }

  it('are taken back from the last payment first', async () => {
    await offered();
    await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    const key = await alsoPaid(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(42));
    expect(await booksOf(scene, invoice)).toMatchObject({
      payments: ['2900 (2900)', '2900 (0)'],
      creditMinor: 2900,
    });
    await lost(key);
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      payments: ['2900 (2900)', '2900 (0) double_spent'],
      creditMinor: 0,
      cashMinor: 2900,
      sumMinor: 0,
    });
  });

  it('within the tolerance are forgiven, and owed again once the rest is lost as well', async () => {
    await offered();
    const more = await alsoPaid(coins.dueUnits / 2n);
    const first = await confirmed(coins.minDueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    expect(await booksOf(scene, invoice)).toMatchObject({ payments: ['4292 (2900)'], creditMinor: 1392 });
    await lost(more);
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      payments: ['4292 (2842) double_spent'],
      creditMinor: 0,
      cashMinor: 2842,
      toleranceMinor: 58,
      sumMinor: 0,
    });
    await lost(first, 200);
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'open 0/2900',
      subscription: 'past_due',
      payments: ['4292 (0) double_spent'],
      creditMinor: 0,
      cashMinor: 0,
      toleranceMinor: 0,
      sumMinor: 0,
    });
  });

  it('and are only out of their block may come back: nothing is taken until they are gone for good', async () => {
    await offered();
    const key = await alsoPaid(coins.dueUnits);
    await confirmed(coins.dueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    await setChain(scene, { height: 102, at: minutesAfter(50) });
    await loseTo(scene, coins, { key, height: 101, at: minutesAfter(50) });
    await carryOut(scene, coins, minutesAfter(51));
    expect(await booksOf(scene, invoice)).toMatchObject({
      payments: ['5800 (2900)'],
      creditMinor: 2900,
      cashMinor: 5800,
    });
  });
});

describe('what was forgiven and is paid after all', () => {
  it('is no credit: it pays what was missing, and only the rest is credit', async () => {
    await offered();
    const first = await confirmed(coins.minDueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    const rest = coins.dueUnits - coins.minDueUnits;
    await pay(scene, coins, { units: rest + 10_000n, at: minutesAfter(7), height: 101, n: 2 });
    for (let i = 0; i < 2; i += 1) await carryOut(scene, coins, minutesAfter(42));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      payments: ['2842 (2842)', '658 (58)'],
      creditMinor: 600,
      cashMinor: 3500,
      toleranceMinor: 0,
      sumMinor: 0,
    });
    await setChain(scene, { height: 110, at: minutesAfter(100) });
    await loseTo(scene, coins, { key: first, height: 101, at: minutesAfter(100) });
    await carryOut(scene, coins, minutesAfter(101));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'open 0/2900',
      creditMinor: 0,
      cashMinor: 0,
      receivableMinor: 2900,
      toleranceMinor: 0,
      sumMinor: 0,
    });
  });

  it('and is lost again is forgiven again', async () => {
    await offered();
    await confirmed(coins.minDueUnits);
    await carryOut(scene, coins, minutesAfter(41));
    const rest = coins.dueUnits - coins.minDueUnits;
    const key = await pay(scene, coins, { units: rest, at: minutesAfter(7), height: 101, n: 2 });
    await carryOut(scene, coins, minutesAfter(42));
    await setChain(scene, { height: 110, at: minutesAfter(100) });
    await loseTo(scene, coins, { key, height: 101, at: minutesAfter(100) });
    await carryOut(scene, coins, minutesAfter(101));
    expect(await booksOf(scene, invoice)).toMatchObject({
      invoice: 'paid 2900/2900',
      creditMinor: 0,
      cashMinor: 2842,
      toleranceMinor: 58,
      sumMinor: 0,
    });
  });
});

describe('other ways to pay', () => {
  it('wait while coins are under way: no checkout at Coinbase, no order at Razorpay', async () => {
    await offered();
    await pay(scene, coins, { units: 20_000n, at: minutesAfter(5) });
    const wish = { invoiceId: invoice.invoiceId, actor: 'test', at: new Date(minutesAfter(6)) };
    const refusal = { reason: 'payment_under_way' };
    await expect(inTenant((tx) => requestCheckout(tx, wish))).rejects.toMatchObject(refusal);
    await expect(inTenant((tx) => requestOrder(tx, wish))).rejects.toMatchObject(refusal);
  });

  it('are waited for: nothing is offered in coins while the customer pays at Coinbase', async () => {
    invoice = await scene.openInvoice();
    await readyForCoins(scene, invoice.tenantId);
    const wish = { invoiceId: invoice.invoiceId, actor: 'test', at: new Date(T0) };
    await inTenant(async (tx) => {
      const { id } = await requestCheckout(tx, wish);
      await tx
        .update(coinbaseCheckouts)
        .set({
          status: 'processing',
          externalId: id,
          url: 'https://payments.test',
          processingAt: new Date(T0),
        })
        .where(eq(coinbaseCheckouts.id, id));
    });
    await expect(offer(scene, invoice)).rejects.toMatchObject({ reason: 'payment_under_way' });
  });

  it('in coins are withdrawn, all of them, when one is asked for anew', async () => {
    await offered();
    await setPrices(scene, { at: minutesAfter(60) });
    await setChain(scene, { height: 100, at: minutesAfter(60) });
    const again = await offer(scene, invoice, { at: minutesAfter(60) });
    // An earlier one that was revived and waits again.
    await inTenant(async (tx) => {
      await tx.update(cryptoInvoices).set({ status: 'awaiting' }).where(eq(cryptoInvoices.id, coins.id));
    });
    await setPrices(scene, { at: minutesAfter(120) });
    await setChain(scene, { height: 100, at: minutesAfter(120) });
    const third = await offer(scene, invoice, { at: minutesAfter(120) });
    expect(third.status).toBe('awaiting');
    const statuses = [await rowOf(scene, coins), await rowOf(scene, again)].map(({ status }) => status);
    expect(statuses).toEqual(['cancelled', 'cancelled']);
  });
});

describe('a settlement beside the watcher of the chain', () => {
  it('waits for an offer that the watcher has locked first, and never the other way round as well', async () => {
    await offered();
    await setPrices(scene, { at: minutesAfter(60) });
    await setChain(scene, { height: 100, at: minutesAfter(60) });
    const earlier = coins;
    coins = await offer(scene, invoice, { at: minutesAfter(60) });
    expect(earlier.id < coins.id).toBe(true);
    await inTenant((tx) =>
      tx.update(cryptoInvoices).set({ status: 'awaiting' }).where(eq(cryptoInvoices.id, earlier.id)),
    );
    await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(65), height: 101 });
    await readTo(scene, coins, { height: 103, at: minutesAfter(100) });

    const { settling, locked } = await withSystem(scene.db, async (tx) => {
      await lockCryptoInvoices(tx, [earlier.id]);
      // Wrapped, so that the transaction does not wait for it.
      const begun = { settling: carryOut(scene, coins, minutesAfter(101)) };
      begun.settling.catch(() => undefined);
      while (!(await isWaitedFor(tx))) {}
      return { ...begun, locked: await lockCryptoInvoices(tx, [coins.id]) };
    });
    expect(locked.map(({ status }) => status)).toEqual(['settled']);
    await settling;
    expect(await booksOf(scene, invoice)).toMatchObject({ invoice: 'paid 2900/2900' });
    expect(await rowOf(scene, earlier)).toMatchObject({ status: 'cancelled' });
  });

  /** Whether another transaction waits for a lock of this one. */
  async function isWaitedFor(tx: Tx): Promise<boolean> {
    const { rows } = await tx.execute(
      sql`select 1 from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`,
    );
    return rows.length > 0;
  }
});

describe('a process that dies', () => {
  it('wherever it does books the coins once, and tells of them once', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      await offered();
      await confirmed((coins.dueUnits * 3n) / 2n);
      const borders = mortal(scene, dieAt);
      const { decideCryptoInvoice } = createCryptoInvoiceActivities(borders);
      const input = { tenantId: invoice.tenantId, cryptoInvoiceId: coins.id, at: minutesAfter(41) };
      const died = await decideCryptoInvoice(input).then(
        () => false,
        (error: unknown) => {
          if (error instanceof Death) return true;
          throw error;
        },
      );
      await carryOut(scene, coins, minutesAfter(42));
      const books = await booksOf(scene, invoice);
      expect(books).toMatchObject({
        invoice: 'paid 2900/2900',
        payments: ['4350 (2900)'],
        creditMinor: 1450,
        cashMinor: 4350,
        sumMinor: 0,
      });
      expect(books.mails.filter((mail) => mail === 'crypto_payment_over')).toHaveLength(1);
      if (!died) {
        expect(dieAt).toBeGreaterThan(3);
        return;
      }
    }
  });
});

function inTenant<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
  return withTenant(scene.db, invoice.tenantId, work);
}

function recordCash(): Promise<unknown> {
  const { tenantId, invoiceId } = invoice;
  const amount = money(2900, 'USD');
  return withTenant(scene.db, tenantId, (tx) =>
    settlePayment(tx, {
      tenantId,
      invoiceId,
      rail: 'manual',
      externalId: 'cash',
      amount,
      at: new Date(minutesAfter(6)),
    }),
  );
}

/** Payouts that do not go as planned: what was sent is rejected, what was rejected is mined, and what is given back is lost. */
import { and, asc, eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCryptoInvoiceActivities } from '../../activities/payments/crypto-invoice.ts';
import { withSystem, withTenant } from '../../db/client.ts';
import { actOnPayout } from '../../db/queries/payments/crypto-payouts.ts';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import { decideCryptoInvoices } from '../../db/queries/payments/save-decision.ts';
import { putReportSettings } from '../../db/queries/reporting/report-settings.ts';
import { cryptoPayments } from '../../db/schema/crypto.ts';
import { notifications } from '../../db/schema/messaging.ts';
import type { Json } from '../support/api.ts';
import { type CoinScene, createCoinScene } from './coin-scene.ts';
import { booksOf, carryOut, loseTo, minutesAfter, pay, readTo } from './crypto-scene.ts';
import { creditOf, dies, movedBy, seenOf, sendingOf, watchBitcoin } from './payout-scene.ts';

const customers = 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu';
const txid = (n: number) => n.toString(16).padStart(64, 'e');

let scene: CoinScene;
let coins: CryptoInvoiceRow;
/** Of a second person. */
let another: string;

beforeAll(async () => {
  scene = await createCoinScene();
  const { tenantId } = scene.tenant;
  another = (await scene.api.key(tenantId, ['billing:write'])).token;
  await withTenant(scene.db, tenantId, (tx) =>
    putReportSettings(tx, {
      tenantId,
      settings: { recipient: 'operators@acme.example', sendAt: '09:00', clock: 'utc' },
      at: scene.now(),
    }),
  );
});
afterAll(() => scene.close());

const ask = (fields: object = {}) =>
  scene.request('POST', `/v1/crypto_invoices/${coins.id}/payouts`, {
    address: customers,
    reason: 'paid too much',
    ...fields,
  });
const act = (id: string, name: string, body: object = {}) =>
  scene.request('POST', `/v1/crypto_payouts/${id}/${name}`, body);
const rejectByAnother = (id: string) =>
  scene.api.request('POST', `/v1/crypto_payouts/${id}/reject`, {
    token: another,
    body: { reason: 'its coins were spent otherwise' },
  });
const read = ({ id }: Json) => scene.ok('GET', `/v1/crypto_payouts/${id}`);
const refusal = (reason: string) => ({ status: 409, body: { reason } });
const moved = (work: () => Promise<unknown>) => movedBy(scene, work);

async function approved(fields: object = {}): Promise<Json> {
  const { status, body } = await ask(fields);
  if (status !== 201) throw new Error(JSON.stringify(body));
  return (await act(body.id, 'approve')).body;
}

/** Told by whoever approved it. */
async function sent(fields: object = {}, transaction = txid(1)): Promise<Json> {
  const { id } = await approved(fields);
  const { status, body } = await act(id, 'broadcast', { txid: transaction });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body;
}

/** Paid half as much again: USD 450.00 or 0.0075 BTC too much. Its key. */
async function paidTooMuch(): Promise<string> {
  coins = await scene.offered();
  return scene.paid(coins, 2_250_000n);
}

/** The invoice has expired, and a payment of all of it came two minutes later. */
async function paidLate(): Promise<string> {
  coins = await scene.offered();
  await readTo(scene, coins, { height: 101, at: minutesAfter(16) });
  return scene.paid(coins, coins.dueUnits, { minutes: 17 });
}

/** What operators were mailed about an invoice's payouts, oldest first. */
async function mailsOf({ id }: Json): Promise<{ to: string | null; what: unknown }[]> {
  const rows = await withTenant(scene.db, scene.tenant.tenantId, (tx) =>
    tx
      .select()
      .from(notifications)
      .where(eq(notifications.template, 'crypto_operator_alert'))
      .orderBy(asc(notifications.id)),
  );
  return rows
    .filter(({ variables }) => JSON.stringify(variables).includes(id))
    .map(({ recipient, variables }) => ({ to: recipient, what: variables['what'] }));
}

/** Kinds of what the timeline says of payouts. */
async function timeline(): Promise<string[]> {
  const [row] = await scene.api.sql('SELECT subscription_id FROM invoices WHERE id = $1', [coins.invoiceId]);
  const { data } = await scene.ok('GET', `/v1/subscriptions/${row.subscription_id}/timeline?limit=100`);
  return data.map(({ kind }: Json) => kind).filter((kind: string) => kind.startsWith('crypto_payout'));
}

async function auditOf({ id }: Json): Promise<string[]> {
  const { data } = await scene.ok('GET', `/v1/audit_log?entityId=${id}&limit=100`);
  return data.map(({ action }: Json) => action.replace('crypto_payout.', '')).reverse();
}

const carriedOut = () => carryOut(scene, coins, scene.now().toISOString());

describe('a payout that was sent', () => {
  it('is rejected by another person while no block has it: what it held is let go, its transactions are kept', async () => {
    await paidTooMuch();
    const { id } = await sent();
    await act(id, 'broadcast', { txid: txid(2) });
    const before = await scene.api.rowCounts();
    expect(await act(id, 'reject', { reason: 'mine' })).toMatchObject(refusal('second_person_required'));
    expect(await scene.api.rowCounts()).toEqual(before);

    expect(
      await moved(async () => {
        expect(await rejectByAnother(id)).toMatchObject({
          status: 200,
          body: {
            status: 'rejected',
            rejection: 'its coins were spent otherwise',
            txid: null,
            problem: null,
            waitingSeconds: null,
          },
        });
        expect(await rejectByAnother(id)).toMatchObject(refusal('payout_rejected'));
      }),
    ).toEqual({ customer_credit: -45_000, refunds_pending: 45_000 });
    expect(await creditOf(scene, coins)).toBe(45_000);
    const [row] = await scene.api.sql('SELECT former_txids FROM crypto_payouts WHERE id = $1', [id]);
    expect(row.former_txids).toEqual([txid(1), txid(2)]);
    const { data } = await scene.ok('GET', `/v1/audit_log?entityId=${id}&limit=100`);
    expect(data[0]).toMatchObject({ action: 'crypto_payout.rejected', details: { txid: txid(2) } });
    expect((await ask()).status).toBe(201);
  });

  it('is not rejected once a block has it', async () => {
    await paidTooMuch();
    const { node, poll } = await watchBitcoin(scene);
    const payout = await approved();
    const transaction = await sendingOf(scene, payout);
    await act(payout.id, 'broadcast', { txid: transaction.txid });
    node.mine([transaction]);
    await poll();
    const before = await scene.api.rowCounts();
    expect(await rejectByAnother(payout.id)).toMatchObject(refusal('transaction_mined'));
    expect(await scene.api.rowCounts()).toEqual(before);
    node.mineEmpty(2);
    await poll();
    await carriedOut();
    expect(await rejectByAnother(payout.id)).toMatchObject(refusal('payout_confirmed'));
  });

  it('of a payment that does not count is rejected too, and the payment can be given back or accepted then', async () => {
    const paymentKey = await paidLate();
    const { id } = await sent({ paymentKey }, txid(3));
    expect(await moved(() => rejectByAnother(id))).toEqual({});
    const again = await sent({ paymentKey }, txid(4));
    expect(again.status).toBe('broadcast');
    await rejectByAnother(again.id);
    const accepted = await scene.request('POST', `/v1/crypto_invoices/${coins.id}/accept`, {
      paymentKeys: [paymentKey],
      rate: 'locked',
      reason: 'kept after all',
    });
    expect(accepted.status).toBe(201);
  });
});

describe('a rejected payout whose transaction is mined all the same', () => {
  /** Told, then a dearer one in its stead, then rejected. */
  async function rejectedAfterTwo() {
    await paidTooMuch();
    const { node, poll } = await watchBitcoin(scene);
    const payout = await approved();
    const transactions = [await sendingOf(scene, payout), await sendingOf(scene, payout)] as const;
    for (const each of transactions) await act(payout.id, 'broadcast', { txid: each.txid });
    await rejectByAnother(payout.id);
    await poll();
    return { node, poll, payout, transactions };
  }

  it.each([0, 1] as const)(
    'is told of once, booked by nobody, and made good by a payout that is told with it: transaction %i',
    async (which) => {
      const { node, poll, payout, transactions } = await rejectedAfterTwo();
      const mined = transactions[which];
      node.mine([mined]);
      await poll();
      expect(await seenOf(scene, payout)).toEqual({ status: 'rejected', height: 121, isTold: true });
      expect(
        await moved(async () => {
          for (let i = 0; i < 3; i += 1) await carriedOut();
          node.mineEmpty(5);
          await poll();
          await carriedOut();
        }),
      ).toEqual({});
      expect(await mailsOf(payout)).toEqual([
        {
          to: 'operators@acme.example',
          what: `0.0075 BTC more than was due came, which is the customer's credit: ask the customer for an address and ask for a payout to it, or reject payout ${payout.id}.`,
        },
        {
          to: 'operators@acme.example',
          what: `payout ${payout.id} was rejected, and its transaction ${mined.txid} is in a block all the same: its coins have left, and nothing is booked.`,
        },
      ]);
      expect(await timeline()).toEqual(['crypto_payout_asked', 'crypto_payout_sent_after_rejection']);
      expect(await auditOf(payout)).toEqual([
        'asked',
        'requested',
        'approved',
        'broadcast',
        'broadcast',
        'rejected',
        'sent_after_rejection',
      ]);
      const problem = { code: 'sent_after_rejection', message: expect.stringContaining(mined.txid) };
      expect(await read(payout)).toMatchObject({ status: 'rejected', txid: mined.txid, problem });
      const { data } = await scene.ok('GET', '/v1/crypto_payouts?status=rejected&limit=100');
      expect(data.find(({ id }: Json) => id === payout.id)).toMatchObject({ problem });

      const again = await approved();
      expect(again.id).not.toBe(payout.id);
      expect(await act(again.id, 'broadcast', { txid: mined.txid })).toMatchObject({ status: 200 });
      expect((await read(payout)).problem).toBeNull();
      await poll();
      expect(await moved(carriedOut)).toEqual({ 'cash:crypto': -45_000, refunds_pending: 45_000 });
      expect(await read(again)).toMatchObject({ status: 'confirmed', problem: null });
    },
  );

  it('and was told for another payout before, is no problem', async () => {
    const { node, poll, payout, transactions } = await rejectedAfterTwo();
    const again = await approved();
    await act(again.id, 'broadcast', { txid: transactions[1].txid });
    node.mine([transactions[1]]);
    node.mineEmpty(2);
    await poll();
    expect(await moved(carriedOut)).toEqual({ 'cash:crypto': -45_000, refunds_pending: 45_000 });
    expect((await read(payout)).problem).toBeNull();
    expect(await timeline()).toEqual(['crypto_payout_asked']);
  });

  it('in a block that was read before it was told, is found by its transaction', async () => {
    await paidTooMuch();
    const { node, poll } = await watchBitcoin(scene);
    const payout = await approved();
    const transaction = await sendingOf(scene, payout);
    node.mine([transaction]);
    node.mineEmpty(5);
    await poll();
    await act(payout.id, 'broadcast', { txid: transaction.txid });
    await rejectByAnother(payout.id);
    await poll();
    await carriedOut();
    expect((await read(payout)).problem).toMatchObject({ code: 'sent_after_rejection' });
  });

  it('in a block that was read long before, is asked for no more a day after its rejection', async () => {
    await paidTooMuch();
    const { node, poll } = await watchBitcoin(scene);
    const payout = await approved();
    const transaction = await sendingOf(scene, payout);
    node.mine([transaction]);
    await poll();
    await act(payout.id, 'broadcast', { txid: transaction.txid });
    await rejectByAnother(payout.id);
    scene.at(new Date(scene.now().getTime() + 24 * 3_600_000).toISOString());
    node.mineEmpty(1);
    await poll();
    expect(await read(payout)).toMatchObject({ txid: null, problem: null });
    scene.at(new Date(scene.now().getTime() - 1).toISOString());
    await poll();
    expect((await read(payout)).problem).toMatchObject({ code: 'sent_after_rejection' });
  });

  it('but pays too little, was not sent', async () => {
    await paidTooMuch();
    const { node, poll } = await watchBitcoin(scene);
    const payout = await approved();
    const transaction = await sendingOf(scene, payout, 749_999n);
    await act(payout.id, 'broadcast', { txid: transaction.txid });
    await rejectByAnother(payout.id);
    node.mine([transaction]);
    await poll();
    await carriedOut();
    expect(await read(payout)).toMatchObject({ txid: null, problem: null });
  });

  it('is no problem while its block is gone, and is not told of again when it is back', async () => {
    const { node, poll, payout, transactions } = await rejectedAfterTwo();
    node.mine([transactions[0]]);
    await poll();
    await carriedOut();
    node.reorganise(1, [[], []]);
    await poll();
    expect(await seenOf(scene, payout)).toEqual({ status: 'rejected', height: null, isTold: false });
    expect(await read(payout)).toMatchObject({ txid: null, problem: null });
    node.mine([transactions[1]]);
    await poll();
    await carriedOut();
    expect(await read(payout)).toMatchObject({
      txid: transactions[1].txid,
      problem: { code: 'sent_after_rejection' },
    });
    expect(await timeline()).toEqual(['crypto_payout_asked', 'crypto_payout_sent_after_rejection']);
  });
});

describe('a payment that leaves the chain before its payout is sent', () => {
  /** Its block is gone, and nothing else spends its coins. */
  async function orphaned(key: string, height: number | null): Promise<void> {
    await withSystem(scene.db, async (tx) => {
      const block =
        height === null
          ? { height, blockHash: null, orphanedAt: scene.now() }
          : { height, blockHash: `b${height}`, orphanedAt: null };
      await tx
        .update(cryptoPayments)
        .set(block)
        .where(and(eq(cryptoPayments.chain, coins.chain), eq(cryptoPayments.key, key)));
      await decideCryptoInvoices(tx, { ids: [coins.id], now: scene.now().toISOString() });
    });
  }
  const open = {
    code: 'payment_lost',
    message: 'The chain has taken back the payment that it gives back: do not send it, reject it.',
  };

  it.each(['in the books', 'beside them'])('keeps it back until it is mined again: %s', async (where) => {
    const key = where === 'in the books' ? await paidTooMuch() : await paidLate();
    const fields = where === 'in the books' ? {} : { paymentKey: key };
    const { id } = (await ask(fields)).body;
    expect((await read({ id })).problem).toBeNull();
    await orphaned(key, null);
    expect((await read({ id })).problem).toEqual(open);
    expect(await act(id, 'approve')).toMatchObject(refusal('payment_lost'));
    await orphaned(key, 101);
    expect((await read({ id })).problem).toBeNull();
    expect(await act(id, 'approve')).toMatchObject({ status: 200, body: { problem: null } });

    await orphaned(key, null);
    expect((await read({ id })).problem).toEqual(open);
    const before = await scene.api.rowCounts();
    expect(await act(id, 'broadcast', { txid: txid(11) })).toMatchObject(refusal('payment_lost'));
    expect(await scene.api.rowCounts()).toEqual(before);
    await orphaned(key, 101);
    expect(await act(id, 'broadcast', { txid: txid(11) })).toMatchObject({
      status: 200,
      body: { problem: null },
    });
    await rejectByAnother(id);
  });
});

describe('a payment that is lost for good', () => {
  async function spentElsewhere(key: string): Promise<void> {
    await readTo(scene, coins, { height: 120, at: minutesAfter(100) });
    await loseTo(scene, coins, { key, height: 101, at: minutesAfter(100) });
  }
  const booked = () => carryOut(scene, coins, minutesAfter(101));

  it.each(['requested', 'approved'])('is neither approved nor sent any more: %s', async (status) => {
    const key = await paidTooMuch();
    const { id } = status === 'approved' ? await approved() : (await ask()).body;
    await spentElsewhere(key);
    // The books are yet to follow.
    const name = status === 'approved' ? 'broadcast' : 'approve';
    const body = status === 'approved' ? { txid: txid(12) } : {};
    expect((await read({ id })).problem).toMatchObject({ code: 'payment_lost' });
    expect(await act(id, name, body)).toMatchObject(refusal('payment_lost'));
    await booked();
    expect(await read({ id })).toMatchObject({
      status: 'rejected',
      decidedBy: 'system',
      problem: {
        code: 'payment_lost',
        message:
          'The chain has taken back the payment that it gives back, so it was rejected: do not send it. If it was sent already, what was sent is lost to you.',
      },
    });
    expect(await act(id, 'approve')).toMatchObject(refusal('payment_lost'));
    expect(await act(id, 'broadcast', { txid: txid(12) })).toMatchObject(refusal('payment_lost'));
    expect(await act(id, 'reject', { reason: 'lost' })).toMatchObject(refusal('payout_rejected'));
  });

  it('beside the books, is neither: a payment that did not count', async () => {
    const paymentKey = await paidLate();
    const { id } = await approved({ paymentKey });
    await loseTo(scene, coins, { key: paymentKey, height: 103, at: minutesAfter(70) });
    expect((await read({ id })).problem).toMatchObject({ code: 'payment_lost' });
    expect(await act(id, 'broadcast', { txid: txid(13) })).toMatchObject(refusal('payment_lost'));
    expect((await act(id, 'reject', { reason: 'lost' })).body).toMatchObject({
      status: 'rejected',
      problem: null,
    });
  });

  it.each(['in the books', 'beside them'])(
    'after its payout was sent is told with the payout, for which another transaction may be told: %s',
    async (where) => {
      const key = where === 'in the books' ? await paidTooMuch() : await paidLate();
      const { id } = await sent(where === 'in the books' ? {} : { paymentKey: key }, txid(14));
      await spentElsewhere(key);
      await booked();
      expect(await read({ id })).toMatchObject({
        status: 'broadcast',
        problem: {
          code: 'payment_lost',
          message:
            'The chain has taken back the payment that it gives back after it was sent: what was sent is lost to you, unless its transaction is never mined, or the payment is mined again.',
        },
      });
      expect(await act(id, 'broadcast', { txid: txid(15) })).toMatchObject({ status: 200 });
      await rejectByAnother(id);
    },
  );

  it.each(['approve', 'broadcast'])(
    'in part, is not given back before the books have followed: %s',
    async (name) => {
      coins = await scene.offered();
      await pay(scene, coins, { units: 1_500_000n, at: minutesAfter(5), height: 101, n: 1 });
      const second = await scene.paid(coins, 750_000n, { n: 2 });
      const { id } = name === 'broadcast' ? await approved() : (await ask()).body;
      await spentElsewhere(second);
      const before = await scene.api.rowCounts();
      const body = name === 'broadcast' ? { txid: txid(17) } : {};
      expect(await act(id, name, body)).toMatchObject(refusal('payment_lost'));
      expect(await scene.api.rowCounts()).toEqual(before);
      await booked();
      expect(await read({ id })).toMatchObject({ status: 'rejected', problem: { code: 'payment_lost' } });
    },
  );

  it('in part, after its payout was sent, is a loss of it where the rest does not cover it', async () => {
    coins = await scene.offered();
    const first = await pay(scene, coins, { units: 1_500_000n, at: minutesAfter(5), height: 101, n: 1 });
    await scene.paid(coins, 225_000n, { n: 2 });
    const { id } = await sent({ amountMinor: 30_000 }, txid(18));
    await spentElsewhere(first);
    await booked();
    // USD 135.00 are left of what the payout gives USD 300.00 of back.
    expect((await read({ id })).problem).toMatchObject({ code: 'payment_lost' });
    expect((await booksOf(scene, coins)).sumMinor).toBe(0);
  });

  it('in part, after its payout was sent, is no loss of it while the rest covers it', async () => {
    coins = await scene.offered();
    await pay(scene, coins, { units: 1_500_000n, at: minutesAfter(5), height: 101, n: 1 });
    const second = await scene.paid(coins, 750_000n, { n: 2 });
    const { id } = await sent({}, txid(16));
    await spentElsewhere(second);
    await booked();
    // USD 900.00 are left, of which the payout gives 450.00 back; the invoice is owed the rest.
    expect((await read({ id })).problem).toBeNull();
  });
});

describe('a payment that a chain took back in part', () => {
  /** In one payment in the books: 0.015 BTC and half as much again, of which the second part, or the first, is lost. */
  async function partlyLost(lost: 'the excess' | 'what was due'): Promise<void> {
    coins = await scene.offered();
    const first = await pay(scene, coins, { units: 1_500_000n, at: minutesAfter(5), height: 101, n: 1 });
    const second = await scene.paid(coins, 750_000n, { n: 2 });
    await readTo(scene, coins, { height: 120, at: minutesAfter(100) });
    const key = lost === 'the excess' ? second : first;
    await loseTo(scene, coins, { key, height: 101, at: minutesAfter(100) });
    await carryOut(scene, coins, minutesAfter(101));
  }

  it('gives its rest back, and no cent more', async () => {
    await partlyLost('the excess');
    expect(await booksOf(scene, coins)).toMatchObject({
      invoice: 'paid 90000/90000',
      payments: ['135000 (90000) double_spent'],
      creditMinor: 0,
      sumMinor: 0,
    });
    expect(await ask()).toMatchObject(refusal('nothing_to_give_back'));
    const before = await scene.api.rowCounts();
    expect(await ask({ amountMinor: 90_001 })).toMatchObject(refusal('nothing_to_give_back'));
    expect(await scene.api.rowCounts()).toEqual(before);

    const { node, poll } = await watchBitcoin(scene);
    const payout = await approved({ amountMinor: 90_000 });
    expect(payout).toMatchObject({ amount: '0.015', problem: null });
    const transaction = await sendingOf(scene, payout);
    await act(payout.id, 'broadcast', { txid: transaction.txid });
    node.mine([transaction]);
    node.mineEmpty(2);
    await poll();
    const changes = await moved(carriedOut);
    expect(changes['cash:crypto']).toBe(-90_000);
    expect(Object.values(changes).reduce((sum, minor) => sum + minor, 0)).toBe(0);
    expect(await read(payout)).toMatchObject({ status: 'confirmed', problem: null });
    expect(await ask({ amountMinor: 1 })).toMatchObject(refusal('nothing_to_give_back'));
    expect((await booksOf(scene, coins)).sumMinor).toBe(0);
  });

  it('whose payout was rejected by that, is asked for anew as far as it is left', async () => {
    coins = await scene.offered();
    await pay(scene, coins, { units: 1_500_000n, at: minutesAfter(5), height: 101, n: 1 });
    await pay(scene, coins, { units: 375_000n, at: minutesAfter(5), height: 101, n: 2 });
    const third = await scene.paid(coins, 375_000n, { n: 3 });
    const first = await approved();
    expect(first.amount).toBe('0.0075');
    await readTo(scene, coins, { height: 120, at: minutesAfter(100) });
    await loseTo(scene, coins, { key: third, height: 101, at: minutesAfter(100) });
    expect(await moved(() => carryOut(scene, coins, minutesAfter(101)))).toEqual({
      'cash:crypto': -22_500,
      customer_credit: -22_500,
      refunds_pending: 45_000,
    });
    expect(await read(first)).toMatchObject({ status: 'rejected', problem: { code: 'payment_lost' } });
    expect(await creditOf(scene, coins)).toBe(22_500);
    const again = await approved();
    expect(again).toMatchObject({ amount: '0.00375', usdMinor: 22_500, problem: null });
    expect(await creditOf(scene, coins)).toBe(0);
    expect((await booksOf(scene, coins)).sumMinor).toBe(0);
  });
});

describe('a process that dies', () => {
  it('wherever it does rejects what was sent once, and tells once that it was mined', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      await paidTooMuch();
      const { tenantId } = scene.tenant;
      const { node, poll } = await watchBitcoin(scene);
      const payout = await approved();
      const transaction = await sendingOf(scene, payout);
      await act(payout.id, 'broadcast', { txid: transaction.txid });
      const wish = {
        id: payout.id,
        act: 'reject',
        actor: 'somebody',
        at: scene.now(),
        reason: 'spent',
      } as const;
      const changes = await moved(async () => {
        await dies(scene, dieAt, (db) => withTenant(db, tenantId, (tx) => actOnPayout(tx, wish)));
        expect([200, 409]).toContain((await rejectByAnother(payout.id)).status);
      });
      expect(changes).toEqual({ customer_credit: -45_000, refunds_pending: 45_000 });
      node.mine([transaction]);
      await poll();
      const input = { tenantId, cryptoInvoiceId: coins.id, at: scene.now().toISOString() };
      const hasDied = await dies(scene, dieAt, (db) =>
        createCryptoInvoiceActivities({ db }).decideCryptoInvoice(input),
      );
      await carriedOut();
      expect(await timeline()).toEqual(['crypto_payout_asked', 'crypto_payout_sent_after_rejection']);
      expect(await mailsOf(payout)).toHaveLength(2);
      if (!hasDied) return void expect(dieAt).toBeGreaterThan(3);
    }
  });
});

/** Coins that go back: held, approved, sent by the tenant, seen on the chain, booked once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCryptoInvoiceActivities } from '../../activities/payments/crypto-invoice.ts';
import { withTenant } from '../../db/client.ts';
import { actOnPayout, requestPayout } from '../../db/queries/payments/crypto-payouts.ts';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import type { Json } from '../support/api.ts';
import { type CoinScene, createCoinScene } from './coin-scene.ts';
import { carryOut, loseTo, minutesAfter, pay, readTo, rowOf } from './crypto-scene.ts';
import { creditOf, dies, movedBy, seenOf, sendingOf, watchBitcoin } from './payout-scene.ts';

const customers = 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu';
const another = 'bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g';
const txid = (n: number) => n.toString(16).padStart(64, 'e');

let scene: CoinScene;
let coins: CryptoInvoiceRow;

beforeAll(async () => {
  scene = await createCoinScene();
});
afterAll(() => scene.close());

const path = (of = coins) => `/v1/crypto_invoices/${of.id}/payouts`;
const ask = (fields: object = {}, of = coins) =>
  scene.request('POST', path(of), { address: customers, reason: 'paid too much', ...fields });
const act = (id: string, name: string, body: object = {}) =>
  scene.request('POST', `/v1/crypto_payouts/${id}/${name}`, body);

/** A payout that was approved. */
async function approved(fields: object = {}, of = coins): Promise<Json> {
  const { status, body } = await ask(fields, of);
  if (status !== 201) throw new Error(JSON.stringify(body));
  return (await act(body.id, 'approve')).body;
}

/** Paid half as much again: USD 450.00 or 0.0075 BTC too much. */
async function paidTooMuch(): Promise<void> {
  coins = await scene.offered();
  await scene.paid(coins, 2_250_000n);
}

const creditMinor = () => creditOf(scene, coins);
const moved = (work: () => Promise<unknown>) => movedBy(scene, work);
const watch = () => watchBitcoin(scene);
const sending = (payout: Json, units?: bigint) => sendingOf(scene, payout, units);
const seen = (payout: Json) => seenOf(scene, payout);

describe('what was paid too much', () => {
  it('is held when it is asked for, and booked as given back once the chain has confirmed it', async () => {
    await paidTooMuch();
    expect(await creditMinor()).toBe(45_000);
    let payout: Json;
    expect(
      await moved(async () => {
        payout = (await ask()).body;
      }),
    ).toEqual({ customer_credit: 45_000, refunds_pending: -45_000 });
    expect(payout).toMatchObject({
      status: 'requested',
      cryptoInvoiceId: coins.id,
      customerId: coins.customerId,
      paymentKey: null,
      refundId: expect.stringMatching(/^ref_/),
      chain: 'bitcoin',
      asset: 'BTC',
      amount: '0.0075',
      usdMinor: 45_000,
      address: customers,
      waitingSeconds: 0,
      decidedBy: null,
      txid: null,
      confirmedAt: null,
    });
    expect(await creditMinor()).toBe(0);

    const { node, poll } = await watch();
    const transaction = await sending(payout);
    expect(await moved(() => act(payout.id, 'approve'))).toEqual({});
    expect((await act(payout.id, 'broadcast', { txid: transaction.txid.toUpperCase() })).body).toMatchObject({
      status: 'broadcast',
      txid: transaction.txid,
    });
    node.send(transaction);
    await poll();
    node.mine([transaction]);
    await poll();
    expect(await seen(payout)).toEqual({ status: 'broadcast', height: 121, isTold: false });
    node.mineEmpty(1);
    await poll();
    await carryOut(scene, coins, scene.now().toISOString());
    expect(await seen(payout)).toEqual({ status: 'broadcast', height: 121, isTold: false });
    node.mineEmpty(1);
    await poll();
    expect(await seen(payout)).toEqual({ status: 'broadcast', height: 121, isTold: true });
    expect(
      await moved(async () => {
        for (let i = 0; i < 3; i += 1) await carryOut(scene, coins, scene.now().toISOString());
      }),
    ).toEqual({ 'cash:crypto': -45_000, refunds_pending: 45_000 });
    expect((await scene.ok('GET', `/v1/crypto_payouts/${payout.id}`)).status).toBe('confirmed');
    expect(await scene.ok('GET', `/v1/refunds/${payout.refundId}`)).toMatchObject({
      status: 'succeeded',
      amountMinor: 45_000,
    });
    expect(await creditMinor()).toBe(0);
    const sum = Object.values(await scene.books()).reduce((total, minor) => total + minor, 0);
    expect(sum).toBe(0);
    const actions = (await scene.ok('GET', `/v1/audit_log?entityId=${payout.id}`)).data.map(
      ({ action }: Json) => action,
    );
    expect(actions.reverse()).toEqual(
      ['asked', 'requested', 'approved', 'broadcast', 'confirmed'].map((name) => `crypto_payout.${name}`),
    );
  });

  it('is given back once: a second request is refused, during and afterwards', async () => {
    await paidTooMuch();
    const first = await approved();
    expect(await ask()).toMatchObject({ status: 409, body: { reason: 'payout_under_way' } });
    const { node, poll } = await watch();
    const transaction = await sending(first);
    await act(first.id, 'broadcast', { txid: transaction.txid });
    node.mine([transaction]);
    node.mineEmpty(2);
    await poll();
    await carryOut(scene, coins, scene.now().toISOString());
    expect((await seen(first)).status).toBe('confirmed');
    expect(await ask()).toMatchObject({ status: 409, body: { reason: 'nothing_to_give_back' } });
  });

  it('asked for twice at the same moment is one payout', async () => {
    await paidTooMuch();
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    expect(await creditMinor()).toBe(0);
    const rows = await scene.api.sql('SELECT id FROM crypto_payouts WHERE crypto_invoice_id = $1', [
      coins.id,
    ]);
    expect(rows).toHaveLength(1);
  });

  it.each(['requested', 'approved'])('that is rejected is credit again, from %s', async (status) => {
    await paidTooMuch();
    const payout = status === 'requested' ? (await ask()).body : await approved();
    expect(await moved(() => act(payout.id, 'reject', { reason: 'the customer keeps it' }))).toEqual({
      customer_credit: -45_000,
      refunds_pending: 45_000,
    });
    expect(await scene.ok('GET', `/v1/crypto_payouts/${payout.id}`)).toMatchObject({
      status: 'rejected',
      rejection: 'the customer keeps it',
      waitingSeconds: null,
    });
    expect(await creditMinor()).toBe(45_000);
    expect((await ask()).status).toBe(201);
  });

  it('is no longer there once it has paid something else', async () => {
    await paidTooMuch();
    await scene.api.sql('UPDATE customers SET credit_minor = 0 WHERE id = $1', [coins.customerId]);
    const before = await scene.api.rowCounts();
    expect(await ask()).toMatchObject({ status: 409, body: { reason: 'nothing_to_give_back' } });
    expect(await scene.api.rowCounts()).toEqual(before);
  });

  it('is given back as far as it is left', async () => {
    await paidTooMuch();
    await scene.api.sql('UPDATE customers SET credit_minor = 15000 WHERE id = $1', [coins.customerId]);
    expect((await ask()).body).toMatchObject({ amount: '0.0025', usdMinor: 15_000 });
  });

  it('was not: there is nothing to give back', async () => {
    coins = await scene.offered();
    await scene.paid(coins, coins.dueUnits);
    expect(await ask()).toMatchObject({ status: 409, body: { reason: 'nothing_to_give_back' } });
  });
});

describe('a part of what an invoice was paid', () => {
  it('is given back at the rate that was agreed, out of what paid the invoice', async () => {
    coins = await scene.offered();
    await scene.paid(coins, coins.dueUnits);
    const { node, poll } = await watch();
    const payout = await approved({ amountMinor: 30_000 });
    expect(payout).toMatchObject({ amount: '0.005', usdMinor: 30_000 });
    const transaction = await sending(payout);
    await act(payout.id, 'broadcast', { txid: transaction.txid });
    node.mine([transaction]);
    node.mineEmpty(2);
    await poll();
    const changes = await moved(() => carryOut(scene, coins, scene.now().toISOString()));
    expect(changes['cash:crypto']).toBe(-30_000);
    expect(Object.values(changes).reduce((sum, minor) => sum + minor, 0)).toBe(0);
    const invoice = await scene.ok('GET', `/v1/invoices/${coins.invoiceId}`);
    expect(invoice).toMatchObject({ status: 'paid', refundedMinor: 30_000 });
  });

  it('is never more than was paid', async () => {
    coins = await scene.offered();
    await scene.paid(coins, coins.dueUnits);
    const before = await scene.api.rowCounts();
    expect(await ask({ amountMinor: 90_001 })).toMatchObject({
      status: 409,
      body: { reason: 'nothing_to_give_back' },
    });
    expect(await scene.api.rowCounts()).toEqual(before);
    expect((await ask({ amountMinor: 90_000 })).body).toMatchObject({ amount: '0.015' });
  });
});

describe('a payment that does not count', () => {
  /** The invoice has expired, and a payment of all of it came two minutes later. */
  async function paidLate(): Promise<string> {
    coins = await scene.offered();
    await readTo(scene, coins, { height: 101, at: minutesAfter(16) });
    return scene.paid(coins, coins.dueUnits, { minutes: 17 });
  }
  const accept = (paymentKey: string) =>
    scene.request('POST', `/v1/crypto_invoices/${coins.id}/accept`, {
      paymentKeys: [paymentKey],
      rate: 'locked',
      reason: 'good will',
    });

  it('goes back whole, beside the books, and cannot be accepted meanwhile or afterwards', async () => {
    const paymentKey = await paidLate();
    expect((await rowOf(scene, coins)).flags).toContain('late');
    const { node, poll } = await watch();
    let payout: Json;
    expect(
      await moved(async () => {
        payout = await approved({ paymentKey });
      }),
    ).toEqual({});
    expect(payout).toMatchObject({ paymentKey, refundId: null, amount: '0.015', usdMinor: 90_000 });
    expect(await accept(paymentKey)).toMatchObject({ status: 409, body: { reason: 'payment_goes_back' } });

    const transaction = await sending(payout);
    await act(payout.id, 'broadcast', { txid: transaction.txid });
    expect((await rowOf(scene, coins)).flags).not.toContain('review');
    expect(await accept(paymentKey)).toMatchObject({ status: 409, body: { reason: 'payment_goes_back' } });
    node.mine([transaction]);
    node.mineEmpty(2);
    await poll();
    expect(await moved(() => carryOut(scene, coins, scene.now().toISOString()))).toEqual({});
    expect((await seen(payout)).status).toBe('confirmed');
    expect(await accept(paymentKey)).toMatchObject({ status: 409, body: { reason: 'payment_goes_back' } });
    expect(await ask({ paymentKey })).toMatchObject({ status: 409, body: { reason: 'payout_under_way' } });
  });

  it('may be accepted again where its payout was rejected', async () => {
    const paymentKey = await paidLate();
    const payout = await approved({ paymentKey });
    await act(payout.id, 'reject', { reason: 'accepted after all' });
    expect((await accept(paymentKey)).status).toBe(201);
    expect(await rowOf(scene, coins)).toMatchObject({ status: 'settled' });
    expect(await ask({ paymentKey })).toMatchObject({ status: 409, body: { reason: 'payment_booked' } });
  });

  it('is not made to count while it goes back: neither by an extension nor by a mark', async () => {
    const paymentKey = await paidLate();
    const payout = await approved({ paymentKey });
    const [{ txid: paying }] = await scene.api.sql('SELECT txid FROM crypto_payments WHERE key = $1', [
      paymentKey,
    ]);
    const path = `/v1/crypto_invoices/${coins.id}`;
    const before = await scene.api.rowCounts();
    for (const [name, body] of [
      ['extend', { reason: 'more time' }],
      ['mark_settled', { reason: 'seen', txid: paying }],
      ['mark_settled', { reason: 'seen', txid: txid(5), force: true }],
    ] as const) {
      expect(await scene.request('POST', `${path}/${name}`, body)).toMatchObject({
        status: 409,
        body: { reason: 'payment_goes_back' },
      });
    }
    expect(await scene.api.rowCounts()).toEqual(before);
    await act(payout.id, 'reject', { reason: 'it counts after all' });
    expect(
      (await scene.request('POST', `${path}/mark_settled`, { reason: 'seen', txid: paying })).status,
    ).toBe(201);
    expect(await rowOf(scene, coins)).toMatchObject({
      status: 'settled',
      creditedUnits: coins.dueUnits,
      bookedUnits: coins.dueUnits,
    });
    expect(await ask({ paymentKey })).toMatchObject({ status: 409, body: { reason: 'payment_booked' } });
  });

  it('and counts by the time its payout is approved, is not given back', async () => {
    const paymentKey = await paidLate();
    const { id } = (await ask({ paymentKey })).body;
    await scene.api.sql('UPDATE crypto_invoices SET expires_at = $2 WHERE id = $1', [
      coins.id,
      minutesAfter(30),
    ]);
    expect(await act(id, 'approve')).toMatchObject({ status: 409, body: { reason: 'payment_counts' } });
    expect((await act(id, 'reject', { reason: 'it counts' })).status).toBe(200);
  });

  it('in another coin goes back at the depth of its chain, and no block earlier', async () => {
    coins = await scene.offered({ asset: 'USDC' });
    const at = minutesAfter(5);
    const paymentKey = await pay(scene, coins, { units: 10n ** 18n, at, height: 101, asset: 'ETH' });
    const address = '0x9858EfFD232B4033E47d90003D41EC34EcaEda94';
    await readTo(scene, coins, { height: 111, at });
    expect(await ask({ paymentKey, address })).toMatchObject({
      status: 409,
      body: { reason: 'payment_unconfirmed' },
    });
    await readTo(scene, coins, { height: 112, at });
    const { status, body } = await ask({ paymentKey, address });
    expect({ status, amount: body.amount }).toEqual({ status: 201, amount: '1' });
    // It was mined anew meanwhile, higher up.
    await scene.api.sql('UPDATE crypto_payments SET height = 102 WHERE key = $1', [paymentKey]);
    const { token } = await scene.api.key(scene.tenant.tenantId, ['billing:write']);
    const approve = () =>
      scene.api.request('POST', `/v1/crypto_payouts/${body.id}/approve`, { token, body: {} });
    expect(await approve()).toMatchObject({ status: 409, body: { reason: 'payment_unconfirmed' } });
    await readTo(scene, coins, { height: 113, at });
    expect(await approve()).toMatchObject({ status: 200, body: { status: 'approved' } });
  });

  it('any more, and did before, does not go back once more', async () => {
    coins = await scene.offered();
    const paymentKey = await scene.paid(coins, coins.dueUnits);
    const payout = await approved({ amountMinor: 30_000 });
    await act(payout.id, 'broadcast', { txid: txid(31) });
    const path = `/v1/crypto_invoices/${coins.id}`;
    await scene.ok('POST', `${path}/mark_invalid`, { reason: 'stolen' });
    await scene.ok('POST', `${path}/dismiss`, { paymentKeys: [paymentKey], reason: 'stolen' });
    expect(await ask({ paymentKey })).toMatchObject({ status: 409, body: { reason: 'payout_under_way' } });
  });

  it('is none that is in the books: it is neither dismissed nor given back beside them', async () => {
    coins = await scene.offered();
    const paymentKey = await scene.paid(coins, coins.dueUnits);
    const before = await scene.api.rowCounts();
    const dismissed = await scene.request('POST', `/v1/crypto_invoices/${coins.id}/dismiss`, {
      paymentKeys: [paymentKey],
      reason: 'goes back',
    });
    for (const answer of [dismissed, await ask({ paymentKey })]) {
      expect(answer).toMatchObject({ status: 409, body: { reason: 'payment_booked' } });
      expect(answer.body.detail).toContain('amountMinor');
      expect(answer.body.detail).not.toContain('dismiss');
    }
    expect(await scene.api.rowCounts()).toEqual(before);
  });

  it('and does count elsewhere, is dismissed first: a part that came before the time was over', async () => {
    coins = await scene.offered();
    const paymentKey = await scene.paid(coins, 500_000n);
    expect(await rowOf(scene, coins)).toMatchObject({ status: 'expired', flags: ['partial', 'review'] });
    expect(await ask({ paymentKey })).toMatchObject({ status: 409, body: { reason: 'payment_counts' } });
    await scene.ok('POST', `/v1/crypto_invoices/${coins.id}/dismiss`, {
      paymentKeys: [paymentKey],
      reason: 'goes back',
    });
    expect((await ask({ paymentKey })).body).toMatchObject({ amount: '0.005' });
  });

  it('and is not confirmed, is not given back', async () => {
    coins = await scene.offered();
    await readTo(scene, coins, { height: 101, at: minutesAfter(16) });
    const paymentKey = await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(17) });
    expect(await ask({ paymentKey })).toMatchObject({ status: 409, body: { reason: 'payment_unconfirmed' } });
    expect(await ask({ paymentKey: 'none' })).toMatchObject({ status: 404 });
  });

  it('and is lost again before it was sent, is not sent', async () => {
    const paymentKey = await paidLate();
    const { id } = (await ask({ paymentKey })).body;
    await loseTo(scene, coins, { key: paymentKey, height: 103, at: minutesAfter(70) });
    expect(await act(id, 'approve')).toMatchObject({ status: 409, body: { reason: 'payment_lost' } });
    expect((await act(id, 'reject', { reason: 'lost' })).status).toBe(200);
  });
});

describe('a payment that is lost while it is to be given back', () => {
  async function spentElsewhere(key: string): Promise<void> {
    await readTo(scene, coins, { height: 120, at: minutesAfter(100) });
    await loseTo(scene, coins, { key, height: 101, at: minutesAfter(100) });
    await carryOut(scene, coins, minutesAfter(101));
  }

  it.each(['requested', 'approved'])(
    'takes its payout along, %s or not, and leaves no credit',
    async (status) => {
      coins = await scene.offered();
      const key = await scene.paid(coins, 2_250_000n);
      const payout = status === 'approved' ? await approved() : (await ask()).body;
      expect(payout.status).toBe(status);
      expect(await moved(() => spentElsewhere(key))).toEqual({
        'cash:crypto': -135_000,
        receivable: 90_000,
        refunds_pending: 45_000,
      });
      expect(await creditMinor()).toBe(0);
      const [row] = await scene.api.sql(
        'SELECT p.status, p.rejection, p.decided_by, r.status AS refund FROM crypto_payouts p JOIN refunds r ON r.id = p.refund_id WHERE p.id = $1',
        [payout.id],
      );
      expect(row).toEqual({
        status: 'rejected',
        rejection: 'the coins were lost',
        decided_by: 'system',
        refund: 'failed',
      });
      expect((await act(payout.id, 'approve')).status).toBe(409);
      expect((await act(payout.id, 'reject', { reason: 'lost' })).status).toBe(409);
      expect(await creditMinor()).toBe(0);
    },
  );

  it('is bad debt as far as its payout was sent, and none where that turns out not to have been', async () => {
    coins = await scene.offered();
    const key = await scene.paid(coins, 2_250_000n);
    const { id } = await approved();
    await act(id, 'broadcast', { txid: txid(77) });
    expect(await moved(() => spentElsewhere(key))).toEqual({
      'cash:crypto': -135_000,
      receivable: 90_000,
      bad_debt: 45_000,
    });
    const { token } = await scene.api.key(scene.tenant.tenantId, ['billing:write']);
    const body = { reason: 'never sent' };
    const reject = () => scene.api.request('POST', `/v1/crypto_payouts/${id}/reject`, { token, body });
    expect(await moved(reject)).toEqual({
      refunds_pending: 45_000,
      bad_debt: -45_000,
    });
    expect(await creditMinor()).toBe(0);
  });
});

describe('from 1,000 dollars on', () => {
  it('another key approves than asked, and a cent less needs none', async () => {
    coins = await scene.offered({ amountMinor: 300_000 });
    await scene.paid(coins, coins.dueUnits);
    const below = (await ask({ amountMinor: 99_999 })).body;
    expect(below.usdMinor).toBe(99_999);
    expect((await act(below.id, 'approve')).status).toBe(200);
    await act(below.id, 'reject', { reason: 'more' });

    const { id, usdMinor } = (await ask({ amountMinor: 100_000 })).body;
    expect(usdMinor).toBe(100_000);
    expect(await act(id, 'approve')).toMatchObject({
      status: 409,
      body: { reason: 'second_approver_required' },
    });
    const { token } = await scene.api.key(scene.tenant.tenantId, ['billing:write']);
    const answer = await scene.api.request('POST', `/v1/crypto_payouts/${id}/approve`, { token, body: {} });
    expect(answer).toMatchObject({ status: 200, body: { status: 'approved' } });
    expect(answer.body.decidedBy).not.toBe(answer.body.requestedBy);
  });
});

describe('the transaction of a payout', () => {
  it('stands for one payout to an address, also where two are told at once', async () => {
    await paidTooMuch();
    const [first, firstCoins] = [await approved(), coins];
    await paidTooMuch();
    const second = await approved();
    expect(firstCoins.id).not.toBe(coins.id);
    const answers = await Promise.all(
      [first, second].map(({ id }) => act(id, 'broadcast', { txid: txid(1) })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(answers.find(({ status }) => status === 409)?.body.reason).toBe('transaction_known');
  });

  it('may pay two customers at two addresses', async () => {
    await paidTooMuch();
    const first = await approved();
    await paidTooMuch();
    const second = await approved({ address: another });
    for (const { id } of [first, second]) {
      expect((await act(id, 'broadcast', { txid: txid(2) })).status).toBe(200);
    }
  });

  it('that was mined before it was told is found in its block', async () => {
    await paidTooMuch();
    const { node, poll } = await watch();
    const payout = await approved();
    const transaction = await sending(payout);
    node.mine([transaction]);
    node.mineEmpty(5);
    await poll();
    await act(payout.id, 'broadcast', { txid: transaction.txid });
    expect(await seen(payout)).toEqual({ status: 'broadcast', height: null, isTold: false });
    await poll();
    expect(await seen(payout)).toEqual({ status: 'broadcast', height: 121, isTold: true });
  });

  it('that pays too little, or another address, is not the payout', async () => {
    await paidTooMuch();
    const { node, poll } = await watch();
    const payout = await approved();
    const transaction = await sending(payout, 749_999n);
    await act(payout.id, 'broadcast', { txid: transaction.txid });
    node.mine([transaction]);
    node.mineEmpty(5);
    await poll();
    await carryOut(scene, coins, scene.now().toISOString());
    expect(await seen(payout)).toEqual({ status: 'broadcast', height: null, isTold: false });
  });

  it('whose fee was raised is told again, until a block has one of them', async () => {
    await paidTooMuch();
    const { node, poll } = await watch();
    const payout = await approved();
    const [first, second] = [await sending(payout), await sending(payout)];
    await act(payout.id, 'broadcast', { txid: first.txid });
    expect((await act(payout.id, 'broadcast', { txid: second.txid })).body).toMatchObject({
      status: 'broadcast',
      txid: second.txid,
    });
    node.mine([second]);
    node.mineEmpty(2);
    await poll();
    expect(await act(payout.id, 'broadcast', { txid: first.txid })).toMatchObject({
      status: 409,
      body: { reason: 'transaction_mined' },
    });
    const changes = await moved(() => carryOut(scene, coins, scene.now().toISOString()));
    expect(changes).toEqual({ 'cash:crypto': -45_000, refunds_pending: 45_000 });
    expect(await act(payout.id, 'broadcast', { txid: first.txid })).toMatchObject({
      status: 409,
      body: { reason: 'payout_confirmed' },
    });
  });

  it('that replaces another one dismisses the payment it gives back once', async () => {
    coins = await scene.offered();
    await readTo(scene, coins, { height: 101, at: minutesAfter(16) });
    const paymentKey = await scene.paid(coins, coins.dueUnits, { minutes: 17 });
    const payout = await approved({ paymentKey });
    for (const n of [21, 22]) {
      expect((await act(payout.id, 'broadcast', { txid: txid(n) })).status).toBe(200);
    }
    const acts = await scene.api.sql('SELECT act FROM crypto_acts WHERE crypto_invoice_id = $1', [coins.id]);
    expect(acts.map(({ act: made }) => made.kind)).toEqual(['dismiss']);
  });

  it('whose block leaves the chain waits again, and is booked when it is mined anew', async () => {
    await paidTooMuch();
    const { node, poll } = await watch();
    const payout = await approved();
    const transaction = await sending(payout);
    await act(payout.id, 'broadcast', { txid: transaction.txid });
    node.mine([transaction]);
    node.mineEmpty(1);
    await poll();
    expect(await seen(payout)).toEqual({ status: 'broadcast', height: 121, isTold: false });
    node.reorganise(2, [[], [], []]);
    await poll();
    expect(await seen(payout)).toEqual({ status: 'broadcast', height: null, isTold: false });
    await carryOut(scene, coins, scene.now().toISOString());
    expect((await seen(payout)).status).toBe('broadcast');
    node.mine([transaction]);
    node.mineEmpty(2);
    await poll();
    expect(await seen(payout)).toEqual({ status: 'broadcast', height: 124, isTold: true });
    await carryOut(scene, coins, scene.now().toISOString());
    expect((await seen(payout)).status).toBe('confirmed');
  });
});

describe('a payout on an EVM chain', () => {
  it('goes to an address of that chain, by a transaction of its form', async () => {
    coins = await scene.offered({ asset: 'USDC' });
    await scene.paid(coins, 1_000_000_000n);
    const to = '0x9858EfFD232B4033E47d90003D41EC34EcaEda94';
    expect(await ask()).toMatchObject({ status: 409, body: { reason: 'address_unusable' } });
    const payout = await approved({ address: to });
    expect(payout).toMatchObject({ chain: 'ethereum', asset: 'USDC', amount: '100', address: to });
    for (const [sent, status, code] of [
      [txid(3), 409, 'state_conflict'],
      [txid(3).slice(1), 400, 'invalid_request'],
    ]) {
      expect(await act(payout.id, 'broadcast', { txid: sent })).toMatchObject({ status, body: { code } });
    }
    expect((await act(payout.id, 'broadcast', { txid: `0x${txid(3)}` })).status).toBe(200);
  });
});

describe('what is refused', () => {
  const key = 'KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn';
  it.each<[string, object, number, string]>([
    ['no address', { address: undefined }, 400, 'invalid_request'],
    ['an empty reason', { reason: '' }, 400, 'invalid_request'],
    ['an amount of nothing', { amountMinor: 0 }, 400, 'invalid_request'],
    ['a fraction of a cent', { amountMinor: 0.5 }, 400, 'invalid_request'],
    ['a field that is not known', { amount: '1' }, 400, 'invalid_request'],
    ['a payment and an amount', { paymentKey: 'k', amountMinor: 1 }, 400, 'invalid_request'],
    [
      'an address of a test network',
      { address: 'tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx' },
      409,
      'state_conflict',
    ],
    [
      'an address of another chain',
      { address: '0x9858EfFD232B4033E47d90003D41EC34EcaEda94' },
      409,
      'state_conflict',
    ],
    ['a mistyped address', { address: `${customers.slice(0, -1)}x` }, 409, 'state_conflict'],
    ['a private key', { address: key }, 409, 'state_conflict'],
    ['a secret in words', { address: `${'abandon '.repeat(11)}about` }, 409, 'state_conflict'],
  ])('%s, without a trace', async (_title, fields, status, code) => {
    await paidTooMuch();
    const before = await scene.api.rowCounts();
    const answer = await ask(fields);
    expect(answer).toMatchObject({ status, body: { code } });
    if (status === 409) expect(answer.body.reason).toBe('address_unusable');
    expect(JSON.stringify(answer.body)).not.toContain(key);
    expect(JSON.stringify(answer.body)).not.toContain('abandon');
    expect(await scene.api.rowCounts()).toEqual(before);
    expect(await creditMinor()).toBe(45_000);
  });

  it('the payouts and invoices of another tenant, as if there were none', async () => {
    await paidTooMuch();
    const { id } = (await ask()).body;
    const { token } = await scene.api.tenant();
    const before = await scene.api.rowCounts();
    const request = (method: string, where: string, body?: object) =>
      scene.api.request(method, where, { token, ...(body !== undefined && { body }) });
    const reason = { reason: 'x' };
    for (const answer of [
      await request('GET', `/v1/crypto_payouts/${id}`),
      await request('POST', `/v1/crypto_payouts/${id}/approve`, {}),
      await request('POST', `/v1/crypto_payouts/${id}/reject`, reason),
      await request('POST', `/v1/crypto_payouts/${id}/broadcast`, { txid: txid(9) }),
      await request('POST', path(), { address: customers, ...reason }),
    ]) {
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    expect((await request('GET', '/v1/crypto_payouts')).body.data).toEqual([]);
    expect(await scene.api.rowCounts()).toEqual(before);
  });
});

describe('the list', () => {
  it('begins with the payout that waits longest, and says how long', async () => {
    await paidTooMuch();
    const { id } = (await ask()).body;
    const asked = scene.now();
    scene.at(new Date(asked.getTime() + 90_500).toISOString());
    const { data } = await scene.ok('GET', '/v1/crypto_payouts?status=requested&limit=100');
    expect(data.map((each: Json) => each.status)).toEqual(data.map(() => 'requested'));
    expect(data.at(-1)).toMatchObject({ id, waitingSeconds: 90 });
    const ids = data.map((each: Json) => each.id);
    expect(ids).toEqual(ids.toSorted());
    const first = await scene.ok('GET', '/v1/crypto_payouts?limit=1');
    const next = await scene.ok('GET', `/v1/crypto_payouts?limit=1&cursor=${first.nextCursor}`);
    expect(next.data[0].id > first.data[0].id).toBe(true);
  });
});

describe('a process that dies', () => {
  it('wherever it does leaves one payout that holds the money once, or none that holds anything', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      await paidTooMuch();
      const { tenantId } = scene.tenant;
      const wish = {
        tenantId,
        cryptoInvoiceId: coins.id,
        address: customers,
        reason: 'paid too much',
        actor: 'test',
        at: scene.now(),
      };
      const died = await dies(scene, dieAt, (db) =>
        withTenant(db, tenantId, (tx) => requestPayout(tx, wish)),
      );
      const again = await ask();
      expect([201, 409]).toContain(again.status);
      const rows = await scene.api.sql('SELECT id FROM crypto_payouts WHERE crypto_invoice_id = $1', [
        coins.id,
      ]);
      expect(rows).toHaveLength(1);
      expect(await creditMinor()).toBe(0);
      if (!died) return void expect(dieAt).toBeGreaterThan(3);
    }
  });

  it('wherever it does sends and books once', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      await paidTooMuch();
      const { tenantId } = scene.tenant;
      const { node, poll } = await watch();
      const payout = await approved();
      const transaction = await sending(payout);
      const told = {
        id: payout.id,
        act: 'broadcast',
        actor: 'test',
        at: scene.now(),
        txid: transaction.txid,
      } as const;
      const diedTelling = await dies(scene, dieAt, (db) =>
        withTenant(db, tenantId, (tx) => actOnPayout(tx, told)),
      );
      const again = await act(payout.id, 'broadcast', { txid: transaction.txid });
      expect([200, 409]).toContain(again.status);
      node.mine([transaction]);
      node.mineEmpty(2);
      await poll();
      const input = { tenantId, cryptoInvoiceId: coins.id, at: scene.now().toISOString() };
      const changes = await moved(async () => {
        await dies(scene, dieAt, (db) => createCryptoInvoiceActivities({ db }).decideCryptoInvoice(input));
        await carryOut(scene, coins, input.at);
      });
      expect(changes).toEqual({ 'cash:crypto': -45_000, refunds_pending: 45_000 });
      expect((await seen(payout)).status).toBe('confirmed');
      if (!diedTelling) return void expect(dieAt).toBeGreaterThan(3);
    }
  });
});

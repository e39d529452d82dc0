/** An excess is asked about by a payout without an address, where giving it back is worth its fee; who names one takes it over. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCryptoInvoiceActivities } from '../../activities/payments/crypto-invoice.ts';
import { withTenant } from '../../db/client.ts';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import { putReportSettings } from '../../db/queries/reporting/report-settings.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { ChainName } from '../../domain/payments/crypto-chain.ts';
import type { Json } from '../support/api.ts';
import { type CoinScene, createCoinScene } from './coin-scene.ts';
import { booksOf, carryOut, loseTo, minutesAfter, pay, readTo, setPrices } from './crypto-scene.ts';
import { creditOf, dies, movedBy } from './payout-scene.ts';

const customers = 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu';

let scene: CoinScene;
let coins: CryptoInvoiceRow;

beforeAll(async () => {
  scene = await createCoinScene();
  const { tenantId } = scene.tenant;
  const settings = { recipient: 'operators@acme.example', sendAt: '09:00', clock: 'utc' } as const;
  await withTenant(scene.db, tenantId, (tx) =>
    putReportSettings(tx, { tenantId, settings, at: scene.now() }),
  );
});
afterAll(() => scene.close());
beforeEach(() => scene.api.sql('UPDATE chains SET fee_rate = NULL'));

const ask = (fields: object = {}) =>
  scene.request('POST', `/v1/crypto_invoices/${coins.id}/payouts`, {
    address: customers,
    reason: 'the customer wants it back',
    ...fields,
  });
const act = (id: string, name: string, body: object = {}) =>
  scene.request('POST', `/v1/crypto_payouts/${id}/${name}`, body);
const refusal = (reason: string) => ({ status: 409, body: { reason } });

/** Of the invoice, oldest first. */
async function payouts(): Promise<Json[]> {
  const rows = await scene.api.sql('SELECT id FROM crypto_payouts WHERE crypto_invoice_id = $1 ORDER BY id', [
    coins.id,
  ]);
  return Promise.all(rows.map(({ id }) => scene.ok('GET', `/v1/crypto_payouts/${id}`)));
}

async function onlyPayout(): Promise<Json> {
  const [payout, ...others] = await payouts();
  expect(others).toEqual([]);
  return payout;
}

/** Paid half as much again: USD 450.00 or 0.0075 BTC too much. */
async function paidTooMuch(): Promise<Json> {
  coins = await scene.offered();
  await scene.paid(coins, 2_250_000n);
  return onlyPayout();
}

describe('what was paid too much', () => {
  it('asks for an address, once, holds nothing, and is told to operators', async () => {
    coins = await scene.offered();
    expect(await movedBy(scene, () => scene.paid(coins, 2_250_000n))).toEqual({
      'cash:crypto': 135_000,
      customer_credit: -45_000,
      receivable: -90_000,
    });
    for (let i = 0; i < 3; i += 1) await carryOut(scene, coins, scene.now().toISOString());
    const payout = await onlyPayout();
    expect(payout).toMatchObject({
      status: 'asked',
      paymentKey: null,
      refundId: null,
      chain: 'bitcoin',
      asset: 'BTC',
      amount: '0.0075',
      usdMinor: 45_000,
      address: null,
      reason: 'more was paid than was due',
      requestedBy: 'system',
      waitingSeconds: 0,
      txid: null,
      problem: null,
    });
    expect(await creditOf(scene, coins)).toBe(45_000);
    const listed = await scene.ok('GET', '/v1/crypto_payouts?status=asked&limit=100');
    expect(listed.data.at(-1)).toEqual(payout);

    const what = `0.0075 BTC more than was due came, which is the customer's credit: ask the customer for an address and ask for a payout to it, or reject payout ${payout.id}.`;
    const { number, subscriptionId } = await scene.ok('GET', `/v1/invoices/${coins.invoiceId}`);
    const mails = await scene.api.sql(
      "SELECT recipient, variables FROM notifications WHERE template = 'crypto_operator_alert' AND variables ->> 'what' = $1",
      [what],
    );
    expect(mails).toEqual([
      { recipient: 'operators@acme.example', variables: { invoiceNumber: number, what } },
    ]);
    const timeline = await scene.ok('GET', `/v1/subscriptions/${subscriptionId}/timeline?limit=100`);
    const told = timeline.data.filter(({ kind }: Json) => kind === 'crypto_payout_asked');
    expect(told.map(({ message }: Json) => message)).toEqual([`Invoice ${number} in BTC: ${what}`]);
    const audit = await scene.ok('GET', `/v1/audit_log?entityId=${payout.id}`);
    expect(audit.data).toMatchObject([
      { action: 'crypto_payout.asked', actor: 'system', details: { asset: 'BTC', units: '750000' } },
    ]);
  });

  it('is neither approved nor sent without an address', async () => {
    const { id } = await paidTooMuch();
    const before = await scene.api.rowCounts();
    for (const answer of [await act(id, 'approve'), await act(id, 'broadcast', { txid: 'e'.repeat(64) })]) {
      expect(answer).toMatchObject(refusal('payout_asked'));
      expect(answer.body.detail).toContain('ask the customer for one');
    }
    expect(await scene.api.rowCounts()).toEqual(before);
  });

  it.each([
    ['all of it', {}, '0.0075', 45_000],
    ['a part of it', { amountMinor: 15_000 }, '0.0025', 15_000],
    ['more than it', { amountMinor: 60_000 }, '0.01', 60_000],
  ])('becomes the payout that is asked for with an address: %s', async (_title, fields, amount, usdMinor) => {
    const { id } = await paidTooMuch();
    scene.at(minutesAfter(60));
    expect(await ask(fields)).toMatchObject({
      status: 201,
      body: {
        id,
        status: 'requested',
        amount,
        usdMinor,
        address: customers,
        refundId: expect.stringMatching(/^ref_/),
        reason: 'the customer wants it back',
        requestedBy: expect.not.stringMatching(/^system$/),
        requestedAt: minutesAfter(60),
      },
    });
    expect(await creditOf(scene, coins)).toBe(Math.max(0, 45_000 - usdMinor));
    expect(await ask(fields)).toMatchObject(refusal('payout_under_way'));
    expect(await act(id, 'approve')).toMatchObject({ status: 200 });
    expect((await onlyPayout()).id).toBe(id);
  });

  it('stays asked about where the address is none of its chain', async () => {
    const { id } = await paidTooMuch();
    const before = await scene.api.rowCounts();
    const address = '0x9858EfFD232B4033E47d90003D41EC34EcaEda94';
    expect(await ask({ address })).toMatchObject(refusal('address_unusable'));
    expect(await scene.api.rowCounts()).toEqual(before);
    expect(await onlyPayout()).toMatchObject({ id, status: 'asked', address: null, refundId: null });
  });

  it('asked for by two at the same moment is one payout', async () => {
    const { id } = await paidTooMuch();
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    expect(await onlyPayout()).toMatchObject({ id, status: 'requested' });
    expect(await creditOf(scene, coins)).toBe(0);
  });

  it('is approved by somebody else than who named the address, from 1,000 dollars on', async () => {
    coins = await scene.offered();
    await scene.paid(coins, 1_500_000n * 3n);
    const { id, usdMinor } = (await ask()).body;
    expect(usdMinor).toBe(180_000);
    expect(await act(id, 'approve')).toMatchObject(refusal('second_approver_required'));
  });

  it('that is rejected stays credit and is not asked about again, yet it can be asked for', async () => {
    const { id } = await paidTooMuch();
    expect(await movedBy(scene, () => act(id, 'reject', { reason: 'the customer keeps it' }))).toEqual({});
    await carryOut(scene, coins, scene.now().toISOString());
    expect(await onlyPayout()).toMatchObject({ id, status: 'rejected', problem: null, waitingSeconds: null });
    expect(await creditOf(scene, coins)).toBe(45_000);
    const { status, body } = await ask();
    expect({ status, isAnother: body.id !== id }).toEqual({ status: 201, isAnother: true });
  });

  it('is not there any more once it has paid something else', async () => {
    const { id } = await paidTooMuch();
    await scene.api.sql('UPDATE customers SET credit_minor = 0 WHERE id = $1', [coins.customerId]);
    expect(await ask()).toMatchObject(refusal('nothing_to_give_back'));
    expect((await act(id, 'reject', { reason: 'spent' })).status).toBe(200);
  });

  it('is rejected with the coins that are lost', async () => {
    coins = await scene.offered();
    const key = await scene.paid(coins, 2_250_000n);
    const { id } = await onlyPayout();
    await readTo(scene, coins, { height: 120, at: minutesAfter(100) });
    await loseTo(scene, coins, { key, height: 101, at: minutesAfter(100) });
    await carryOut(scene, coins, minutesAfter(101));
    expect(await onlyPayout()).toMatchObject({
      id,
      status: 'rejected',
      rejection: 'the coins were lost',
      problem: { code: 'payment_lost' },
    });
    expect(await booksOf(scene, coins)).toMatchObject({ creditMinor: 0, sumMinor: 0 });
  });

  it('by a second payment asks for that part', async () => {
    const first = await paidTooMuch();
    await pay(scene, coins, { units: 150_000n, at: minutesAfter(6), height: 101, n: 2 });
    await carryOut(scene, coins, minutesAfter(45));
    expect((await payouts()).map(({ status, amount }) => ({ status, amount }))).toEqual([
      { status: 'asked', amount: '0.0075' },
      { status: 'asked', amount: '0.0015' },
    ]);
    expect((await ask()).body).toMatchObject({ id: first.id, amount: '0.0075' });
    expect(await creditOf(scene, coins)).toBe(9_000);
  });

  it('and paid nothing that is due, is no excess: the invoice was paid otherwise', async () => {
    coins = await scene.offered();
    await scene.paid(coins, coins.dueUnits);
    expect(await payouts()).toEqual([]);
  });
});

describe('an excess that is worth less than it costs', () => {
  it.each<[CryptoAsset, ChainName, bigint, bigint | null, boolean]>([
    // 900 dollars: a dollar is 1,666.67 satoshi, or a million microdollars.
    ['BTC', 'bitcoin', 1_666n, null, false],
    ['BTC', 'bitcoin', 1_667n, null, true],
    ['USDC', 'ethereum', 999_999n, null, false],
    ['USDC', 'ethereum', 1_000_000n, null, true],
    // 1,410 satoshi are 85 cents.
    ['BTC', 'bitcoin', 2_833n, 10n, false],
    ['BTC', 'bitcoin', 2_834n, 10n, true],
    // 65,000 gas at 20 gwei are 3.90 dollars; 21,000 are 1.26.
    ['USDC', 'ethereum', 7_800_000n, 20_000_000_000n, false],
    ['USDC', 'ethereum', 7_800_001n, 20_000_000_000n, true],
    ['ETH', 'ethereum', 840_000_000_000_000n, 20_000_000_000n, false],
    ['ETH', 'ethereum', 840_000_000_000_001n, 20_000_000_000n, true],
    // On Base a hundredth of that.
    ['USDC', 'base', 1_000_000n, 100_000_000n, true],
    ['USDC', 'base', 999_999n, 100_000_000n, false],
  ])('stays credit: %s on %s, %s more at a fee of %s', async (asset, chain, units, feeRate, isAsked) => {
    coins = await scene.offered({ asset, chain });
    await scene.api.sql('UPDATE chains SET fee_rate = $2 WHERE name = $1', [
      chain,
      feeRate?.toString() ?? null,
    ]);
    await setPrices(scene, { at: minutesAfter(45) });
    await scene.paid(coins, coins.dueUnits + units);
    expect((await payouts()).map(({ status }) => status)).toEqual(isAsked ? ['asked'] : []);
    const creditMinor = await creditOf(scene, coins);
    // Whatever it is, it can be asked for.
    const address = asset === 'BTC' ? customers : '0x9858EfFD232B4033E47d90003D41EC34EcaEda94';
    expect((await ask({ address })).status).toBe(creditMinor > 0 ? 201 : 409);
  });
});

describe('a process that dies', () => {
  it('wherever it does asks once', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      coins = await scene.offered();
      await pay(scene, coins, { units: 2_250_000n, at: minutesAfter(5), height: 101 });
      await readTo(scene, coins, { height: 103, at: minutesAfter(45) });
      const { tenantId } = scene.tenant;
      const input = { tenantId, cryptoInvoiceId: coins.id, at: minutesAfter(45) };
      const hasDied = await dies(scene, dieAt, (db) =>
        createCryptoInvoiceActivities({ db }).decideCryptoInvoice(input),
      );
      await carryOut(scene, coins, minutesAfter(46));
      const { id } = await onlyPayout();
      const mails = await scene.api.sql(
        "SELECT id FROM notifications WHERE template = 'crypto_operator_alert' AND variables ->> 'what' LIKE $1",
        [`%${id}%`],
      );
      expect(mails).toHaveLength(1);
      expect(await creditOf(scene, coins)).toBe(45_000);
      if (!hasDied) return void expect(dieAt).toBeGreaterThan(3);
    }
  });
});

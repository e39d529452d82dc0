/** Cost basis of coins: a lot for each payment that was confirmed, and what is taken out of lots, once. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import type { CryptoAsset } from '../../domain/payments/crypto-asset.ts';
import type { Json } from '../support/api.ts';
import { type CoinScene, createCoinScene } from './coin-scene.ts';
import { addAccount, carryOut, loseTo, minutesAfter, pay, readTo } from './crypto-scene.ts';

let scene: CoinScene;

beforeEach(async () => {
  scene = await createCoinScene();
});
afterEach(() => scene.close());

const lots = async (query = ''): Promise<Json[]> => (await scene.ok('GET', `/v1/crypto_lots${query}`)).data;

/** A payment that is deep enough, at this price where one was known. */
async function received({
  units,
  rate = null,
  minutes = 5,
  asset,
  invoice = 'BTC',
}: {
  units: bigint;
  rate?: string | null;
  minutes?: number;
  asset?: CryptoAsset;
  invoice?: CryptoAsset;
}): Promise<{ coins: CryptoInvoiceRow; key: string }> {
  const coins = await scene.offered({ asset: invoice });
  const key = await pay(scene, coins, {
    units,
    at: minutesAfter(minutes),
    height: 101,
    ...(asset && { asset }),
  });
  await scene.api.sql('UPDATE crypto_payments SET usd_rate = $2 WHERE key = $1', [key, rate]);
  await deepen(coins, 112, minutes + 60);
  return { coins, key };
}

async function deepen(coins: CryptoInvoiceRow, height: number, minutes: number): Promise<void> {
  await readTo(scene, coins, { height, at: minutesAfter(minutes) });
  scene.at(minutesAfter(minutes));
  for (let i = 0; i < 2; i += 1) await carryOut(scene, coins, minutesAfter(minutes));
}

describe('a lot', () => {
  it('is there once a payment is confirmed, once, worth what the market said when it came', async () => {
    const coins = await scene.offered();
    const key = await pay(scene, coins, { units: 1_500_000n, at: minutesAfter(5), height: 101 });
    await scene.api.sql('UPDATE crypto_payments SET usd_rate = $2 WHERE key = $1', [key, '61234.5']);
    await deepen(coins, 102, 20);
    expect(await lots()).toEqual([]);
    await deepen(coins, 103, 30);
    await deepen(coins, 104, 40);
    expect(await lots()).toEqual([
      {
        id: expect.stringMatching(/^clot_/),
        accountId: scene.accounts.bitcoin,
        cryptoInvoiceId: coins.id,
        chain: 'bitcoin',
        txid: '1'.padStart(64, '0'),
        asset: 'BTC',
        acquiredAt: minutesAfter(5),
        amount: '0.015',
        remaining: '0.015',
        rate: '61234.5',
        rateSource: 'market',
        costMinor: 91_852,
        reversedAt: null,
      },
    ]);
  });

  it('is worth what was agreed where no price of the market is known', async () => {
    await received({ units: 1_500_000n });
    expect(await lots()).toMatchObject([{ rate: '60000.00', rateSource: 'quote', costMinor: 90_000 }]);
  });

  it('is each payment of an invoice, whatever became of it: too late, and too small to count', async () => {
    const coins = await scene.offered();
    await readTo(scene, coins, { height: 100, at: minutesAfter(16) });
    await pay(scene, coins, { units: 1_500_000n, at: minutesAfter(20), height: 101, n: 1 });
    await pay(scene, coins, { units: 1_000n, at: minutesAfter(21), height: 101, n: 2 });
    await deepen(coins, 103, 60);
    expect(await lots()).toMatchObject([
      { amount: '0.015', costMinor: 90_000 },
      { amount: '0.00001', costMinor: 60 },
    ]);
  });

  it('of another asset than the invoice asks for is worth its own price, or is left to a person', async () => {
    await received({ units: 100_000_000n, rate: '0.999', invoice: 'ETH', asset: 'USDC' });
    await received({ units: 100_000_000n, invoice: 'ETH', asset: 'USDC', minutes: 6 });
    expect(await lots()).toMatchObject([
      { asset: 'USDC', accountId: scene.accounts.evm, amount: '100', costMinor: 9_990, rateSource: 'market' },
      { asset: 'USDC', amount: '100', costMinor: 0, rate: '0', rateSource: 'unknown' },
    ]);
  });

  it('is of no token that nobody knows', async () => {
    const coins = await scene.offered({ asset: 'USDC' });
    const key = await pay(scene, coins, { units: 900_000_000n, at: minutesAfter(5), height: 101 });
    await scene.api.sql('UPDATE crypto_payments SET asset = NULL, token = $2 WHERE key = $1', [key, '0x01']);
    await deepen(coins, 130, 60);
    expect(await lots()).toEqual([]);
  });

  it('is empty when the chain takes the payment back, and whole when it comes back', async () => {
    const { coins, key } = await received({ units: 1_500_000n });
    await loseTo(scene, coins, { key, height: 102, at: minutesAfter(100) });
    await deepen(coins, 120, 110);
    expect(await lots()).toMatchObject([
      { amount: '0.015', remaining: '0', reversedAt: minutesAfter(110), costMinor: 90_000 },
    ]);
    await comesBack(coins, key);
    expect(await lots()).toMatchObject([{ amount: '0.015', remaining: '0.015', reversedAt: null }]);
  });

  it('that comes back is not used twice: what was disposed of before stays so', async () => {
    const { coins, key } = await received({ units: 1_500_000n });
    expect((await dispose({ amount: '0.01' })).status).toBe(201);
    await loseTo(scene, coins, { key, height: 102, at: minutesAfter(100) });
    await deepen(coins, 120, 110);
    expect(await dispose({ amount: '0.005', reference: 'B' })).toMatchObject({
      status: 409,
      body: { reason: 'lots_insufficient' },
    });
    await comesBack(coins, key);
    expect(await lots()).toMatchObject([{ amount: '0.015', remaining: '0.005', reversedAt: null }]);
  });

  it('is listed by account and by asset, oldest first, page by page', async () => {
    await received({ units: 1_500_000n, minutes: 9 });
    await received({ units: 1_400_000n, minutes: 3 });
    await received({ units: 900_000_000n, invoice: 'USDC', minutes: 6 });
    const amounts = async (query: string) => (await lots(query)).map(({ amount }) => amount);
    expect(await amounts('')).toEqual(['0.014', '900', '0.015']);
    expect(await amounts('?asset=BTC')).toEqual(['0.014', '0.015']);
    expect(await amounts(`?accountId=${scene.accounts.evm}`)).toEqual(['900']);
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const next: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const { data, nextCursor }: Json = await scene.ok('GET', `/v1/crypto_lots?limit=1${next}`);
      seen.push(...data.map(({ amount }: Json) => amount));
      cursor = nextCursor;
    }
    expect(seen).toEqual(['0.014', '900', '0.015']);
  });

  async function comesBack(coins: CryptoInvoiceRow, key: string): Promise<void> {
    await scene.api.sql(
      'UPDATE crypto_payments SET rival_txid = NULL, rival_height = NULL, orphaned_at = NULL WHERE key = $1',
      [key],
    );
    await pay(scene, coins, { units: 1_500_000n, at: minutesAfter(120), height: 121 });
    await deepen(coins, 140, 200);
  }
});

const dispose = (fields: object = {}) =>
  scene.request('POST', '/v1/crypto_disposals', {
    accountId: scene.accounts.bitcoin,
    asset: 'BTC',
    amount: '0.02',
    proceedsMinor: 130_000,
    method: 'fifo',
    reference: 'A',
    ...fields,
  });

describe('a disposal', () => {
  /** In the order in which they came: 0.01 for 600, 0.02 for 1,000 and 0.01 for 700 dollars. */
  let ids: string[];

  beforeEach(async () => {
    await received({ units: 2_000_000n, rate: '50000', minutes: 4 });
    await received({ units: 1_000_000n, rate: '60000', minutes: 3 });
    await received({ units: 1_000_000n, rate: '70000', minutes: 5 });
    scene.at(minutesAfter(24 * 60));
    ids = (await lots()).map(({ id }) => id);
  });

  const parts = ({ body }: Json) =>
    body.parts.map(
      ({ lotId, amount, costMinor, proceedsMinor, gainMinor }: Json) =>
        `${ids.indexOf(lotId) + 1}: ${amount} ${costMinor} ${proceedsMinor} ${gainMinor}`,
    );

  it('takes the oldest first', async () => {
    const answer = await dispose();
    expect(answer).toMatchObject({
      status: 201,
      body: {
        accountId: scene.accounts.bitcoin,
        asset: 'BTC',
        amount: '0.02',
        proceedsMinor: 130_000,
        method: 'fifo',
        reference: 'A',
        disposedAt: minutesAfter(24 * 60),
      },
    });
    expect(parts(answer)).toEqual(['1: 0.01 60000 65000 5000', '2: 0.01 50000 65000 15000']);
    expect((await lots()).map(({ remaining }) => remaining)).toEqual(['0', '0.01', '0.01']);
    expect((await scene.ok('GET', `/v1/audit_log?entityId=${answer.body.id}`)).data).toMatchObject([
      { action: 'crypto_disposal.recorded' },
    ]);
  });

  it('takes those that cost most first', async () => {
    expect(parts(await dispose({ method: 'hifo', proceedsMinor: 120_000 }))).toEqual([
      '3: 0.01 70000 60000 -10000',
      '1: 0.01 60000 60000 0',
    ]);
  });

  it('takes those that are named, in that order', async () => {
    const named = { method: 'specific', lotIds: [ids[2], ids[1]], amount: '0.015' };
    expect(parts(await dispose(named))).toEqual(['3: 0.01 70000 86667 16667', '2: 0.005 25000 43333 18333']);
  });

  it('to the last unit adds up to what all of it cost', async () => {
    const amounts = ['0.00000001', '0.01333333', '0.02666665', '0.00000001'];
    let costMinor = 0;
    for (const [i, amount] of amounts.entries()) {
      const { status, body } = await dispose({ amount, reference: `R${i}`, proceedsMinor: 1 });
      expect(status).toBe(201);
      for (const part of body.parts) costMinor += part.costMinor;
    }
    expect(costMinor).toBe(230_000);
    expect(await dispose({ amount: '0.00000001', reference: 'more' })).toMatchObject({
      status: 409,
      body: { reason: 'lots_insufficient', detail: 'Only 0 BTC are left in this account on that day.' },
    });
  });

  it('is of lots that were there on that day, and long-term after a year and a day', async () => {
    const before = { amount: '0.01', disposedAt: minutesAfter(3) };
    expect(await dispose({ ...before, amount: '0.01000001' })).toMatchObject({
      status: 409,
      body: { reason: 'lots_insufficient' },
    });
    expect((await dispose(before)).body.parts[0]).toMatchObject({ lotId: ids[0], isLongTerm: false });
    scene.at('2027-03-16T00:00:00.000Z');
    const late = { amount: '0.01', reference: 'B' };
    expect(
      (await dispose({ ...late, disposedAt: '2027-03-14T23:59:59.999Z' })).body.parts[0].isLongTerm,
    ).toBe(false);
    expect(
      (await dispose({ ...late, reference: 'C', disposedAt: '2027-03-15T00:00:00.000Z' })).body.parts[0]
        .isLongTerm,
    ).toBe(true);
  });

  it('and others at the same moment never use the same coins', async () => {
    const answers = await Promise.all(
      ['A', 'B', 'C', 'D'].map((reference) =>
        dispose({ reference, amount: '0.015', method: reference < 'C' ? 'fifo' : 'hifo' }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 409, 409]);
    const taken = new Map<string, number>();
    for (const { status, body } of answers) {
      if (status !== 201) continue;
      for (const { lotId, amount } of body.parts)
        taken.set(lotId, (taken.get(lotId) ?? 0) + Math.round(Number(amount) * 1e8));
    }
    for (const lot of await lots()) {
      const left = Math.round((Number(lot.amount) - Number(lot.remaining)) * 1e8);
      expect(taken.get(lot.id) ?? 0).toBe(left);
    }
    expect([...taken.values()].reduce((sum, units) => sum + units, 0)).toBe(3_000_000);
  });

  it('of a reference is one: a second one, also at the same moment, is refused', async () => {
    const answers = await Promise.all([dispose(), dispose()]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    const before = await scene.api.rowCounts();
    expect(await dispose({ amount: '0.001' })).toMatchObject({
      status: 409,
      body: { code: 'reference_already_booked' },
    });
    expect(await scene.api.rowCounts()).toEqual(before);
  });

  /** Another id, whatever it ends with. */
  const mistyped = (id: string) => `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`;
  const mistakes: [string, () => object, number, string][] = [
    ['nothing', () => ({ amount: '0' }), 422, 'amount_out_of_range'],
    ['less than a unit', () => ({ amount: '0.000000001' }), 422, 'amount_out_of_range'],
    ['a number instead of a text', () => ({ amount: 0.01 }), 400, 'invalid_request'],
    ['a negative amount', () => ({ amount: '-1' }), 400, 'invalid_request'],
    ['an amount in powers', () => ({ amount: '1e3' }), 400, 'invalid_request'],
    ['negative proceeds', () => ({ proceedsMinor: -1 }), 400, 'invalid_request'],
    ['an unknown asset', () => ({ asset: 'DOGE' }), 400, 'invalid_request'],
    ['an unknown method', () => ({ method: 'lifo' }), 400, 'invalid_request'],
    ['no reference', () => ({ reference: '' }), 400, 'invalid_request'],
    ['lots with the wrong method', () => ({ lotIds: [ids[0]] }), 400, 'invalid_request'],
    ['no lots with specific', () => ({ method: 'specific' }), 400, 'invalid_request'],
    ['an empty list of lots', () => ({ method: 'specific', lotIds: [] }), 400, 'invalid_request'],
    ['the future', () => ({ disposedAt: minutesAfter(24 * 60 + 1) }), 422, 'date_out_of_range'],
    ['no instant', () => ({ disposedAt: 'yesterday' }), 400, 'invalid_request'],
    ['more than is there', () => ({ amount: '0.04000001' }), 409, 'state_conflict'],
    ['coins of another asset', () => ({ asset: 'ETH' }), 409, 'state_conflict'],
    [
      'a lot that is not there',
      () => ({ method: 'specific', lotIds: [mistyped(ids[0] ?? '')] }),
      409,
      'state_conflict',
    ],
    ['an account that is not there', () => ({ accountId: mistyped(scene.accounts.evm) }), 404, 'not_found'],
  ];
  it('is refused without a trace where something is wrong', async () => {
    for (const [title, fields, status, code] of mistakes) {
      const before = await scene.api.rowCounts();
      const answer = await dispose(fields());
      expect([title, answer.status, answer.body.code]).toEqual([title, status, code]);
      expect(await scene.api.rowCounts()).toEqual(before);
    }
    expect((await lots()).map(({ remaining }) => remaining)).toEqual(['0.01', '0.02', '0.01']);
  });

  it('from the account of another tenant is 404, and so are its lots nobody else’s', async () => {
    const other = await scene.api.tenant();
    const account = await addAccount(scene, other.tenantId);
    expect(await dispose({ accountId: account })).toMatchObject({ status: 404 });
    const { token } = other;
    const asked = { accountId: account, asset: 'BTC', amount: '0.01', proceedsMinor: 1, reference: 'A' };
    const body = { ...asked, method: 'specific', lotIds: [ids[0]] };
    expect(await scene.api.request('POST', '/v1/crypto_disposals', { token, body })).toMatchObject({
      status: 409,
      body: { reason: 'lot_unknown' },
    });
    for (const path of ['/v1/crypto_lots', '/v1/crypto_disposals']) {
      expect((await scene.api.request('GET', path, { token })).body.data).toEqual([]);
    }
  });

  it('and lots are tables for a spreadsheet, which carries nothing out', async () => {
    await dispose({
      reference: '=HYPERLINK("http://example.com";"A")',
      method: 'hifo',
      proceedsMinor: 120_000,
    });
    const csv = async (path: string) => (await scene.request('GET', path)).body.split('\r\n');
    const { data } = await scene.ok('GET', '/v1/crypto_disposals');
    const [third, first] = [ids[2], ids[0]];
    const reference = `"'=HYPERLINK(""http://example.com"";""A"")"`;
    const disposed = minutesAfter(24 * 60);
    expect(await csv('/v1/crypto_disposals?format=csv')).toEqual([
      'Disposal,Asset,Quantity,Acquired,Disposed,Proceeds USD,Cost USD,Gain USD,Term,Method,Lot,Reference',
      `${data[0].id},BTC,0.01,${minutesAfter(5)},${disposed},600.00,700.00,-100.00,short,hifo,${third},${reference}`,
      `${data[0].id},BTC,0.01,${minutesAfter(3)},${disposed},600.00,600.00,0.00,short,hifo,${first},${reference}`,
      '',
    ]);
    const txid = '1'.padStart(64, '0');
    expect(await csv('/v1/crypto_lots?format=csv')).toEqual([
      'Lot,Acquired,Asset,Quantity,Remaining,Rate USD,Rate source,Cost USD,Chain,Transaction,Reversed',
      `${ids[0]},${minutesAfter(3)},BTC,0.01,0,60000,market,600.00,bitcoin,${txid},`,
      `${ids[1]},${minutesAfter(4)},BTC,0.02,0.02,50000,market,1000.00,bitcoin,${txid},`,
      `${ids[2]},${minutesAfter(5)},BTC,0.01,0,70000,market,700.00,bitcoin,${txid},`,
      '',
    ]);
  });

  it('and a table that does not fit goes on where its header says', async () => {
    const ask = async (path: string) => {
      const { body, headers } = await scene.request('GET', path);
      const [, next = null] = /^<(.+)>; rel="next"$/.exec(headers.get('link') ?? '') ?? [];
      return { rows: body.split('\r\n').slice(1, -1) as string[], next };
    };
    const rows: string[] = [];
    for (let path: string | null = '/v1/crypto_lots?format=csv&limit=2'; path !== null; ) {
      const page: Awaited<ReturnType<typeof ask>> = await ask(path);
      rows.push(...page.rows);
      path = page.next;
    }
    expect(rows.map((row) => row.split(',')[0])).toEqual(ids);
  });
});

/** Invoices in coins over HTTP: accounts, offers, what an operator decides, and every way in which they are refused. */
import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { HDKey } from '@scure/bip32';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Config, loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { withTenant } from '../../db/client.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { takeAddress } from '../../db/queries/payments/crypto-accounts.ts';
import { readCryptoInvoice } from '../../db/queries/payments/crypto-invoices.ts';
import { readAccountKey, receiveAddresses } from '../../domain/payments/crypto-account.ts';
import { cryptoPolicyOn } from '../../domain/payments/crypto-policy.ts';
import {
  type Json,
  openTemporal,
  startTestApi,
  type TestAnswer,
  type TestApi,
  type TestTenant,
} from '../support/api.ts';
import { carryOut, freshKey, pay, readTo, setChain, setPrices } from './crypto-scene.ts';

/** BIP84's own example. */
const zpub =
  'zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs';

let temporal: Client;
let api: TestApi;
let tenant: TestTenant;
let now: Date;
/** Lines of the API's log. */
const logged: string[] = [];

const settings = { NODE_ENV: 'test', CRYPTO_NETWORK: 'mainnet' };
const config: { -readonly [K in keyof Config]: Config[K] } = { ...loadConfig(settings) };

/** As if the API had been started again with these settings as well. */
function restartWith(more: Record<string, string>): void {
  config.chains = loadConfig({ ...settings, ...more }).chains;
}

beforeAll(async () => {
  temporal = await openTemporal();
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk));
      done();
    },
  });
  const log = createLogger({ name: 'test', destination });
  api = await startTestApi({ temporal, config, clock: () => now, log });
});
beforeEach(async () => {
  now = new Date();
  restartWith({});
  tenant = await api.tenant();
  await setPrices(api, { at: now.toISOString() });
  await setChain(api, { height: 100, at: now.toISOString() });
});
afterAll(async () => {
  await api.close();
  await temporal.connection.close();
});

describe('an account', () => {
  it('shows its first three addresses to compare, and is one however often it is named', async () => {
    const publicKey = freshKey('bitcoin');
    const { status, body } = await post('/v1/crypto_accounts', { family: 'bitcoin', publicKey });
    expect(status).toBe(201);
    expect(body).toMatchObject({ family: 'bitcoin', network: 'mainnet', maxIndex: null, warning: null });
    expect(body.firstAddresses).toHaveLength(3);
    expect(body.firstAddresses[0]).toEqual([
      { kind: 'p2wpkh', address: expect.stringMatching(/^bc1q/) },
      { kind: 'p2sh_p2wpkh', address: expect.stringMatching(/^3/) },
    ]);
    expect(await post('/v1/crypto_accounts', { family: 'bitcoin', publicKey })).toMatchObject({
      status: 200,
      body: { id: body.id },
    });
    expect((await get('/v1/crypto_accounts')).data).toHaveLength(1);
    expect((await get(`/v1/audit_log?entityId=${body.id}`)).data).toMatchObject([
      { action: 'crypto_account.added' },
    ]);
  });

  it('of another key takes its place only once it is retired, and comes back where it was', async () => {
    const publicKey = freshKey('bitcoin');
    const { id } = (await post('/v1/crypto_accounts', { family: 'bitcoin', publicKey })).body;
    const other = { family: 'bitcoin', publicKey: freshKey('bitcoin') };
    expect(await post('/v1/crypto_accounts', other)).toMatchObject({
      status: 409,
      body: { reason: 'crypto_account_current' },
    });
    await offer();
    expect((await post(`/v1/crypto_accounts/${id}/retire`, {})).body.retiredAt).not.toBeNull();
    const second = await post('/v1/crypto_accounts', other);
    expect(second).toMatchObject({ status: 201 });
    await post(`/v1/crypto_accounts/${second.body.id}/retire`, {});
    expect(await post('/v1/crypto_accounts', { family: 'bitcoin', publicKey })).toMatchObject({
      status: 201,
      body: { id, maxIndex: 0, retiredAt: null },
    });
  });

  it('of a key that somebody else has is refused: one of the two would be paid for the other', async () => {
    const publicKey = freshKey('evm');
    await post('/v1/crypto_accounts', { family: 'evm', publicKey });
    tenant = await api.tenant();
    expect(await post('/v1/crypto_accounts', { family: 'evm', publicKey })).toMatchObject({
      status: 409,
      body: { reason: 'crypto_key_taken' },
    });
  });

  it('is never a secret, which is not repeated', async () => {
    const secret = HDKey.fromMasterSeed(new Uint8Array(32).fill(7)).derive("m/84'/0'/0'").privateExtendedKey;
    const words =
      'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about';
    for (const publicKey of [secret, words]) {
      const answer = await post('/v1/crypto_accounts', { family: 'bitcoin', publicKey });
      expect(answer).toMatchObject({
        status: 422,
        body: { code: 'public_key_unusable', reason: 'private_key' },
      });
      expect(JSON.stringify(answer.body)).not.toContain(publicKey.slice(0, 12));
    }
    expect((await get('/v1/crypto_accounts')).data).toEqual([]);
  });

  it('warns whoever keeps the wallet after twenty addresses in a row that nothing was paid to', async () => {
    const body = { family: 'bitcoin', publicKey: freshKey('bitcoin') };
    await post('/v1/crypto_accounts', body);
    const take = () =>
      withTenant(api.db, tenant.tenantId, (tx) =>
        takeAddress(tx, { tenantId: tenant.tenantId, family: 'bitcoin' }),
      );
    for (let i = 0; i < 19; i += 1) await take();
    expect((await get('/v1/crypto_accounts')).data[0]).toMatchObject({ unpaidRun: 19, gapLimit: null });
    await take();
    expect((await get('/v1/crypto_accounts')).data[0]).toMatchObject({
      maxIndex: 19,
      unpaidRun: 20,
      gapLimit: 21,
      warning: expect.stringContaining('set the gap limit of your wallet to 21'),
    });
  });

  it('hands out no index twice, to two hundred at once', async () => {
    await account('bitcoin');
    const taken = await Promise.all(
      Array.from({ length: 200 }, () =>
        withTenant(api.db, tenant.tenantId, (tx) =>
          takeAddress(tx, { tenantId: tenant.tenantId, family: 'bitcoin' }),
        ),
      ),
    );
    const indexes = taken.map((each) => each?.index ?? -1).sort((a, b) => a - b);
    expect(indexes).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });
});

describe('an offer', () => {
  it('has an address of its own, coins at a rate, and a page', async () => {
    await account('bitcoin');
    const invoiceId = await invoice();
    const { status, body } = await offerOf(invoiceId);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      invoiceId,
      status: 'awaiting',
      asset: 'BTC',
      chain: 'bitcoin',
      due: '0.00048334',
      enough: '0.00047368',
      dueMinor: 2900,
      currency: 'USD',
      rate: { rate: '60000', sources: [{ source: 'coinbase' }, { source: 'kraken' }] },
      expiresAt: new Date(now.getTime() + 15 * 60_000).toISOString(),
      credited: '0',
      payments: [],
    });
    expect(body.otherAddresses).toHaveLength(1);
    expect(body.paymentLink).toContain(`bitcoin:${body.address}?amount=0.00048334`);
    expect(body.checkoutUrl).toMatch(/[/]checkout[/][\w-]{32}$/);
    expect(await get(`/v1/crypto_invoices/${body.id}`)).toEqual(body);
    expect((await get(`/v1/crypto_invoices?invoiceId=${invoiceId}`)).data).toEqual([body]);
  });

  it('is the same, asked for again; another asset takes its place, and its address is never used again', async () => {
    await account('bitcoin');
    await account('evm');
    await setChain(api, { chain: 'ethereum', height: 100, at: now.toISOString() });
    const invoiceId = await invoice();
    const answers = await Promise.all(Array.from({ length: 5 }, () => offerOf(invoiceId)));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const inEther = await offerOf(invoiceId, { asset: 'ETH' });
    expect(inEther).toMatchObject({ status: 201, body: { chain: 'ethereum', status: 'awaiting' } });
    const again = await offerOf(invoiceId);
    expect(again.body.address).not.toBe(answers[0]?.body.address);
    expect(await get(`/v1/crypto_invoices/${answers[0]?.body.id}`)).toMatchObject({ status: 'cancelled' });
  });

  it('is paid once the chain says so, and says how', async () => {
    await account('bitcoin');
    const invoiceId = await invoice();
    const { id } = (await offerOf(invoiceId)).body;
    const row = await rowOf(id);
    await pay(api, row, { units: row.dueUnits, at: now.toISOString(), height: 101 });
    expect(await get(`/v1/crypto_invoices/${id}`)).toMatchObject({
      status: 'processing',
      credited: '0.00048334',
      payments: [{ amount: '0.00048334', status: 'mined', height: 101 }],
    });
    await readTo(api, row, { height: 103, at: now.toISOString() });
    await carryOut(api, row, now.toISOString());
    expect(await get(`/v1/crypto_invoices/${id}`)).toMatchObject({ status: 'settled', flags: [] });
    expect(await get(`/v1/invoices/${invoiceId}`)).toMatchObject({ status: 'paid' });
    const { data } = await get(`/v1/crypto_invoices/${id}/events`);
    expect(data.map(({ kind }: Json) => kind).slice(-2)).toEqual(['processing', 'settled']);
    expect(data.every(({ carriedOutAt }: Json) => carriedOutAt !== null)).toBe(true);
  });

  it('is made and judged by the settings of its own time; a change is for the next one', async () => {
    restartWith({
      CRYPTO_QUOTE_MINUTES: '30',
      CRYPTO_TOLERANCE_BPS: '1000',
      CRYPTO_BITCOIN_DEPTH: '1',
    });
    await account('bitcoin');
    const { body } = await offer();
    expect(body).toMatchObject({
      due: '0.00048334',
      enough: '0.00043501',
      expiresAt: new Date(now.getTime() + 30 * 60_000).toISOString(),
    });
    const row = await rowOf(body.id);
    expect(row.policy).toEqual(cryptoPolicyOn('mainnet', config.chains.settings));

    restartWith({ CRYPTO_BITCOIN_DEPTH: '4', CRYPTO_TOLERANCE_BPS: '0' });
    const later = (await offer()).body;
    expect(later).toMatchObject({ due: '0.00048334', enough: '0.00048334' });
    await pay(api, row, { units: row.minDueUnits, at: now.toISOString(), height: 101 });
    const laterRow = await rowOf(later.id);
    await pay(api, laterRow, { units: laterRow.dueUnits, at: now.toISOString(), height: 101, n: 2 });
    for (const each of [row, laterRow]) await readTo(api, each, { height: 103, at: now.toISOString() });
    expect(await get(`/v1/crypto_invoices/${row.id}`)).toMatchObject({ status: 'settled' });
    expect(await get(`/v1/crypto_invoices/${later.id}`)).toMatchObject({ status: 'processing' });
    await readTo(api, laterRow, { height: 104, at: now.toISOString() });
    expect(await get(`/v1/crypto_invoices/${later.id}`)).toMatchObject({ status: 'settled' });
  });

  it('is refused at a rate that is too old, of too few sources or too far apart for the settings', async () => {
    await account('bitcoin');
    restartWith({ CRYPTO_RATE_SOURCES: '3' });
    expect(await offerOf(await invoice())).toMatchObject({ status: 503, body: { code: 'rates_too_few' } });
    restartWith({ CRYPTO_RATE_MAX_AGE_SECONDS: '60' });
    now = new Date(now.getTime() + 61_000);
    expect(await offerOf(await invoice())).toMatchObject({ status: 503, body: { code: 'rates_stale' } });
  });

  it.each([
    ['a chain that nobody watches', { asset: 'USDC', chain: 'polygon' }, 409, 'chain_not_watched'],
    ['a chain that does not know the asset', { asset: 'BTC', chain: 'base' }, 422, 'asset_not_on_chain'],
  ])('on %s is refused', async (_, body, status, code) => {
    await account('evm');
    expect(await offerOf(await invoice(), body)).toMatchObject({ status, body: { code } });
  });

  it('in USDC on a local chain whose contract nobody has named is refused, and says which setting names it', async () => {
    await setChain(api, { chain: 'ethereum', network: 'local', height: 100, at: now.toISOString() });
    restartWith({ CRYPTO_NETWORK: 'local' });
    await post('/v1/crypto_accounts', { family: 'evm', publicKey: freshKey('evm', 'local') });
    const wish = { asset: 'USDC', chain: 'ethereum' };
    expect(await offerOf(await invoice(), wish)).toMatchObject({
      status: 422,
      body: { code: 'asset_not_on_chain', detail: expect.stringContaining('ETHEREUM_USDC') },
    });
    restartWith({ CRYPTO_NETWORK: 'local', ETHEREUM_USDC: `0x${'a'.repeat(40)}` });
    expect(await offerOf(await invoice(), wish)).toMatchObject({ status: 201 });
  });

  it('without a key to derive an address from is refused', async () => {
    expect(await offerOf(await invoice())).toMatchObject({
      status: 409,
      body: { reason: 'crypto_account_missing' },
    });
  });

  it('on a chain that is paused is 503, with when to come back and what else there is', async () => {
    await account('bitcoin');
    await setChain(api, { height: 100, at: now.toISOString(), isPaused: true });
    const { status, headers, body } = await offerOf(await invoice());
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('600');
    expect(body).toMatchObject({ code: 'chain_paused', detail: expect.stringContaining('a card') });
  });

  it('on a chain that was not read lately is 503', async () => {
    await account('bitcoin');
    now = new Date(now.getTime() + 6 * 60_000);
    await setPrices(api, { at: now.toISOString() });
    expect(await offerOf(await invoice())).toMatchObject({ status: 503, body: { code: 'chain_behind' } });
  });

  it('is never made at a rate that is old, or on which the sources disagree', async () => {
    await account('bitcoin');
    const invoiceId = await invoice();
    now = new Date(now.getTime() + 301_000);
    await setChain(api, { height: 100, at: now.toISOString() });
    expect(await offerOf(invoiceId)).toMatchObject({ status: 503, body: { code: 'rates_stale' } });
    await setPrices(api, { at: now.toISOString() });
    await api.sql("UPDATE crypto_prices SET rate = '61801' WHERE source = 'kraken' AND asset = 'BTC'");
    expect(await offerOf(invoiceId)).toMatchObject({ status: 503, body: { code: 'rates_apart' } });
  });

  it('of an invoice that is paid is refused', async () => {
    await account('bitcoin');
    const invoiceId = await invoice();
    await post(`/v1/invoices/${invoiceId}/payments`, {
      amountMinor: 2900,
      currency: 'USD',
      method: 'wire',
      reason: 'on the statement',
      reference: randomUUID(),
    });
    expect(await offerOf(invoiceId)).toMatchObject({ status: 409, body: { reason: 'invoice_not_open' } });
  });
});

describe('two hundred offers at once', () => {
  it('have addresses that no other one has, in the order of the key and without a gap; what is refused takes none', async () => {
    const publicKey = freshKey('bitcoin');
    expect((await post('/v1/crypto_accounts', { family: 'bitcoin', publicKey })).status).toBe(201);
    const invoiceIds: string[] = [];
    while (invoiceIds.length < 200) {
      invoiceIds.push(...(await Promise.all(Array.from({ length: 20 }, () => invoice()))));
    }
    const refused = { asset: 'USDC', chain: 'polygon' };
    const [made, again, failed] = await Promise.all([
      Promise.all(invoiceIds.map((id) => offerInTheEnd(id))),
      Promise.all(invoiceIds.slice(0, 20).map((id) => offerInTheEnd(id))),
      Promise.all(invoiceIds.slice(0, 20).map((id) => offerInTheEnd(id, refused))),
    ]);
    expect(made.filter(({ status }) => status !== 201)).toEqual([]);
    expect(again.map(({ body }) => body.id)).toEqual(made.slice(0, 20).map(({ body }) => body.id));
    expect(new Set(failed.map(({ body }) => body.code))).toEqual(new Set(['chain_not_watched']));

    const read = readAccountKey(publicKey, { family: 'bitcoin', network: 'mainnet' });
    if (!read.ok) throw new Error(read.message);
    const { account: key } = read;
    const byIndex = await api.sql(
      'SELECT address_index, address FROM crypto_invoices WHERE tenant_id = $1 ORDER BY address_index',
      [tenant.tenantId],
    );
    expect(byIndex).toEqual(
      Array.from({ length: 200 }, (_, index) => ({
        address_index: index,
        address: receiveAddresses(key, index)[0].address,
      })),
    );
    const all = made.flatMap(({ body }) => [body.address, ...body.otherAddresses]);
    expect([all.length, new Set(all).size]).toEqual([400, 400]);
    expect((await get('/v1/crypto_accounts')).data).toMatchObject([{ maxIndex: 199, gapLimit: 201 }]);
  }, 180_000);
});

describe('an invoice in another currency than US dollars', () => {
  const prices: readonly [source: string, asset: string, currency: string, rate: string][] = [
    ['coinbase', 'BTC', 'EUR', '52000'],
    ['kraken', 'BTC', 'EUR', '52001.5'],
    ['coinbase', 'BTC', 'GBP', '45000.25'],
    ['kraken', 'BTC', 'GBP', '45000.25'],
    ['coinbase', 'ETH', 'EUR', '2600'],
    ['kraken', 'ETH', 'EUR', '2600'],
    ['coinbase', 'ETH', 'GBP', '2250.5'],
    ['kraken', 'ETH', 'GBP', '2250.5'],
    ['coinbase', 'USDC', 'EUR', '0.92'],
    ['kraken', 'USDC', 'EUR', '0.921'],
    ['coinbase', 'USDC', 'GBP', '0.79'],
    ['kraken', 'USDC', 'GBP', '0.79'],
  ];
  beforeEach(async () => {
    await account('bitcoin');
    await account('evm');
    await setChain(api, { chain: 'ethereum', height: 100, at: now.toISOString() });
    for (const [source, asset, currency, rate] of prices) {
      await api.sql(
        `INSERT INTO crypto_prices (source, asset, currency, rate, side, at, fetched_at)
         VALUES ($1, $2, $3, $4, 'spot', $5, $5)`,
        [source, asset, currency, rate, now.toISOString()],
      );
    }
  });

  it.each([
    ['EUR', 'BTC', '52000.75', '0.00055769', '0.00054654', 3346],
    ['GBP', 'BTC', '45000.25', '0.00064445', '0.00063157', 3867],
    ['EUR', 'ETH', '2600', '0.011153846153846154', '0.010930769230769231', 3346],
    ['GBP', 'ETH', '2250.5', '0.012886025327704955', '0.012628304821150856', 3866],
    ['EUR', 'USDC', '0.9205', '31.504618', '30.874526', 3150],
    ['GBP', 'USDC', '0.79', '36.708861', '35.974684', 3671],
  ])(
    'of %s 29.00 comes to exactly so much %s at %s',
    async (currency, asset, rate, due, enough, usdMinor) => {
      const { status, body } = await offerOf(await invoice({ currency }), { asset });
      expect(status).toBe(201);
      expect(body).toMatchObject({ asset, due, enough, dueMinor: 2900, currency, rate: { rate } });
      expect((await rowOf(body.id)).usdMinor).toBe(usdMinor);
    },
  );

  it.each(['EUR', 'GBP'])(
    'in %s is paid in it, to the cent, and what is too much is its credit',
    async (currency) => {
      const invoiceId = await invoice({ currency });
      const row = await rowOf((await offerOf(invoiceId)).body.id);
      await pay(api, row, { units: row.dueUnits * 2n, at: now.toISOString(), height: 101 });
      await readTo(api, row, { height: 103, at: now.toISOString() });
      await carryOut(api, row, now.toISOString());
      expect(await get(`/v1/crypto_invoices/${row.id}`)).toMatchObject({
        status: 'settled',
        flags: ['over'],
      });
      expect(await get(`/v1/invoices/${invoiceId}`)).toMatchObject({
        status: 'paid',
        paidMinor: 2900,
        currency,
      });
      expect((await get(`/v1/payments?invoiceId=${invoiceId}`)).data).toMatchObject([
        { rail: 'crypto', amountMinor: 5800, currency },
      ]);
    },
  );

  it('is too small by its worth in US dollars, below one of them', async () => {
    expect(await offerOf(await invoice({ currency: 'EUR', priceMinor: 86 }))).toMatchObject({
      status: 422,
      body: { code: 'amount_too_small' },
    });
    expect(await offerOf(await invoice({ currency: 'EUR', priceMinor: 87 }))).toMatchObject({
      status: 201,
      body: { due: '0.00001674' },
    });
  });

  it.each([
    ['its currency', "DELETE FROM crypto_prices WHERE currency = 'EUR'", 'rates_too_few', 'BTC costs in EUR'],
    ['US dollars', "DELETE FROM crypto_prices WHERE currency = 'USD'", 'rates_too_few', 'BTC costs in USD'],
    [
      'its currency on which the sources agree',
      "UPDATE crypto_prices SET rate = '60000' WHERE source = 'kraken' AND currency = 'EUR'",
      'rates_apart',
      'BTC in EUR',
    ],
  ])('is not offered without a rate in %s', async (_, statement, code, says) => {
    await api.sql(statement);
    expect(await offerOf(await invoice({ currency: 'EUR' }))).toMatchObject({
      status: 503,
      body: { code, detail: expect.stringContaining(says) },
    });
  });
});

describe('an outage that is foreseen', () => {
  it('is no error of ours: nothing but its request is logged, as information', async () => {
    await account('bitcoin');
    const invoiceId = await invoice();
    await setChain(api, { height: 100, at: now.toISOString(), isPaused: true });
    logged.length = 0;
    expect(await offerOf(invoiceId)).toMatchObject({ status: 503, body: { code: 'chain_paused' } });
    await setChain(api, { height: 100, at: now.toISOString() });
    await api.sql('DELETE FROM crypto_prices');
    expect(await offerOf(invoiceId)).toMatchObject({ status: 503, body: { code: 'rates_too_few' } });
    const lines = () => logged.map((line) => JSON.parse(line) as Json);
    // A request is logged once its answer is out.
    await vi.waitFor(() =>
      expect(lines().map(({ level, res }) => [level, res?.statusCode])).toEqual([
        ['info', 503],
        ['info', 503],
      ]),
    );
  });
});

describe('an operator', () => {
  it('accepts money that came late: it settles, with the audit log naming who and why', async () => {
    const { row, key } = await paidLate();
    expect((await get('/v1/crypto_invoices?flag=review')).data.map(({ id }: Json) => id)).toEqual([row.id]);
    const accepted = await post(`/v1/crypto_invoices/${row.id}/accept`, {
      paymentKeys: [key],
      reason: 'the customer could not know',
    });
    expect(accepted).toMatchObject({ status: 201, body: { kind: 'accept', status: 'approved' } });
    expect(await get(`/v1/crypto_invoices/${row.id}`)).toMatchObject({ status: 'settled' });
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'paid' });
    expect((await get('/v1/crypto_invoices?flag=review')).data).toEqual([]);
    const { data } = await get(`/v1/audit_log?entityId=${row.id}`);
    expect(data[0]).toMatchObject({ action: 'crypto_invoice.accept', reason: 'the customer could not know' });
  });

  it('accepts it although the invoice was offered anew meanwhile: that offer is taken back', async () => {
    const { row, key } = await paidLate();
    const anew = await offerOf(row.invoiceId);
    expect(anew).toMatchObject({ status: 201, body: { status: 'awaiting' } });
    await post(`/v1/crypto_invoices/${row.id}/accept`, { paymentKeys: [key], reason: 'it came after all' });
    expect(await get(`/v1/crypto_invoices/${row.id}`)).toMatchObject({ status: 'settled' });
    expect(await get(`/v1/crypto_invoices/${anew.body.id}`)).toMatchObject({ status: 'cancelled' });
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'paid' });
  });

  it('dismisses it instead, and nothing is booked', async () => {
    const { row, key } = await paidLate();
    await post(`/v1/crypto_invoices/${row.id}/dismiss`, { paymentKeys: [key], reason: 'it goes back' });
    expect(await get(`/v1/crypto_invoices/${row.id}`)).toMatchObject({ status: 'expired' });
    expect((await get('/v1/crypto_invoices?flag=review')).data).toEqual([]);
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'open' });
  });

  it('extends an offer at the rate and by the settings of now, unless the chain is paused', async () => {
    const row = await expired();
    restartWith({ CRYPTO_QUOTE_MINUTES: '30', CRYPTO_TOLERANCE_BPS: '0' });
    await setChain(api, { height: 110, at: now.toISOString(), isPaused: true });
    const reason = { reason: 'the customer asked for more time' };
    expect(await post(`/v1/crypto_invoices/${row.id}/extend`, reason)).toMatchObject({ status: 503 });
    await setChain(api, { height: 110, at: now.toISOString() });
    await setPrices(api, { at: now.toISOString(), rates: { BTC: '30000' } });
    expect(await post(`/v1/crypto_invoices/${row.id}/extend`, reason)).toMatchObject({
      status: 200,
      body: {
        status: 'awaiting',
        address: row.address,
        due: '0.00096667',
        enough: '0.00096667',
        quoteOrdinal: 2,
        expiresAt: new Date(now.getTime() + 15 * 60_000).toISOString(),
      },
    });
    const { data } = await get(`/v1/crypto_invoices/${row.id}/events`);
    expect(data.map(({ kind }: { kind: string }) => kind)).toContain('extended');
  });

  it('cancels what nobody has paid for, and not what is being paid', async () => {
    await account('bitcoin');
    const { id } = (await offerOf(await invoice())).body;
    expect(await post(`/v1/crypto_invoices/${id}/cancel`, { reason: 'a mistake' })).toMatchObject({
      status: 201,
    });
    expect(await get(`/v1/crypto_invoices/${id}`)).toMatchObject({ status: 'cancelled' });
    const row = await rowOf((await offerOf(await invoice())).body.id);
    await pay(api, row, { units: row.dueUnits, at: now.toISOString() });
    expect(await post(`/v1/crypto_invoices/${row.id}/cancel`, { reason: 'a mistake' })).toMatchObject({
      status: 409,
      body: { reason: 'invoice_being_paid' },
    });
  });

  it('marks it settled by a transaction that is known here to pay it, and by no other one', async () => {
    const { row, key } = await paidLate();
    const mark = (txid: string) =>
      post(`/v1/crypto_invoices/${row.id}/mark_settled`, { txid, reason: 'seen by the eye' });
    expect(await mark('0'.repeat(64))).toMatchObject({
      status: 409,
      body: { reason: 'transaction_does_not_pay' },
    });
    const { payments } = await get(`/v1/crypto_invoices/${row.id}`);
    expect(payments).toMatchObject([{ key }]);
    expect(await mark(payments[0].txid)).toMatchObject({ status: 201 });
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'paid' });
  });

  it('vouches for another transaction only with a second person, who is not the first', async () => {
    const row = await expired();
    const asked = await post(`/v1/crypto_invoices/${row.id}/mark_settled`, {
      txid: '0'.repeat(64),
      force: true,
      reason: 'paid to the exchange account',
    });
    expect(asked).toMatchObject({ status: 202, body: { status: 'requested' } });
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'open' });
    expect((await get('/v1/crypto_acts?status=requested')).data).toMatchObject([{ id: asked.body.id }]);
    const path = `/v1/crypto_acts/${asked.body.id}`;
    expect(await post(`${path}/approve`, {})).toMatchObject({
      status: 409,
      body: { reason: 'second_person_required' },
    });
    const { token } = await api.key(tenant.tenantId, ['billing:write']);
    const approved = await api.request('POST', `${path}/approve`, { token, body: {} });
    expect(approved).toMatchObject({ status: 200, body: { status: 'approved' } });
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'paid' });
    expect(await api.request('POST', `${path}/reject`, { token, body: {} })).toMatchObject({
      status: 409,
      body: { reason: 'act_decided' },
    });
  });

  it('asks for the second person from the value that is set on', async () => {
    const { row, key } = await paidLate();
    restartWith({ CRYPTO_APPROVAL_USD: '29' });
    const path = `/v1/crypto_invoices/${row.id}/accept`;
    const asked = await post(path, { paymentKeys: [key], reason: 'fine' });
    expect(asked).toMatchObject({ status: 202, body: { status: 'requested' } });
    await post(`/v1/crypto_acts/${asked.body.id}/reject`, {});
    restartWith({ CRYPTO_APPROVAL_USD: '30' });
    expect(await post(path, { paymentKeys: [key], reason: 'fine' })).toMatchObject({ status: 201 });
  });

  it.each([
    ['needs a second person where all of it reaches the value that is set', '58', 202, 'requested'],
    ['needs none a dollar below', '59', 201, 'approved'],
  ])('accepts one payment after the other, and %s', async (_, limit, status, decision) => {
    const row = await expired();
    const keys: string[] = [];
    for (const n of [1, 2]) {
      keys.push(await pay(api, row, { units: row.dueUnits, at: now.toISOString(), height: 106, n }));
    }
    await readTo(api, row, { height: 110, at: now.toISOString() });
    restartWith({ CRYPTO_APPROVAL_USD: limit });
    const accept = (key: string | undefined) =>
      post(`/v1/crypto_invoices/${row.id}/accept`, { paymentKeys: [key], reason: 'fine' });
    expect(await accept(keys[0])).toMatchObject({ status: 201, body: { status: 'approved' } });
    const one = { credited: '0.00048334', excess: '0' };
    expect(await get(`/v1/crypto_invoices/${row.id}`)).toMatchObject({ status: 'settled', ...one });

    const second = await accept(keys[1]);
    expect(second).toMatchObject({ status, body: { status: decision } });
    const both = { credited: '0.00096668', excess: '0.00048334' };
    expect(await get(`/v1/crypto_invoices/${row.id}`)).toMatchObject(status === 201 ? both : one);
    // The same once more adds nothing to what is weighed.
    if (status === 201) {
      expect(await accept(keys[0])).toMatchObject({ status: 201 });
    } else {
      const { token } = await api.key(tenant.tenantId, ['billing:write']);
      await api.request('POST', `/v1/crypto_acts/${second.body.id}/approve`, { token, body: {} });
    }
    expect(await get(`/v1/crypto_invoices/${row.id}`)).toMatchObject({ status: 'settled', ...both });
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'paid', paidMinor: 2900 });
  });

  it('accepts no other coin of which nobody knows what it was worth, at no rate, until somebody does', async () => {
    await account('evm');
    await setChain(api, { chain: 'ethereum', height: 100, at: now.toISOString() });
    const row = await rowOf((await offerOf(await invoice(), { asset: 'ETH' })).body.id);
    const at = now.toISOString();
    const key = await pay(api, row, { units: 29_000_000n, asset: 'USDC', at, height: 101 });
    await readTo(api, row, { height: 120, at });
    const accept = (rate: string) =>
      post(`/v1/crypto_invoices/${row.id}/accept`, { paymentKeys: [key], rate, reason: 'fine' });
    const before = await api.rowCounts();
    for (const rate of ['locked', 'received']) {
      expect(await accept(rate)).toMatchObject({
        status: 409,
        body: {
          code: 'state_conflict',
          reason: 'rate_unknown',
          detail: `Nobody knows what payment ${key} was worth when it came, so it would count for nothing: give it back by a payout, or mark the invoice as settled by its transaction (mark_settled with force).`,
        },
      });
    }
    expect(await api.rowCounts()).toEqual(before);
    expect(await get(`/v1/crypto_invoices/${row.id}`)).toMatchObject({
      status: 'awaiting',
      flags: ['wrong_asset', 'review'],
    });

    await api.sql("UPDATE crypto_payments SET usd_rate = '1' WHERE key = $1", [key]);
    expect(await accept('locked')).toMatchObject({ status: 201 });
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'paid', paidMinor: 2900 });
  });

  it('accepts what came late at the rate of the quote where that of its time is not known', async () => {
    const { row, key } = await paidLate();
    const accept = (rate: string) =>
      post(`/v1/crypto_invoices/${row.id}/accept`, { paymentKeys: [key], rate, reason: 'fine' });
    expect(await accept('received')).toMatchObject({
      status: 409,
      body: {
        reason: 'rate_unknown',
        detail: `Nobody knows what payment ${key} was worth when it came: accept it at the rate of the quote (rate locked).`,
      },
    });
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'open', paidMinor: 0 });
    expect(await accept('locked')).toMatchObject({ status: 201 });
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'paid' });
  });

  it('approves nothing of which nobody knows any more what it is worth', async () => {
    const { row, key } = await paidLate();
    await api.sql("UPDATE crypto_payments SET usd_rate = '60000' WHERE key = $1", [key]);
    restartWith({ CRYPTO_APPROVAL_USD: '29' });
    const wish = { paymentKeys: [key], rate: 'received', reason: 'fine' };
    const asked = await post(`/v1/crypto_invoices/${row.id}/accept`, wish);
    expect(asked).toMatchObject({ status: 202 });
    await api.sql('UPDATE crypto_payments SET usd_rate = NULL WHERE key = $1', [key]);
    const { token } = await api.key(tenant.tenantId, ['billing:write']);
    const approve = () =>
      api.request('POST', `/v1/crypto_acts/${asked.body.id}/approve`, { token, body: {} });
    expect(await approve()).toMatchObject({ status: 409, body: { reason: 'rate_unknown' } });
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'open', paidMinor: 0 });
    expect((await get('/v1/crypto_acts?status=requested')).data).toMatchObject([{ id: asked.body.id }]);
  });

  it('marks what was paid as invalid: the books take it back', async () => {
    const { row, key } = await paidLate();
    await post(`/v1/crypto_invoices/${row.id}/accept`, { paymentKeys: [key], reason: 'fine' });
    expect(
      await post(`/v1/crypto_invoices/${row.id}/mark_invalid`, { reason: 'stolen coins' }),
    ).toMatchObject({
      status: 201,
    });
    expect(await get(`/v1/invoices/${row.invoiceId}`)).toMatchObject({ status: 'open', paidMinor: 0 });
  });

  it('decides nothing about payments of others', async () => {
    const { row } = await paidLate();
    expect(
      await post(`/v1/crypto_invoices/${row.id}/accept`, { paymentKeys: ['nobody:0'], reason: 'fine' }),
    ).toMatchObject({ status: 409, body: { reason: 'payment_unknown' } });
  });
});

describe('bad input', () => {
  const key = freshKey('bitcoin');
  it.each([
    ['no key', '/v1/crypto_accounts', { family: 'bitcoin' }, 400, 'invalid_request'],
    [
      'family and chain',
      '/v1/crypto_accounts',
      { family: 'bitcoin', chain: 'bitcoin', publicKey: key },
      400,
      'invalid_request',
    ],
    [
      'an unknown family',
      '/v1/crypto_accounts',
      { family: 'litecoin', publicKey: key },
      400,
      'invalid_request',
    ],
    [
      'a mistyped key',
      '/v1/crypto_accounts',
      { family: 'bitcoin', publicKey: `${key.slice(0, -1)}${key.endsWith('x') ? 'y' : 'x'}` },
      422,
      'public_key_unusable',
    ],
    [
      'an address',
      '/v1/crypto_accounts',
      { family: 'bitcoin', publicKey: 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu' },
      422,
      'public_key_unusable',
    ],
    [
      'a key of Bitcoin for Ethereum',
      '/v1/crypto_accounts',
      { family: 'evm', publicKey: zpub },
      422,
      'public_key_unusable',
    ],
    [
      'a key of a test network',
      '/v1/crypto_accounts',
      { family: 'bitcoin', publicKey: freshKey('bitcoin', 'testnet') },
      422,
      'public_key_unusable',
    ],
    ['an unknown asset', '/v1/invoices/{invoice}/crypto_invoices', { asset: 'DOGE' }, 400, 'invalid_request'],
    [
      'an unknown chain',
      '/v1/invoices/{invoice}/crypto_invoices',
      { asset: 'BTC', chain: 'lightning' },
      400,
      'invalid_request',
    ],
    [
      'an invoice that is not there',
      '/v1/invoices/inv_00000000000000000000000000000000/crypto_invoices',
      { asset: 'BTC' },
      404,
      'not_found',
    ],
    [
      'no payments',
      '/v1/crypto_invoices/{coins}/accept',
      { paymentKeys: [], reason: 'fine' },
      400,
      'invalid_request',
    ],
    ['no reason', '/v1/crypto_invoices/{coins}/cancel', {}, 400, 'invalid_request'],
    [
      'no transaction',
      '/v1/crypto_invoices/{coins}/mark_settled',
      { txid: 'paid', reason: 'fine' },
      400,
      'invalid_request',
    ],
    [
      'an act that is not there',
      '/v1/crypto_acts/cact_00000000000000000000000000000000/approve',
      {},
      404,
      'not_found',
    ],
  ])('%s is refused, and nothing is written', async (_, path, body, status, code) => {
    const coins = await offered();
    const at = path.replace('{invoice}', coins.invoiceId).replace('{coins}', coins.id);
    const before = await api.rowCounts();
    const answer = await post(at, body);
    expect(answer).toMatchObject({ status, body: { code } });
    expect(await api.rowCounts()).toEqual(before);
  });

  it('of an amount below a dollar is told so', async () => {
    await account('bitcoin');
    const invoiceId = await invoice();
    const cash = {
      amountMinor: 2850,
      currency: 'USD',
      method: 'cash',
      reason: 'on the statement',
      reference: randomUUID(),
    };
    await post(`/v1/invoices/${invoiceId}/payments`, cash);
    expect(await offerOf(invoiceId)).toMatchObject({ status: 422, body: { code: 'amount_too_small' } });
  });
});

async function offered(): Promise<Json> {
  await account('bitcoin');
  return (await offer()).body;
}

async function account(family: 'bitcoin' | 'evm'): Promise<void> {
  const { status } = await post('/v1/crypto_accounts', { family, publicKey: freshKey(family) });
  expect(status).toBe(201);
}

/** An open one, of a customer of its own. */
async function invoice({ currency = 'USD', priceMinor = 2900 } = {}): Promise<string> {
  const email = `${randomUUID()}@example.com`;
  const customerId = (await post('/v1/customers', { email, name: 'Ada', currency })).body.id;
  const planCode = currency === 'USD' ? 'pro-monthly' : randomUUID();
  if (currency !== 'USD') {
    const sold = { code: planCode, name: 'Pro', family: planCode, priceMinor, currency };
    await post('/v1/plans', { ...sold, interval: { unit: 'month' } });
  }
  const { id } = (await post('/v1/subscriptions', { customerId, planCode })).body;
  const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
  return withTenant(api.db, tenant.tenantId, async (tx) => {
    const context = await lockSubscription(tx, id);
    return (await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at: now })).id;
  });
}

function offerOf(invoiceId: string, body: object = { asset: 'BTC' }): Promise<TestAnswer> {
  return post(`/v1/invoices/${invoiceId}/crypto_invoices`, body);
}

/** As callers do: whoever waited too long for a connection to the database is told to send the request again. */
async function offerInTheEnd(invoiceId: string, body: object = { asset: 'BTC' }): Promise<TestAnswer> {
  const key = randomUUID();
  const path = `/v1/invoices/${invoiceId}/crypto_invoices`;
  for (;;) {
    const answer = await api.request('POST', path, { token: tenant.token, body, key });
    if (answer.body.code !== 'database_unavailable') return answer;
  }
}

async function offer(): Promise<TestAnswer> {
  const answer = await offerOf(await invoice());
  expect(answer.status).toBe(201);
  return answer;
}

/** An offer whose time is over, and the chain read beyond it. */
async function expired() {
  await account('bitcoin');
  const row = await rowOf((await offer()).body.id);
  now = new Date(now.getTime() + 60 * 60_000);
  await setPrices(api, { at: now.toISOString() });
  await readTo(api, row, { height: 105, at: now.toISOString() });
  expect(await get(`/v1/crypto_invoices/${row.id}`)).toMatchObject({ status: 'expired' });
  return row;
}

/** And paid afterwards, deep enough. */
async function paidLate() {
  const row = await expired();
  const key = await pay(api, row, { units: row.dueUnits, at: now.toISOString(), height: 106 });
  await readTo(api, row, { height: 110, at: now.toISOString() });
  await carryOut(api, row, now.toISOString());
  expect(await get(`/v1/crypto_invoices/${row.id}`)).toMatchObject({
    status: 'expired',
    flags: ['late', 'review'],
  });
  return { row, key };
}

function rowOf(id: string) {
  return withTenant(api.db, tenant.tenantId, (tx) => readCryptoInvoice(tx, id));
}

function post(path: string, body: unknown): Promise<TestAnswer> {
  return api.request('POST', path, { token: tenant.token, body });
}

async function get(path: string): Promise<Json> {
  const { status, body } = await api.request('GET', path, { token: tenant.token });
  expect(status).toBe(200);
  return body;
}

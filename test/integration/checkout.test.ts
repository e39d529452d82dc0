/** The public page of an invoice in coins: who has its link sees it, live; nobody else learns anything. */
import { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../config/logger.ts';
import type { CryptoInvoiceRow } from '../../db/queries/payments/observe-chain.ts';
import { type EventStream, openEventStream } from '../support/event-stream.ts';
import { setConnections } from '../support/outage.ts';
import { type CoinScene, createCoinScene } from './coin-scene.ts';
import { minutesAfter, pay, readTo, setChain, T0 } from './crypto-scene.ts';

let scene: CoinScene;
let coins: CryptoInvoiceRow;
const logged: string[] = [];

beforeAll(async () => {
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk));
      done();
    },
  });
  scene = await createCoinScene({ log: createLogger({ name: 'test', level: 'debug', destination }) });
  coins = await scene.offered();
});
afterAll(() => scene.close());

const get = (path: string) => scene.api.request('GET', path);

describe('the link of an invoice in coins', () => {
  it('opens its page without an account, which nobody keeps, refers to or frames', async () => {
    const { status, body, headers } = await get(`/checkout/${coins.checkoutToken}`);
    expect(status).toBe(200);
    expect(body).toContain(`<code id="address">${coins.address}</code>`);
    expect(body).toContain('<code id="coins">0.015</code> BTC');
    expect(body).toContain('<h1>USD 900.00</h1>');
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('set-cookie')).toBeNull();
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none';script-src 'self';style-src 'self' 'unsafe-inline';img-src 'self' data:;connect-src 'self';frame-ancestors 'none';base-uri 'none';form-action 'none'",
    );
    expect(body).not.toMatch(/ style=| on\w+=|<script>|https?:(?!\/\/www\.w3\.org\/2000\/svg)/);
  });

  it('leads to a style and a script of its own', async () => {
    for (const [name, type] of [
      ['checkout.css', 'text/css; charset=utf-8'],
      ['checkout.js', 'text/javascript; charset=utf-8'],
    ] as const) {
      const { status, headers } = await get(`/checkout/${name}`);
      expect([status, headers.get('content-type')]).toEqual([200, type]);
      expect(headers.get('cache-control')).toBe('public, max-age=300');
    }
  });

  const real = () => coins.checkoutToken;
  it.each<[string, () => string]>([
    ['one that never was', () => 'A'.repeat(32)],
    ['one that is a letter too short', () => real().slice(0, -1)],
    ['one that is a letter too long', () => `${real()}A`],
    [
      'one in other capitals',
      () =>
        real()
          .toUpperCase()
          .replace(/^./, real().startsWith('A') ? 'B' : 'A'),
    ],
    ['the id of the invoice in coins', () => coins.id],
    ['the id of the invoice', () => coins.invoiceId],
    ['the address', () => coins.address],
    ['what is no token', () => '%00%27;--'],
    ['a path above', () => '..%2f..%2fv1'],
  ])('is told from no other by what is answered: %s', async (_title, token) => {
    for (const path of [`/checkout/${token()}`, `/checkout/${token()}/events`]) {
      const { status, body, headers } = await get(path);
      expect([path, status]).toEqual([path, 404]);
      expect(body).toMatchObject({
        code: 'not_found',
        detail: 'There is no such page. Open the link again that you were sent, whole.',
      });
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('content-type')).toContain('application/problem+json');
    }
  });

  it('says nothing of the customer', async () => {
    const page = await get(`/checkout/${coins.checkoutToken}`);
    // Chance may spell a name in the token.
    const body = String(page.body).replaceAll(coins.checkoutToken, '');
    for (const secret of [
      coins.customerId,
      coins.tenantId,
      coins.invoiceId,
      coins.id,
      '@example.com',
      'Ada',
    ]) {
      expect(body).not.toContain(secret);
    }
  });
});

describe('a page that is open', () => {
  let streams: EventStream[] = [];
  const open = async (token = coins.checkoutToken) => {
    const stream = await openEventStream(`${scene.api.url}/checkout/${token}/events`);
    streams.push(stream);
    return stream;
  };
  const state = async (stream: EventStream) => JSON.parse(await stream.data()) as string;
  afterEach(() => {
    for (const stream of streams) stream.close();
    streams = [];
  });

  it('is told its state at once, and each change by itself: a part, all of it, blocks, paid', async () => {
    coins = await scene.offered();
    const page = await open();
    expect(page.headers.get('content-type')).toBe('text/event-stream');
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(await state(page)).toContain('<h2>Waiting for your payment</h2>');

    await pay(scene, coins, { units: 500_000n, at: minutesAfter(3) });
    const part = await state(page);
    expect(part).toContain('<dt>Still missing</dt><dd>0.01 BTC</dd>');
    expect(part).toContain('<code id="coins">0.01</code>');

    await pay(scene, coins, { units: 1_000_000n, at: minutesAfter(4), n: 2 });
    const all = await state(page);
    expect(all).toContain('<h2>Your payment is on its way</h2>');
    expect(all).toContain('<dd>0 of 3</dd>');
    expect(all).not.toContain(coins.address);

    await pay(scene, coins, { units: 500_000n, at: minutesAfter(5), height: 101 });
    await pay(scene, coins, { units: 1_000_000n, at: minutesAfter(5), height: 101, n: 2 });
    await readTo(scene, coins, { height: 102, at: minutesAfter(20) });
    await vi.waitFor(async () => expect(await state(page)).toContain('<dd>2 of 3</dd>'), { timeout: 10_000 });
    await readTo(scene, coins, { height: 103, at: minutesAfter(30) });
    expect(await state(page)).toContain('<h2>Paid</h2>');
  });

  it('shows the address no longer once the time is over, although nothing has happened', async () => {
    coins = await scene.offered();
    const page = await open();
    expect(await state(page)).toContain(coins.address);
    scene.at(minutesAfter(15.001));
    const over = await state(page);
    expect(over).toContain('<h2>The time is over: we are checking</h2>');
    expect(over).not.toContain(coins.address);
    await readTo(scene, coins, { height: 101, at: minutesAfter(16) });
    expect(await state(page)).toContain('<h2>Expired</h2>');
    await pay(scene, coins, { units: 1_500_000n, at: minutesAfter(17) });
    expect(await state(page)).toContain('0.015 BTC – Seen, not confirmed yet.');
    await pay(scene, coins, { units: 1_500_000n, at: minutesAfter(17), height: 102 });
    expect(await state(page)).toContain('0.015 BTC – Confirmed by the network, a few more blocks to go.');
  });

  it('shows what was paid too much once it goes back', async () => {
    coins = await scene.offered();
    await scene.paid(coins, 2_250_000n);
    const page = await open();
    expect(await state(page)).toContain('<dt>Too much</dt><dd>0.0075 BTC</dd>');
    const wish = { address: 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu', reason: 'paid too much' };
    const { id } = await scene.ok('POST', `/v1/crypto_invoices/${coins.id}/payouts`, wish);
    await scene.ok('POST', `/v1/crypto_payouts/${id}/approve`, {});
    await scene.ok('POST', `/v1/crypto_payouts/${id}/broadcast`, { txid: 'e'.repeat(64) });
    expect(await state(page)).toContain('<dt>On its way back to you</dt><dd>0.0075 BTC</dd>');
  });

  it('asks for nothing while the chain is paused, and again afterwards', async () => {
    coins = await scene.offered();
    const page = await open();
    expect(await state(page)).toContain(coins.address);
    await setChain(scene, { height: 100, at: T0, isPaused: true });
    expect(await state(page)).toContain('<h2>Please wait before you pay</h2>');
    await setChain(scene, { height: 100, at: T0 });
    expect(await state(page)).toContain(coins.address);
  });

  it('lives through an outage of the database, and shows afterwards what came meanwhile', async () => {
    coins = await scene.offered();
    const page = await open();
    expect(await state(page)).toContain('Waiting for your payment');
    await setConnections(scene.api, false);
    const warned = () => logged.filter((line) => line.includes('could not be brought up to date')).length;
    const before = warned();
    await vi.waitFor(() => expect(warned()).toBeGreaterThan(before), { timeout: 20_000, interval: 50 });
    expect(await get(`/checkout/${coins.checkoutToken}`)).toMatchObject({
      status: 503,
      body: { code: 'database_unavailable' },
    });
    await setConnections(scene.api, true);
    await pay(scene, coins, { units: 1_500_000n, at: minutesAfter(4) });
    expect(await state(page)).toContain('<h2>Your payment is on its way</h2>');
  });

  it('of one invoice in twenty windows is enough: the next one is 429, and other invoices are served', async () => {
    coins = await scene.offered();
    const other = await scene.offered();
    for (let i = 0; i < 20; i += 1) expect((await open()).status).toBe(200);
    const refused = await get(`/checkout/${coins.checkoutToken}/events`);
    expect(refused).toMatchObject({ status: 429, body: { code: 'too_many_open_pages' } });
    expect((await open(other.checkoutToken)).status).toBe(200);
    expect((await get(`/checkout/${coins.checkoutToken}`)).status).toBe(200);
  });
});

it('No log line of all this holds a token that opens a page', async () => {
  const rows = await scene.api.sql('select checkout_token from crypto_invoices');
  expect(rows.length).toBeGreaterThan(5);
  const all = logged.join('');
  expect(all).toContain('/checkout/[redacted]');
  expect(all).toContain('/checkout/[redacted]/events');
  for (const { checkout_token: token } of rows) expect(all).not.toContain(token);
});

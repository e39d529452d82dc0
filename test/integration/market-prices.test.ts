/**
 * The real clients of Coinbase, Kraken and CoinGecko against markets on this machine, and everything that can go wrong with
 * them: never a wrong price, and one bad source takes nothing from the others.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPriceFeed, type PriceFeed } from '../../activities/payments/crypto-prices.ts';
import { createLogger } from '../../config/logger.ts';
import { money } from '../../domain/money.ts';
import { type CryptoAsset, cryptoAssets } from '../../domain/payments/crypto-asset.ts';
import { cryptoPolicyOn } from '../../domain/payments/crypto-policy.ts';
import { marketRate, quote } from '../../domain/payments/crypto-quote.ts';
import type { CryptoPrice, PriceSource } from '../../domain/payments/price-source.ts';
import { createCoingeckoPrices } from '../../integrations/coingecko/client.ts';
import { createKrakenPrices } from '../../integrations/kraken/client.ts';
import {
  type MarketPricesSandbox,
  startMarketPricesSandbox,
} from '../../integrations/market-prices/sandbox.ts';
import { priceSourcesAt, startTestMarkets } from '../support/market-prices.ts';

const policy = cryptoPolicyOn('mainnet');
const log = createLogger({ name: 'test', level: 'silent' });
const names = ['coinbase', 'kraken', 'coingecko'] as const;
const ops = { coinbase: 'coinbase.spot', kraken: 'kraken.ticker', coingecko: 'coingecko.price' } as const;
const inDollars = { assets: cryptoAssets, currencies: ['USD'] };

let markets: MarketPricesSandbox;
let sources: PriceSource[];

beforeEach(async () => {
  ({ markets, priceSources: sources } = await startTestMarkets());
  set({ BTC: '67000.12', ETH: '2500.5', USDC: '0.9998' });
});
afterEach(() => markets.close());

describe.each(names)('%s', (name) => {
  it('says what each coin costs, to the digit', async () => {
    const found = await sourceOf(name).prices(inDollars);
    expect(brief(found)).toEqual(['BTC USD 67000.12', 'ETH USD 2500.5', 'USDC USD 0.9998']);
    const side = name === 'kraken' ? 'bid' : 'spot';
    for (const price of found) expect(price).toMatchObject({ source: name, side });
  });

  it('is asked in as few questions as it takes', async () => {
    await sourceOf(name).prices({ assets: cryptoAssets, currencies: ['USD', 'EUR'] });
    expect(markets.calls()).toEqual({ [ops[name]]: name === 'coinbase' ? 6 : 1 });
  });

  it('leaves out a pair that it does not have, and keeps the others', async () => {
    markets.setPrice({ source: name, asset: 'ETH', currency: 'USD', rate: null });
    const found = await sourceOf(name).prices(inDollars);
    expect(brief(found)).toEqual(['BTC USD 67000.12', 'USDC USD 0.9998']);
    const none = await sourceOf(name).prices({ assets: cryptoAssets, currencies: ['XTS'] });
    expect(none).toEqual([]);
  });

  it('has no price where it says that one is not a number', async () => {
    markets.setQuirks({ source: name, nan: true });
    expect(await sourceOf(name).prices(inDollars)).toEqual([]);
  });

  it('fails where an error comes as a success', async () => {
    markets.setQuirks({ source: name, errorWith200: true });
    await expect(sourceOf(name).prices(inDollars)).rejects.toMatchObject({
      name: 'VendorError',
      code: name === 'kraken' ? 'rate_limited' : 'vendor_unavailable',
    });
  });

  it.each([
    ['refuse', 'vendor_unavailable'],
    ['error_before', 'vendor_unavailable'],
    ['error_after', 'vendor_unavailable'],
    ['drop_answer', 'vendor_unavailable'],
    ['malformed', 'vendor_unavailable'],
    ['rate_limit', 'rate_limited'],
  ] as const)('that meets %s fails with %s, and answers again after it', async (fault, code) => {
    markets.setFaults({ next: [{ fault }], retryAfterSeconds: 30 });
    await expect(sourceOf(name).prices(inDollars)).rejects.toMatchObject({
      name: 'VendorError',
      code,
      retryAfterMs: fault === 'rate_limit' ? 30_000 : undefined,
    });
    expect(await sourceOf(name).prices(inDollars)).toHaveLength(3);
  });

  it('that does not answer in time fails', async () => {
    markets.setFaults({ next: [{ fault: 'slow' }], delayMs: 60_000 });
    const hasty = priceSourcesAt(markets, { timeoutMs: 100 }).find((source) => source.name === name);
    await expect(hasty?.prices(inDollars)).rejects.toMatchObject({ code: 'vendor_unavailable' });
  });

  it('that nobody serves fails', async () => {
    await markets.close();
    await expect(sourceOf(name).prices(inDollars)).rejects.toMatchObject({ code: 'vendor_unavailable' });
  });
});

describe('Kraken', () => {
  it('asks for each pair alone where one is unknown, and leaves that one alone for an hour', async () => {
    const kraken = sourceOf('kraken');
    const wanted = { assets: ['BTC', 'ETH'], currencies: ['USD', 'INR'] } as const;
    expect(await looksCost(() => kraken.prices(wanted))).toBe(5);
    expect(await looksCost(() => kraken.prices(wanted))).toBe(1);
    markets.clock.advance(3_500);
    expect(await looksCost(() => kraken.prices(wanted))).toBe(1);
    markets.setPrice({ asset: 'BTC', currency: 'INR', rate: '5600000' });
    markets.clock.advance(100);
    expect(brief(await kraken.prices(wanted))).toEqual([
      'BTC USD 67000.12',
      'BTC INR 5600000',
      'ETH USD 2500.5',
    ]);
  });

  it('asked for nothing but unknown pairs does not ask at all', async () => {
    const kraken = createKrakenPrices({ baseUrl: markets.url, clock: markets.clock.now });
    const wanted = { assets: ['BTC'], currencies: ['INR'] } as const;
    expect(await looksCost(() => kraken.prices(wanted))).toBe(1);
    expect(await looksCost(() => kraken.prices(wanted))).toBe(0);
  });
});

it('CoinGecko’s price is as old as CoinGecko says, whatever its answer is', async () => {
  markets.clock.set(new Date('2031-03-03T10:00:00.500Z'));
  markets.setQuirks({ source: 'coingecko', staleSeconds: 600 });
  const [price] = await createCoingeckoPrices({ baseUrl: markets.url, clock: markets.clock.now }).prices(
    inDollars,
  );
  expect(price?.at).toMatch(/^2031-03-03T09:50:0\d[.]000Z$/);
});

describe('a look at all sources', () => {
  it('brings a rate for every coin, and an amount that is one', async () => {
    const { prices, sources: states } = await feed().refresh();
    expect(prices).toHaveLength(9);
    expect(states).toEqual(names.map((source) => stateOf(source, { outcome: 'answered', prices: 3 })));
    expect(rate(prices, 'BTC')).toMatchObject({ rate: '67000.12' });
    expect(rate(prices, 'ETH')).toMatchObject({ rate: '2500.5' });
    expect(rate(prices, 'USDC')).toMatchObject({ rate: '1' });
    // 29 / 67000.12 = 0.000432835…
    const due = quote({ due: money(2900, 'USD'), asset: 'BTC', rate: '67000.12', policy });
    expect(due).toEqual({ due: 43_284n, minDue: 42_419n });
  });

  it('in euro takes the markets of the euro', async () => {
    markets.setPrice({ asset: 'USDC', currency: 'EUR', rate: '0.9213' });
    const { prices } = await feed().refresh({ assets: ['USDC'], currencies: ['EUR'] });
    expect(rate(prices, 'USDC', 'EUR')).toMatchObject({ rate: '0.9213' });
  });

  it.each(names)('without %s goes by the other two', async (name) => {
    markets.setFaults({ next: [{ fault: 'error_before', op: ops[name], times: 3 }] });
    const { prices, sources: states } = await feed().refresh();
    expect(states.map(({ outcome }) => outcome)).toEqual(
      names.map((each) => (each === name ? 'failed' : 'answered')),
    );
    expect(rate(prices, 'BTC')).toMatchObject({ rate: '67000.12' });
  });

  it('on which one source has no number goes by the other two', async () => {
    markets.setQuirks({ source: 'coinbase', nan: true });
    const { prices, sources: states } = await feed().refresh();
    expect(states[0]).toEqual(stateOf('coinbase', { outcome: 'answered', prices: 0 }));
    expect(rate(prices, 'BTC')).toMatchObject({ rate: '67000.12', sources: [{}, {}] });
  });

  it('that only one source answers gives no rate', async () => {
    markets.setQuirks({ source: 'coinbase', nan: true });
    markets.setQuirks({ source: 'kraken', errorWith200: true });
    const { prices } = await feed().refresh();
    expect(rate(prices, 'BTC')).toMatchObject({ reason: 'rates_too_few' });
  });

  it('on which a price is old counts it as none', async () => {
    markets.setQuirks({ source: 'coingecko', staleSeconds: 301 });
    markets.setQuirks({ source: 'kraken', nan: true });
    const { prices } = await feed().refresh();
    expect(rate(prices, 'BTC')).toMatchObject({ reason: 'rates_stale' });
  });

  it('on which a source is 3 % off gives a rate, and by more than that none', async () => {
    markets.setQuirks({ source: 'kraken', shiftBps: 300 });
    expect(rate((await feed().refresh()).prices, 'BTC')).toMatchObject({ rate: '67000.12' });
    markets.setQuirks({ source: 'kraken', shiftBps: 301 });
    expect(rate((await feed().refresh()).prices, 'BTC')).toMatchObject({ reason: 'rates_apart' });
  });

  it('knows when a dollar coin is no dollar', async () => {
    set({ USDC: '0.95' });
    expect(rate((await feed().refresh()).prices, 'USDC')).toMatchObject({ rate: '0.95', peg: 'off' });
  });

  it('may fail altogether for 5 minutes: the last prices serve that long, and then no others', async () => {
    const { prices } = await feed().refresh();
    markets.clock.advance(280);
    expect(rate(prices, 'BTC')).toMatchObject({ rate: '67000.12' });
    markets.clock.advance(21);
    expect(rate(prices, 'BTC')).toMatchObject({ reason: 'rates_stale' });
  });
});

describe('a source that failed', () => {
  it('is left alone, longer each time, and forgiven when it answers', async () => {
    let now = new Date('2031-03-03T10:00:00.000Z');
    const look = createPriceFeed({ sources, log, clock: () => now });
    const waited: number[] = [];
    markets.setFaults({ rates: { error_before: 1 }, ops: [ops.kraken] });
    for (let failures = 1; failures <= 8; failures += 1) {
      const state = await krakenIn(look);
      expect(state).toMatchObject({ outcome: 'failed', failures, error: { code: 'vendor_unavailable' } });
      const retryAt = Date.parse(state?.retryAt ?? '');
      waited.push((retryAt - now.getTime()) / 1000);
      now = new Date(retryAt - 1);
      const asked = markets.calls()[ops.kraken];
      expect(await krakenIn(look)).toMatchObject({ outcome: 'backing_off', failures, prices: 0 });
      expect(markets.calls()[ops.kraken]).toBe(asked);
      now = new Date(retryAt);
    }
    expect(waited).toEqual([5, 10, 20, 40, 80, 160, 300, 300]);

    markets.setFaults({});
    expect(await krakenIn(look)).toEqual(stateOf('kraken', { outcome: 'answered', prices: 3 }));
    markets.setFaults({ next: [{ fault: 'error_before', op: ops.kraken }] });
    expect(await krakenIn(look)).toMatchObject({ outcome: 'failed', failures: 1 });
  });

  it('is not asked before it wants to be', async () => {
    const look = feed();
    markets.setFaults({ next: [{ fault: 'rate_limit', op: ops.coingecko }], retryAfterSeconds: 90 });
    const coingecko = async () => (await look.refresh()).sources[2];
    expect(await coingecko()).toMatchObject({ outcome: 'failed', error: { code: 'rate_limited' } });
    markets.clock.advance(70);
    expect(await coingecko()).toMatchObject({ outcome: 'backing_off', error: { code: 'rate_limited' } });
    markets.clock.advance(20);
    expect(await coingecko()).toMatchObject({ outcome: 'answered', error: null });
  });

  it('holds up nobody else, and is asked once at a time', async () => {
    const look = feed(1_500);
    markets.setFaults({ next: [{ fault: 'slow', op: ops.kraken }], delayMs: 60_000 });
    const looks = await Promise.all([look.refresh(), look.refresh(), look.refresh()]);
    expect(markets.calls()).toEqual({ 'coinbase.spot': 3, 'kraken.ticker': 1, 'coingecko.price': 1 });
    for (const { prices, sources: states } of looks) {
      expect(states.map(({ outcome }) => outcome)).toEqual(['answered', 'failed', 'answered']);
      expect(rate(prices, 'BTC')).toMatchObject({ rate: '67000.12' });
    }
  });

  it('may even throw what is no error of a vendor', async () => {
    const broken: PriceSource = { name: 'broken', prices: () => Promise.reject(new TypeError('broken')) };
    const look = createPriceFeed({ sources: [broken, ...sources], log, clock: markets.clock.now });
    const { prices, sources: states } = await look.refresh();
    expect(states[0]).toMatchObject({
      outcome: 'failed',
      error: { code: 'vendor_unavailable', message: 'broken' },
    });
    expect(prices).toHaveLength(9);
  });
});

describe('the sandbox', () => {
  it('is told over HTTP what coins cost and how a source is wrong', async () => {
    const price = { asset: 'BTC', currency: 'USD', rate: '70000', source: 'kraken' };
    expect(await tell('prices', price)).toEqual([200, price]);
    expect((await tell('quirks', { source: 'coinbase', shiftBps: -100 }))[0]).toBe(200);
    const { prices } = await feed().refresh({ assets: ['BTC'], currencies: ['USD'] });
    expect(brief(prices)).toEqual(['BTC USD 66330.1188', 'BTC USD 70000', 'BTC USD 67000.12']);
  });

  it.each([
    ['prices', { asset: 'BTC', currency: 'USD', rate: 'NaN' }],
    ['prices', { asset: 'DOGE', currency: 'USD', rate: '1' }],
    ['quirks', { source: 'nobody' }],
  ])('refuses nonsense: %s %j', async (route, body) => {
    expect((await tell(route, body))[0]).toBe(400);
  });

  it('left to itself has prices of its own, on which its sources agree', async () => {
    const own = await startMarketPricesSandbox({ port: 0 });
    try {
      const look = createPriceFeed({ sources: priceSourcesAt(own), log, clock: own.clock.now });
      const { prices } = await look.refresh({ assets: cryptoAssets, currencies: ['USD', 'EUR', 'JPY'] });
      expect(prices).toHaveLength(27);
      const now = own.clock.now();
      for (const asset of cryptoAssets) {
        for (const currency of ['USD', 'EUR', 'JPY']) {
          expect(marketRate(prices, { asset, currency, now, policy })).toHaveProperty('rate');
        }
      }
    } finally {
      await own.close();
    }
  });
});

function set(rates: Partial<Record<CryptoAsset, string>>): void {
  for (const asset of cryptoAssets) {
    const given = rates[asset];
    if (given !== undefined) markets.setPrice({ asset, currency: 'USD', rate: given });
  }
}

function sourceOf(name: string): PriceSource {
  const found = sources.find((source) => source.name === name);
  if (!found) throw new Error(`There is no source ${name}`);
  return found;
}

function feed(timeoutMs = 10_000): PriceFeed {
  return createPriceFeed({ sources: priceSourcesAt(markets, { timeoutMs }), log, clock: markets.clock.now });
}

async function krakenIn(look: PriceFeed) {
  return (await look.refresh()).sources.find(({ source }) => source === 'kraken');
}

function rate(prices: readonly CryptoPrice[], asset: CryptoAsset, currency = 'USD') {
  return marketRate(prices, { asset, currency, now: markets.clock.now(), policy });
}

function brief(prices: readonly CryptoPrice[]): string[] {
  return prices.map((price) => `${price.asset} ${price.currency} ${price.rate}`);
}

/** Of a source that is well. */
function stateOf(source: string, over: { outcome: string; prices: number }) {
  return { source, failures: 0, retryAt: null, error: null, ...over };
}

/** How many questions Kraken was asked by it. */
async function looksCost(look: () => Promise<unknown>): Promise<number> {
  const before = markets.calls()[ops.kraken] ?? 0;
  await look();
  return (markets.calls()[ops.kraken] ?? 0) - before;
}

async function tell(route: string, body: object): Promise<[number, unknown]> {
  const response = await fetch(`${markets.url}/_sandbox/${route}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  return [response.status, await response.json()];
}

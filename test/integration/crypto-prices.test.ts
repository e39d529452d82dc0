/** The prices of coins as they are kept: fetched for everybody, the newest of each source, in every currency that is quoted. */
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPriceFeed } from '../../activities/payments/crypto-prices.ts';
import { keepPrices, quotedCurrencies, refreshPrices } from '../../activities/payments/keep-prices.ts';
import { createDatabase, type Database, withSystem } from '../../db/client.ts';
import { savePrices } from '../../db/queries/payments/crypto-prices.ts';
import { cryptoPrices } from '../../db/schema/crypto.ts';
import { cryptoAssets } from '../../domain/payments/crypto-asset.ts';
import type { CryptoPrice } from '../../domain/payments/price-source.ts';
import { eventually } from '../../scripts/processes.ts';
import { createTestDatabase } from '../support/database.ts';
import { startTestMarkets } from '../support/market-prices.ts';

let db: Database;
let close: () => Promise<void>;
const log = pino({ level: 'silent' });

beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDatabase({ url: database.url });
  close = async () => {
    await db.close();
    await database.drop();
  };
});
afterAll(() => close());

const rows = () => withSystem(db, (tx) => tx.select().from(cryptoPrices));

describe('prices', () => {
  it('of every source are kept for all coins in every quoted currency', async () => {
    const { markets, priceSources } = await startTestMarkets();
    const refreshed = await refreshPrices(db, createPriceFeed({ sources: priceSources, log }));
    await markets.close();
    expect(refreshed.sources.map(({ source, outcome }) => `${source} ${outcome}`)).toEqual([
      'coinbase answered',
      'kraken answered',
      'coingecko answered',
    ]);
    const kept = await rows();
    expect(kept).toHaveLength(refreshed.prices.length);
    for (const asset of cryptoAssets) {
      const ofAsset = kept.filter((row) => row.asset === asset && row.currency === 'USD');
      expect(ofAsset.map(({ source }) => source).sort()).toEqual(['coinbase', 'coingecko', 'kraken']);
    }
    expect(new Set(kept.map(({ currency }) => currency))).toEqual(new Set(quotedCurrencies));
  });

  it("that are older take no newer one's place", async () => {
    const price = (rate: string, at: string): CryptoPrice => ({
      source: 'somebody',
      asset: 'BTC',
      currency: 'USD',
      rate,
      side: 'spot',
      at,
    });
    const save = (one: CryptoPrice) => savePrices(db, { prices: [one], at: new Date() });
    await save(price('2', '2026-03-01T10:01:00.000Z'));
    await save(price('1', '2026-03-01T10:00:00.000Z'));
    const rate = async () => (await rows()).find(({ source }) => source === 'somebody')?.rate;
    expect(await rate()).toBe('2');
    await save(price('3', '2026-03-01T10:02:00.000Z'));
    expect(await rate()).toBe('3');
  });

  it('are looked for again while a look fails, until it is stopped', async () => {
    const stopping = new AbortController();
    let looks = 0;
    const feed = {
      refresh: () => {
        looks += 1;
        return Promise.reject(new Error('the database is away'));
      },
    };
    await withSystem(db, (tx) => tx.delete(cryptoPrices));
    const kept = keepPrices({ db, feed, log, signal: stopping.signal, everyMs: 1 });
    expect(await eventually(async () => looks > 2, 10_000)).toBe(true);
    stopping.abort();
    await kept;
  });
});

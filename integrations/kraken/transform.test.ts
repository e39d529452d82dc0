import { describe, expect, it } from 'vitest';
import { isRateLimit, isUnknownPair, pairCode, throttledForMs, toKrakenPrices } from './transform.ts';

const at = new Date('2031-03-03T10:00:00.000Z');
const btcUsd = { asset: 'BTC', currency: 'USD' } as const;

/** The fields of a ticker, with this bid. */
function ticker(bid: string): object {
  return {
    a: ['67012.40000', '1', '1.000'],
    b: [bid, '2', '2.000'],
    c: ['67000.00000', '0.00312000'],
    v: ['812.45678901', '2045.12345678'],
    p: ['66890.12345', '66750.54321'],
    t: [21_345, 54_321],
    l: ['66000.00000', '65500.00000'],
    h: ['67400.00000', '67400.00000'],
    o: '66500.00000',
  };
}

function pricesIn(result: Record<string, object>, pairs = [btcUsd] as Parameters<typeof toKrakenPrices>[1]) {
  return toKrakenPrices(JSON.stringify({ error: [], result }), pairs, at);
}

it('bitcoin is called XBT there', () => {
  expect(pairCode(btcUsd)).toBe('XBTUSD');
  expect(pairCode({ asset: 'USDC', currency: 'EUR' })).toBe('USDCEUR');
});

it('reads the bid under the name that the answer gives the pair', () => {
  const result = {
    XXBTZUSD: ticker('67012.30000'),
    XETHZEUR: ticker('2301.12'),
    USDCUSD: ticker('0.99990000'),
    XBTCHF: ticker('59000.1'),
  };
  const pairs = [
    btcUsd,
    { asset: 'ETH', currency: 'EUR' },
    { asset: 'USDC', currency: 'USD' },
    { asset: 'BTC', currency: 'CHF' },
  ] as const;
  const common = { source: 'kraken', side: 'bid', at: '2031-03-03T10:00:00.000Z' };
  expect(pricesIn(result, pairs)).toEqual({
    prices: [
      { ...common, asset: 'BTC', currency: 'USD', rate: '67012.3' },
      { ...common, asset: 'ETH', currency: 'EUR', rate: '2301.12' },
      { ...common, asset: 'USDC', currency: 'USD', rate: '0.9999' },
      { ...common, asset: 'BTC', currency: 'CHF', rate: '59000.1' },
    ],
  });
});

it('a pair that nobody asked for is not taken for one that was', () => {
  expect(pricesIn({ XXBTZEUR: ticker('62000.1') })).toEqual({ prices: [] });
});

it.each(['NaN', '0.00000', '-1', ''])('a bid of %j is no price', (bid) => {
  expect(pricesIn({ XXBTZUSD: ticker(bid) })).toEqual({ prices: [] });
});

describe('errors come with a success', () => {
  it.each([
    ['EQuery:Unknown asset pair', true, false],
    ['EAPI:Rate limit exceeded', false, true],
    ['EGeneral:Too many requests', false, true],
    ['EService:Throttled: 1893456000', false, true],
    ['EService:Unavailable', false, false],
  ])('%s', (error, isUnknown, isLimit) => {
    expect(toKrakenPrices(JSON.stringify({ error: [error] }), [btcUsd], at)).toEqual({ errors: [error] });
    expect([isUnknownPair([error]), isRateLimit([error])]).toEqual([isUnknown, isLimit]);
  });

  it('and may say until when nothing is answered', () => {
    const now = new Date(1_893_455_990_000);
    expect(throttledForMs(['EService:Throttled: 1893456000'], now)).toBe(10_000);
    expect(throttledForMs(['EService:Throttled: 1893455000'], now)).toBe(0);
    expect(throttledForMs(['EAPI:Rate limit exceeded'], now)).toBeNull();
  });

  it('and a warning beside a result is none', () => {
    const answer = { error: ['WGeneral:Maintenance soon'], result: { XXBTZUSD: ticker('67000.1') } };
    expect(toKrakenPrices(JSON.stringify(answer), [btcUsd], at)).toMatchObject({
      prices: [{ rate: '67000.1' }],
    });
  });
});

it.each([
  ['neither result nor error', '{"error":[]}'],
  ['a bid that is a float', '{"error":[],"result":{"XXBTZUSD":{"b":[67012.3]}}}'],
  ['half an answer', '{"error":[],"resu'],
])('%s is not an answer', (_what, text) => {
  expect(() => toKrakenPrices(text, [btcUsd], at)).toThrow();
});

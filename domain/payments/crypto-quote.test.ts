/** One rate out of several markets' prices, and the coins for an amount at it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { money } from '../money.ts';
import { readCoinRate } from './coin-rate.ts';
import { type CryptoAsset, cryptoAssets, unitsPerCoin } from './crypto-asset.ts';
import { cryptoPolicyOn } from './crypto-policy.ts';
import { fiatValueOf, marketRate, quote } from './crypto-quote.ts';
import type { CryptoPrice } from './price-source.ts';

const policy = cryptoPolicyOn('mainnet');
const now = new Date('2031-03-03T10:05:00.000Z');

function price(source: string, rate: string, over: Partial<CryptoPrice> = {}): CryptoPrice {
  return {
    source,
    asset: 'BTC',
    currency: 'USD',
    rate,
    side: 'spot',
    at: '2031-03-03T10:04:30.000Z',
    ...over,
  };
}

function rateOf(prices: CryptoPrice[], asset: CryptoAsset = 'BTC', currency = 'USD') {
  return marketRate(prices, { asset, currency, now, policy });
}

describe('the rate', () => {
  it('of three sources is the one in the middle, and names all that were used', () => {
    const kraken = price('kraken', '67010.5', { side: 'bid', at: '2031-03-03T10:04:10.000Z' });
    expect(rateOf([kraken, price('coinbase', '67000'), price('coingecko', '67100')])).toEqual({
      rate: '67010.5',
      at: '2031-03-03T10:04:10.000Z',
      sources: [
        { source: 'coinbase', rate: '67000', side: 'spot', at: '2031-03-03T10:04:30.000Z' },
        { source: 'coingecko', rate: '67100', side: 'spot', at: '2031-03-03T10:04:30.000Z' },
        { source: 'kraken', rate: '67010.5', side: 'bid', at: '2031-03-03T10:04:10.000Z' },
      ],
    });
  });

  it('of two sources is their exact mean', () => {
    expect(rateOf([price('kraken', '67000.01'), price('coinbase', '67000.02')])).toMatchObject({
      rate: '67000.015',
    });
  });

  it('counts each source once, by its newest price, in whatever order they come', () => {
    const old = price('kraken', '60000', { at: '2031-03-03T10:03:00.000Z' });
    const prices = [price('kraken', '67000'), old, price('coinbase', '67002')];
    for (const order of [prices, prices.toReversed()]) {
      expect(rateOf(order)).toMatchObject({ rate: '67001', sources: [{ rate: '67002' }, { rate: '67000' }] });
    }
    expect(rateOf([old, price('kraken', '67000')])).toMatchObject({ reason: 'rates_too_few' });
  });

  it('is of this coin in this currency only', () => {
    const others = [
      price('coinbase', '2500', { asset: 'ETH' }),
      price('kraken', '62000', { currency: 'EUR' }),
    ];
    expect(rateOf(others)).toEqual({
      reason: 'rates_too_few',
      message:
        '0 of the price sources know what BTC costs in USD, and 2 are needed; bill in another currency, or take another means of payment.',
    });
  });

  it('is used until it is 5 minutes old, and not a millisecond longer', () => {
    const at = '2031-03-03T10:00:00.000Z';
    const prices = [price('kraken', '67000', { at }), price('coinbase', '67000', { at })];
    expect(rateOf(prices)).toMatchObject({ rate: '67000', at });
    const late = { asset: 'BTC', currency: 'USD', now: new Date(now.getTime() + 1), policy } as const;
    expect(marketRate(prices, late)).toEqual({
      reason: 'rates_stale',
      message:
        '0 of the price sources have said in the last 300 seconds what BTC costs in USD, and 2 are needed; try again in a minute, or take another means of payment.',
    });
  });

  it('dated more than a minute ahead of our clock does not count', () => {
    const [near, far] = ['2031-03-03T10:06:00.000Z', '2031-03-03T10:06:00.001Z'];
    expect(rateOf([price('kraken', '1', { at: near }), price('coinbase', '1')])).toMatchObject({ rate: '1' });
    expect(rateOf([price('kraken', '1', { at: far }), price('coinbase', '1')])).toMatchObject({
      reason: 'rates_too_few',
    });
  });

  it.each(['NaN', '0', '-67000', '', 'undefined'])('%s is no price and counts as none', (rate) => {
    expect(rateOf([price('kraken', rate), price('coinbase', '67000')])).toMatchObject({
      reason: 'rates_too_few',
    });
  });

  it('on which sources differ by 3 % is used; by more it is refused', () => {
    expect(rateOf([price('kraken', '100'), price('coinbase', '103')])).toMatchObject({ rate: '101.5' });
    expect(rateOf([price('kraken', '100'), price('coinbase', '103.0001')])).toEqual({
      reason: 'rates_apart',
      message:
        'The price sources differ by more than 300 hundredths of a percent on BTC in USD (100 to 103.0001); try again in a minute, or take another means of payment.',
    });
  });

  it('one source that is far off spoils it: which one is right, nobody knows', () => {
    const prices = [price('kraken', '67000'), price('coinbase', '67000'), price('coingecko', '6700')];
    expect(rateOf(prices)).toMatchObject({ reason: 'rates_apart' });
  });
});

describe('USDC in US dollars', () => {
  const usdc = (...rates: string[]) =>
    rateOf(
      rates.map((rate, index) => price(`source ${index}`, rate, { asset: 'USDC' })),
      'USDC',
    );

  it.each([
    ['0.99', '0.99'],
    ['1.01', '1.01'],
    ['0.9997', '1.0001'],
    ['0.985', '0.995'],
  ])('at %s and %s on the markets is 1 exactly', (a, b) => {
    const found = usdc(a, b);
    expect(found).toMatchObject({ rate: '1', sources: [{ rate: a }, { rate: b }] });
    expect(found).not.toHaveProperty('peg');
  });

  it.each([
    ['0.9899', '0.99', '0.98995'],
    ['1.01', '1.0101', '1.01005'],
    ['0.88', '0.88', '0.88'],
  ])('at %s and %s is %s, and its peg is off', (a, b, rate) => {
    expect(usdc(a, b)).toMatchObject({ rate, peg: 'off' });
  });

  it('is not taken for 1 where the markets are not known', () => {
    expect(usdc('1')).toMatchObject({ reason: 'rates_too_few' });
    expect(usdc('0.9', '1')).toMatchObject({ reason: 'rates_apart' });
  });

  it('in euro is what the markets say', () => {
    const euro = { asset: 'USDC', currency: 'EUR' } as const;
    const found = rateOf([price('kraken', '0.92', euro), price('coinbase', '0.921', euro)], 'USDC', 'EUR');
    expect(found).toMatchObject({ rate: '0.9205' });
    expect(found).not.toHaveProperty('peg');
  });
});

describe('the coins for an amount', () => {
  it.each([
    // 2900 × 10^8 / 6701234 = 43275.611…
    ['USD', 2900, 'BTC', '67012.34', 43_276n, 42_411n],
    // 30 / 60000 = 0.0005 coins, exactly.
    ['USD', 3000, 'BTC', '60000', 50_000n, 49_000n],
    ['USD', 2900, 'ETH', '2500', 11_600_000_000_000_000n, 11_368_000_000_000_000n],
    ['USD', 2900, 'USDC', '1', 29_000_000n, 28_420_000n],
    ['USD', 1, 'USDC', '0.88', 11_364n, 11_137n],
    // Yen have no minor unit, dinars a thousand of them.
    ['JPY', 3000, 'BTC', '10000000', 30_000n, 29_400n],
    ['KWD', 3000, 'BTC', '20000', 15_000n, 14_700n],
    ['KWD', 1, 'USDC', '0.3067', 3_261n, 3_196n],
  ] as const)('%s %i in %s at %s', (currency, amountMinor, asset, rate, due, minDue) => {
    const found = quote({ due: money(amountMinor, currency), asset, rate, policy });
    expect(found).toEqual({ due, minDue });
  });

  it('is exact far beyond what a float holds', () => {
    const due = money(9_007_199_254_740_991, 'USD');
    const found = quote({ due, asset: 'ETH', rate: `0.${'1'.padStart(30, '0')}`, policy });
    expect(found).toEqual({
      due: 9_007_199_254_740_991n * 10n ** 46n,
      minDue: 882_705_526_964_617_118n * 10n ** 44n,
    });
  });

  it('in bitcoin is at least what the network passes on: 546 satoshi', () => {
    const of = (amountMinor: number) =>
      quote({ due: money(amountMinor, 'USD'), asset: 'BTC', rate: '1000000', policy });
    expect([of(546), of(545)]).toMatchObject([{ due: 546n, minDue: 536n }, { reason: 'amount_too_small' }]);
    const rate = '100000000';
    expect(quote({ due: money(54_600, 'USD'), asset: 'BTC', rate, policy })).toEqual({
      due: 546n,
      minDue: 536n,
    });
    expect(quote({ due: money(54_500, 'USD'), asset: 'BTC', rate, policy })).toEqual({
      reason: 'amount_too_small',
      message:
        'USD 545.00 comes to 0.00000545 BTC, and less than 0.00000546 BTC cannot be paid; take another coin or another means of payment.',
    });
  });

  it.each(cryptoAssets)('of nothing, or of a credit, is refused in %s', (asset) => {
    for (const amountMinor of [0, -2900]) {
      expect(quote({ due: money(amountMinor, 'USD'), asset, rate: '2500', policy })).toMatchObject({
        reason: 'amount_too_small',
      });
    }
  });

  it.each(['NaN', '0', '-1', ''])('at a rate of %s is an error, never an amount', (rate) => {
    expect(() => quote({ due: money(2900, 'USD'), asset: 'BTC', rate, policy })).toThrow(RangeError);
  });

  it('of what is no money is an error', () => {
    const broken = { amountMinor: 0.5, currency: 'USD' };
    expect(() => quote({ due: broken, asset: 'ETH', rate: '1', policy })).toThrow(RangeError);
    expect(() =>
      quote({ due: { ...broken, amountMinor: 1, currency: 'XXX' }, asset: 'ETH', rate: '1', policy }),
    ).toThrow(RangeError);
  });
});

describe('what coins are worth', () => {
  it.each([
    [43_276n, '67012.34', 'BTC', 'USD', 2900],
    [1n, '67012.34', 'BTC', 'USD', 0],
    // Half a cent, away from zero.
    [5_000n, '1', 'USDC', 'USD', 1],
    [-5_000n, '1', 'USDC', 'USD', -1],
    [4_999n, '1', 'USDC', 'USD', 0],
    [30_000n, '10000000', 'BTC', 'JPY', 3000],
    [15_000n, '20000', 'BTC', 'KWD', 3000],
    [11_600_000_000_000_000n, '2500', 'ETH', 'USD', 2900],
  ] as const)('%s at %s of %s in %s is %i', (units, rate, asset, currency, minor) => {
    expect(fiatValueOf(units, rate, asset, currency)).toBe(minor);
  });

  it('beyond the exact integers is an error, never a nearby number', () => {
    expect(() => fiatValueOf(10n ** 40n, '2500', 'ETH', 'USD')).toThrow(RangeError);
  });
});

describe('any amount, at any rate', () => {
  const rates = fc
    .tuple(fc.bigInt(1n, 10n ** 12n), fc.integer({ min: 0, max: 8 }))
    .map(([digits, places]) => readCoinRate(`${digits}e-${places}`) ?? '');
  const amounts = fc.integer({ min: 1, max: 10 ** 12 });
  const cases = fc.record({
    amountMinor: amounts,
    rate: rates,
    asset: fc.constantFrom(...cryptoAssets),
    currency: fc.constantFrom('USD', 'JPY', 'KWD'),
  });
  type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;
  const exponents: Record<string, bigint> = { USD: 2n, JPY: 0n, KWD: 3n };

  /** Null where it is refused. */
  const dueOf = ({ amountMinor, rate, asset, currency }: Case) => {
    const found = quote({ due: money(amountMinor, currency), asset, rate, policy });
    return 'due' in found ? found : null;
  };

  it('asks for the least number of coins that is worth it', () => {
    fc.assert(
      fc.property(cases, (each) => {
        const found = dueOf(each);
        if (!found) return;
        const [whole = '', behind = ''] = each.rate.split('.');
        const perCoin = BigInt(whole + behind) * 10n ** (exponents[each.currency] ?? 0n);
        const needed = BigInt(each.amountMinor) * unitsPerCoin(each.asset) * 10n ** BigInt(behind.length);
        expect(found.due * perCoin).toBeGreaterThanOrEqual(needed);
        expect((found.due - 1n) * perCoin).toBeLessThan(needed);
      }),
    );
  });

  it('is worth at least the amount, to the minor unit', () => {
    fc.assert(
      fc.property(cases, (each) => {
        const found = dueOf(each);
        // A single wei at an absurd rate may be worth more than can be counted.
        fc.pre(found !== null && !each.rate.match(/^\d{11}/));
        expect(fiatValueOf(found.due, each.rate, each.asset, each.currency)).toBeGreaterThanOrEqual(
          each.amountMinor,
        );
      }),
    );
  });

  it('is enough with 98 %, rounded up', () => {
    fc.assert(
      fc.property(cases, (each) => {
        const found = dueOf(each);
        if (!found) return;
        expect(found.minDue * 10_000n).toBeGreaterThanOrEqual(found.due * 9_800n);
        expect((found.minDue - 1n) * 10_000n).toBeLessThan(found.due * 9_800n);
        expect(found.minDue).toBeLessThanOrEqual(found.due);
      }),
    );
  });

  it('grows with the amount and falls with the rate', () => {
    fc.assert(
      fc.property(cases, amounts, rates, (each, amountMinor, rate) => {
        const [less, more] = [
          Math.min(each.amountMinor, amountMinor),
          Math.max(each.amountMinor, amountMinor),
        ];
        const [small, large] = [dueOf({ ...each, amountMinor: less }), dueOf({ ...each, amountMinor: more })];
        expect(large?.due ?? 0n).toBeGreaterThanOrEqual(small?.due ?? 0n);
        const [cheap, dear] = [each.rate, rate].toSorted((a, b) => Number(a) - Number(b));
        const [many, few] = [dueOf({ ...each, rate: cheap ?? '' }), dueOf({ ...each, rate: dear ?? '' })];
        expect(many?.due ?? 0n).toBeGreaterThanOrEqual(few?.due ?? 0n);
      }),
    );
  });
});

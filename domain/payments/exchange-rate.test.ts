import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exponentOf, money } from '../money.ts';
import { type AppliedRate, convert, type ExchangeRate, isRate, rateOn, rateText } from './exchange-rate.ts';

describe('a conversion', () => {
  it.each([
    ['W16: pounds to dollars', [38_500, 'GBP'], '1.27', [48_895, 'USD']],
    ['into a currency without decimals', [10_000, 'USD'], '150.005', [15_001, 'JPY']],
    ['out of a currency without decimals', [15_001, 'JPY'], '0.0066', [9901, 'USD']],
    ['into a currency with three decimals', [10_000, 'USD'], '0.3073', [30_730, 'KWD']],
    ['between three decimals and none', [1, 'KWD'], '487.5', [0, 'JPY']],
    ['half a unit goes up', [1, 'GBP'], '1.5', [2, 'USD']],
    ['just below half a unit goes down', [1, 'GBP'], '1.49999999999999999999', [1, 'USD']],
    ['of a rate that no float can hold', [3, 'GBP'], '0.1', [0, 'USD']],
    ['of the largest amount', [999_999_999_999, 'EUR'], '1.0866', [1_086_599_999_999, 'USD']],
  ] as const)('%s', (_name, [from, base], rate, [to, quote]) => {
    expect(convert(money(from, base), direct(base, quote, rate))).toEqual(money(to, quote));
  });

  it('through the euro is rounded once, at the end', () => {
    const legs = [leg('EUR', 'GBP', '0.85559'), leg('EUR', 'USD', '1.0866')];
    // 385 / 0.85559 * 1.0866 = 488.9497…
    expect(convert(money(38_500, 'GBP'), { base: 'GBP', quote: 'USD', day, legs })).toEqual(
      money(48_895, 'USD'),
    );
  });

  it('against the direction in which a rate was given divides by it', () => {
    const rate = { base: 'USD', quote: 'EUR', day, legs: [leg('EUR', 'USD', '1.25')] };
    expect(convert(money(1000, 'USD'), rate)).toEqual(money(800, 'EUR'));
    expect(rateText(rate)).toBe('0.8');
  });

  it('refuses an amount in another currency, legs that lead elsewhere, and what no integer holds', () => {
    expect(() => convert(money(1, 'USD'), direct('EUR', 'USD', '1'))).toThrow(RangeError);
    const astray = { base: 'EUR', quote: 'USD', day, legs: [leg('EUR', 'GBP', '1')] };
    expect(() => convert(money(1, 'EUR'), astray)).toThrow(RangeError);
    const huge = direct('KWD', 'USD', '999999999999');
    expect(() => convert(money(999_999_999_999, 'KWD'), huge)).toThrow(RangeError);
  });

  it('is the nearest integer to the exact product, whatever the currencies and the rate', () => {
    const currency = fc.constantFrom('USD', 'JPY', 'KWD');
    fc.assert(
      fc.property(
        fc.nat({ max: 5000 }),
        currency,
        currency,
        fc.bigInt({ min: 1n, max: 10n ** 9n }),
        fc.integer({ min: 0, max: 12 }),
        (minor, base, quote, digits, decimals) => {
          fc.pre(base !== quote);
          const text = decimalOf(digits, decimals);
          const converted = convert(money(minor, base), direct(base, quote, text));
          // |converted - minor * rate * 10^(quote - base)| <= 1/2, over a common denominator.
          const scale = 10n ** BigInt(decimals + exponentOf(base));
          const exact = BigInt(minor) * digits * 10n ** BigInt(exponentOf(quote));
          const off = BigInt(converted.amountMinor) * scale - exact;
          expect(2n * (off < 0n ? -off : off) <= scale).toBe(true);
        },
      ),
    );
  });
});

describe('the rate of a day', () => {
  const monday = '2026-03-02';
  const rates: ExchangeRate[] = [
    { day: '2026-02-27', ...leg('EUR', 'USD', '1.08') },
    { day: '2026-02-27', ...leg('EUR', 'GBP', '0.86') },
    { day: monday, ...leg('EUR', 'USD', '1.09') },
  ];
  const on = (date: string, base: string, quote: string, known = rates) =>
    rateOn(known, { base, quote, day: date });

  it('is the last one on or before it, and no later one', () => {
    expect(on('2026-03-01', 'EUR', 'USD')).toMatchObject({ day: '2026-02-27', legs: [{ rate: '1.08' }] });
    expect(on(monday, 'EUR', 'USD')).toMatchObject({ day: monday, legs: [{ rate: '1.09' }] });
    expect(on('2026-02-26', 'EUR', 'USD')).toBeNull();
  });

  it('is five days old at most', () => {
    expect(on('2026-03-07', 'EUR', 'USD')).toMatchObject({ day: monday });
    expect(on('2026-03-08', 'EUR', 'USD')).toBeNull();
  });

  it('between two currencies of which none is the euro has two legs of one day', () => {
    expect(on(monday, 'GBP', 'USD')).toEqual({
      base: 'GBP',
      quote: 'USD',
      day: '2026-02-27',
      legs: [leg('EUR', 'GBP', '0.86'), leg('EUR', 'USD', '1.08')],
    });
    expect(on(monday, 'GBP', 'KWD')).toBeNull();
  });

  it('is what a person entered, the last of several, before what was published', () => {
    const entered = (rate: string) => ({ day: monday, ...leg('USD', 'EUR', rate), source: 'manual' });
    const known = [entered('0.5'), ...rates, entered('0.9')];
    expect(on(monday, 'EUR', 'USD', known)?.legs).toEqual([
      { ...leg('USD', 'EUR', '0.9'), source: 'manual' },
    ]);
    const between = { day: monday, ...leg('GBP', 'USD', '1.27'), source: 'manual' };
    expect(on(monday, 'GBP', 'USD', [...rates, between])?.legs).toEqual([
      { ...leg('GBP', 'USD', '1.27'), source: 'manual' },
    ]);
  });

  it('older than a newer one is not used because a person entered it', () => {
    const known = [...rates, { day: '2026-02-28', ...leg('EUR', 'USD', '2'), source: 'manual' }];
    expect(on(monday, 'EUR', 'USD', known)?.legs[0]?.rate).toBe('1.09');
  });
});

describe('a rate as text', () => {
  it.each(['1', '0.00000000000000000001', '999999999999.5', '01.50'])('%s is one', (text) => {
    expect(isRate(text)).toBe(true);
  });

  it.each([
    '0',
    '0.000',
    '',
    '1.',
    '.5',
    '-1',
    '+1',
    '1e3',
    '1,5',
    ' 1',
    '1.000000000000000000001',
    '1234567890123',
  ])('%j is none', (text) => {
    expect(isRate(text)).toBe(false);
  });

  it('is read as it was given, or to twelve decimals where it was worked out', () => {
    expect(rateText(direct('EUR', 'USD', '1.08660000000000000001'))).toBe('1.08660000000000000001');
    const legs = [leg('EUR', 'GBP', '3'), leg('EUR', 'USD', '2')];
    expect(rateText({ base: 'GBP', quote: 'USD', day, legs })).toBe('0.666666666667');
  });
});

const day = '2026-03-05';

function leg(base: string, quote: string, rate: string) {
  return { base, quote, rate, source: 'ecb' };
}

function direct(base: string, quote: string, rate: string): AppliedRate {
  return { base, quote, day, legs: [leg(base, quote, rate)] };
}

function decimalOf(digits: bigint, decimals: number): string {
  const text = digits.toString().padStart(decimals + 1, '0');
  return decimals === 0 ? text : `${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
}

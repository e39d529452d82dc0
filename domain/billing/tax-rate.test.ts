import { describe, expect, it } from 'vitest';
import { halfOf, normalisedPercent, ratesAt, shareOf, type TaxRate, wholeShare } from './tax-rate.ts';

describe('a percent', () => {
  it.each([
    ['0', 0n],
    ['19', 19_000_000n],
    ['9.975', 9_975_000n],
    ['0.000001', 1n],
    ['100', wholeShare],
    ['100.000', wholeShare],
  ])('%s is exact', (percent, share) => {
    expect(shareOf(percent)).toBe(share);
  });

  it.each(['', '-1', '101', '100.1', '1e1', '1,5', ' 1', '.5', '5.', '1.0000001', '0x10'])(
    '%j is none',
    (text) => {
      expect(() => shareOf(text)).toThrow(RangeError);
    },
  );

  it.each([
    ['18', '18', '9'],
    ['18.00', '18', '9'],
    ['5', '5', '2.5'],
    ['05.50', '5.5', '2.75'],
    ['0.25', '0.25', '0.125'],
    ['0.1', '0.1', '0.05'],
    ['0', '0', '0'],
    ['100', '100', '50'],
  ])('%s is written %s, and half of it %s', (percent, normalised, half) => {
    expect(normalisedPercent(percent)).toBe(normalised);
    expect(halfOf(percent)).toBe(half);
  });
});

describe('the rates at a place on a day', () => {
  const rates: TaxRate[] = [
    germany('19', '2007-01-01'),
    germany('16', '2020-07-01'),
    germany('19', '2021-01-01'),
    { ...germany('8', '2024-01-01'), region: 'BY' },
    { country: 'CA', region: null, kind: 'gst', name: 'GST', percent: '5', validFrom: '2008-01-01' },
    {
      country: 'CA',
      region: 'QC',
      kind: 'sales_tax',
      name: 'QST',
      percent: '9.975',
      validFrom: '2013-01-01',
    },
  ];

  it.each([
    ['DE', null, '2006-12-31', []],
    ['DE', null, '2007-01-01', ['19']],
    ['DE', null, '2020-06-30', ['19']],
    ['DE', null, '2020-07-01', ['16']],
    ['DE', null, '2020-12-31', ['16']],
    ['DE', null, '2021-01-01', ['19']],
    ['DE', 'BY', '2023-12-31', ['19']],
    ['DE', 'BY', '2024-01-01', ['8']],
    ['DE', 'BE', '2024-01-01', ['19']],
    ['CA', 'QC', '2024-01-01', ['5', '9.975']],
    ['CA', 'ON', '2024-01-01', ['5']],
    ['FR', null, '2024-01-01', []],
  ])('%s %s on %s: %j', (country, region, day, percents) => {
    for (const order of [rates, rates.toReversed()]) {
      expect(ratesAt(order, { country, region, day }).map(({ percent }) => percent)).toEqual(percents);
    }
  });
});

function germany(percent: string, validFrom: string): TaxRate {
  return { country: 'DE', region: null, kind: 'vat', name: 'VAT', percent, validFrom };
}

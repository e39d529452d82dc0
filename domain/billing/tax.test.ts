import { describe, expect, it } from 'vitest';
import { ratesInWords, type TaxCustomer, type TaxFacts, taxesFor, taxSummary } from './tax.ts';
import type { TaxRate } from './tax-rate.ts';

const rates: TaxRate[] = [
  rate('DE', 'vat', '19'),
  rate('FR', 'vat', '20'),
  rate('IN', 'gst', '18'),
  { ...rate('US', 'sales_tax', '7.25'), region: 'CA' },
];
const [germany, france, california, karnataka, maharashtra, delhi, chandigarh] = [
  place('DE'),
  place('FR'),
  place('US', 'CA'),
  place('IN', '29'),
  place('IN', '27'),
  place('IN', '07'),
  place('IN', '04'),
];

describe('what is taxed', () => {
  it.each<[string, FactsGiven, unknown[]]>([
    ['at home', { from: germany, to: germany }, ['taxed', 'VAT 19 DE']],
    ['at home, a business too', { from: germany, to: germany, taxId: 'DE123456789' }, ['taxed', 'VAT 19 DE']],
    ['a person in another member state', { from: germany, to: france }, ['taxed', 'VAT 20 FR']],
    [
      'a business in another member state',
      { from: germany, to: france, taxId: 'FR12345678901' },
      ['reverse_charge', 'Reverse charge 0 FR'],
    ],
    [
      'one whose id is of another country than its address',
      { from: germany, to: france, taxId: 'DE123456789' },
      ['taxed', 'VAT 20 FR'],
    ],
    [
      'a business in the Union, of a seller outside',
      { from: california, to: france, taxId: 'FR12345678901' },
      ['taxed', 'VAT 20 FR'],
    ],
    ['out of the Union, where there is no rate', { from: germany, to: place('JP') }, ['untaxed']],
    ['where a state has a rate', { from: california, to: california }, ['taxed', 'VAT 7.25 US-CA']],
    ['where another state has one', { from: california, to: place('US', 'NY') }, ['untaxed']],
    ['nobody knows where', { from: germany, to: null }, ['untaxed']],
    ['an exempt customer', { from: germany, to: germany, taxExemptReason: 'Charity' }, ['exempt']],
    ['within a state of India', { from: karnataka, to: karnataka }, ['taxed', 'CGST 9 IN', 'SGST 9 IN-29']],
    ['to another state of India', { from: karnataka, to: maharashtra }, ['taxed', 'IGST 18 IN']],
    ['within Delhi', { from: delhi, to: delhi }, ['taxed', 'CGST 9 IN', 'SGST 9 IN-07']],
    [
      'within a union territory',
      { from: chandigarh, to: chandigarh },
      ['taxed', 'CGST 9 IN', 'UTGST 9 IN-04'],
    ],
    ['from abroad to India', { from: germany, to: karnataka }, ['taxed', 'IGST 18 IN']],
    ['out of India', { from: karnataka, to: place('JP') }, ['export']],
    [
      'out of India to where the seller is registered too',
      { from: karnataka, to: germany },
      ['taxed', 'VAT 19 DE'],
    ],
  ])('%s', (_name, given, expected) => {
    const { treatment, lines } = taxesFor(facts(given), [{ amountMinor: 10_000 }]);
    const taxes = lines[0]?.taxes.map(
      ({ name, percent, jurisdiction }) => `${name} ${percent} ${jurisdiction}`,
    );
    expect([treatment, ...(taxes ?? [])]).toEqual(expected);
  });

  it('nothing without settings of the seller', () => {
    expect(
      taxesFor({ ...facts({ from: germany, to: germany }), seller: null }, [{ amountMinor: 100 }]),
    ).toEqual({
      treatment: null,
      notes: [],
      isInclusive: false,
      lines: [{ amountMinor: 100, netMinor: 100, taxMinor: 0, taxes: [], rates: [] }],
      taxMinor: 0,
      totalMinor: 100,
    });
  });

  it('by the day it is where the seller is', () => {
    const changed = [...rates, { ...rate('DE', 'vat', '16'), validFrom: '2026-07-01' }];
    const percentAt = (at: string, timeZone: string) =>
      taxesFor({ ...facts({ from: germany, to: germany }), rates: changed, at, timeZone }, [
        { amountMinor: 1 },
      ]).lines[0]?.taxes[0]?.percent;
    expect(percentAt('2026-06-30T21:59:59Z', 'Europe/Berlin')).toBe('19');
    expect(percentAt('2026-06-30T22:00:00Z', 'Europe/Berlin')).toBe('16');
    expect(percentAt('2026-06-30T22:00:00Z', 'UTC')).toBe('19');
  });
});

describe('what the invoice says of it', () => {
  it.each<[string, FactsGiven, RegExp[]]>([
    [
      'a reverse charge',
      { from: germany, to: france, taxId: 'FR12345678901' },
      [/^Reverse charge: .+ 2006\/112/],
    ],
    [
      'an exemption',
      { from: germany, to: germany, taxExemptReason: 'Charity' },
      [/^Exempt from tax: Charity$/],
    ],
    ['an export', { from: karnataka, to: place('JP') }, [/^Supply meant for export/]],
    ['the place of supply', { from: karnataka, to: maharashtra }, [/Maharashtra \(27\)/, /not payable/]],
    ['nothing of an ordinary sale', { from: germany, to: germany }, []],
  ])('%s', (_name, given, expected) => {
    const { notes } = taxesFor(facts(given), [{ amountMinor: 100 }]);
    expect(notes).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
  });
});

describe('the amounts', () => {
  it('without tax in the price have it added', () => {
    const bill = taxesFor(facts({ from: germany, to: germany }), [{ amountMinor: 2900 }]);
    expect(bill).toMatchObject({ taxMinor: 551, totalMinor: 3451, lines: [{ amountMinor: 2900 }] });
  });

  it('with tax in the price stay, and are taken apart', () => {
    const bill = taxesFor(facts({ from: germany, to: germany, isInclusive: true }), [{ amountMinor: 2900 }]);
    expect(bill).toMatchObject({
      taxMinor: 463,
      totalMinor: 2900,
      lines: [{ amountMinor: 2900, netMinor: 2437 }],
    });
  });

  it('of a credit take the tax back as its line bore it, not as today', () => {
    const taxedAs = {
      rates: taxesFor(facts({ from: germany, to: germany }), [{ amountMinor: 2900 }]).lines[0]?.rates ?? [],
      isInclusive: false,
    };
    const reverse = facts({ from: germany, to: france, taxId: 'FR12345678901' });
    const bill = taxesFor(reverse, [{ amountMinor: -1777, taxedAs }, { amountMinor: 6068 }]);
    expect(bill.lines.map(({ taxMinor }) => taxMinor)).toEqual([-338, 0]);
    expect(bill).toMatchObject({ taxMinor: -338, totalMinor: 3953, treatment: 'reverse_charge' });
  });

  it('of a credit from before the prices contained tax are shown as the invoice shows the others', () => {
    const before = facts({ from: germany, to: germany });
    const taxedAs = {
      rates: taxesFor(before, [{ amountMinor: 1 }]).lines[0]?.rates ?? [],
      isInclusive: false,
    };
    const now = facts({ from: germany, to: germany, isInclusive: true });
    const bill = taxesFor(now, [{ amountMinor: -1000, taxedAs }, { amountMinor: 5950 }]);
    expect(bill.lines.map(({ amountMinor, netMinor }) => [amountMinor, netMinor])).toEqual([
      [-1190, -1000],
      [5950, 5000],
    ]);
    expect(bill).toMatchObject({ taxMinor: 760, totalMinor: 4760 });
  });

  it('are summed by rate at the foot', () => {
    const { lines } = taxesFor(facts({ from: karnataka, to: karnataka }), [
      { amountMinor: 99_900 },
      { amountMinor: 5 },
    ]);
    const foot = taxSummary(lines.flatMap(({ taxes }) => taxes));
    expect(foot.map(({ name, baseMinor, amountMinor }) => [name, baseMinor, amountMinor])).toEqual([
      ['CGST', 99_905, 8991],
      ['SGST', 99_905, 8992],
    ]);
    expect(ratesInWords(lines[0]?.rates ?? [])).toBe('GST 18 %');
  });
});

type FactsGiven = Partial<Pick<TaxCustomer, 'taxId' | 'taxExemptReason'>> & {
  from: ReturnType<typeof place>;
  to: ReturnType<typeof place> | null;
  isInclusive?: boolean;
};

function facts({
  from,
  to,
  taxId = null,
  taxExemptReason = null,
  isInclusive = false,
}: FactsGiven): TaxFacts {
  return {
    seller: { address: from, priceDisplay: isInclusive ? 'inclusive' : 'exclusive' },
    customer: { address: to, taxId, taxExemptReason },
    rates,
    at: '2026-06-15T10:00:00Z',
    timeZone: 'UTC',
  };
}

function place(country: string, region: string | null = null) {
  return { country, region };
}

function rate(country: string, kind: TaxRate['kind'], percent: string): TaxRate {
  return {
    country,
    region: null,
    kind,
    name: kind === 'gst' ? 'GST' : 'VAT',
    percent,
    validFrom: '2020-01-01',
  };
}

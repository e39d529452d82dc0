import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VendorError } from '../errors.ts';
import type { Address } from './address.ts';
import { taxLines } from './tax-amounts.ts';
import {
  type AnsweredTax,
  type BilledLine,
  canonicalRequest,
  type EngineFacts,
  holdReasonOf,
  type TaxAnswer,
  TaxWithheld,
  taxesByAnswer,
  taxRequestOf,
} from './tax-engine.ts';

const berlin: Address = { country: 'DE', region: null, postalCode: '10117', lines: ['Berlin'] };
const facts: EngineFacts = {
  seller: { address: berlin, priceDisplay: 'exclusive' },
  customer: { address: berlin, taxId: null, taxExemptReason: null },
  at: '2026-11-26T23:30:00.000Z',
  timeZone: 'Europe/Berlin',
};
const about = { engine: 'stripe_tax', subject: 'sub_1:period:0', currency: 'USD' } as const;
const vat = { rates: [{ percent: '19', components: [component('19')] }], isInclusive: false };

function component(percent: string) {
  return { name: 'VAT', kind: 'vat' as const, percent, jurisdiction: 'DE' };
}

function line(amountMinor: number, differs: Partial<BilledLine> = {}): BilledLine {
  return { amountMinor, taxCode: null, ...differs };
}

function answered(taxes: readonly Partial<AnsweredTax>[], reference = '0'): TaxAnswer {
  return {
    externalId: 'taxcalc_1',
    expiresAt: '2027-01-01T00:00:00.000Z',
    lines: [
      {
        reference,
        taxes: taxes.map((tax) => ({
          ...component('19'),
          baseMinor: 2900,
          amountMinor: 551,
          reason: 'taxed',
          ...tax,
        })),
      },
    ],
  };
}

describe('what an engine is asked', () => {
  it('is the charges by their place, from midnight of the day where the seller is', () => {
    const lines = [line(-500, { taxedAs: vat }), line(2900, { taxCode: 'txcd_1' }), line(0)];
    expect(taxRequestOf(facts, lines, about)).toEqual({
      ...about,
      taxAt: '2026-11-26T23:00:00Z',
      isInclusive: false,
      from: berlin,
      to: berlin,
      taxId: null,
      isExempt: false,
      lines: [{ reference: '1', amountMinor: 2900, taxCode: 'txcd_1' }],
    });
  });

  it('is nothing where only credits are billed', () => {
    expect(taxRequestOf(facts, [line(-500, { taxedAs: vat })], about)).toBeNull();
  });

  it('is nothing of an exempt customer whose place is not known, and cannot be asked of another one', () => {
    const nowhere = { ...facts.customer, address: null };
    const exempt = { ...facts, customer: { ...nowhere, taxExemptReason: 'Charity' } };
    expect(taxRequestOf(exempt, [line(2900)], about)).toBeNull();
    expect(() => taxRequestOf({ ...facts, customer: nowhere }, [line(2900)], about)).toThrow(TaxWithheld);
  });

  it('cannot be a line below zero that does not say what it takes back', () => {
    expect(() => taxRequestOf(facts, [line(-1)], about)).toThrow('below zero');
  });

  it('is the same text whatever order its fields come in, and another one for anything else', () => {
    const request = taxRequestOf(facts, [line(2900)], about);
    if (request === null) throw new Error('nothing asked');
    const turned = Object.fromEntries(Object.entries(request).reverse()) as typeof request;
    expect(canonicalRequest(turned)).toBe(canonicalRequest(request));
    for (const differs of [
      { subject: 'sub_1:period:1' },
      { currency: 'EUR' },
      { taxAt: '2026-11-27T23:00:00Z' },
      { isInclusive: true },
      { isExempt: true },
      { to: { ...berlin, postalCode: '10118' } },
      { from: { ...berlin, lines: [] } },
      { taxId: { kind: 'vat' as const, value: 'DE123456789' } },
      { lines: [{ reference: '0', amountMinor: 2901, taxCode: null }] },
      { lines: [{ reference: '0', amountMinor: 2900, taxCode: 'txcd_1' }] },
    ]) {
      expect(canonicalRequest({ ...request, ...differs })).not.toBe(canonicalRequest(request));
    }
  });
});

describe('the answer', () => {
  it('makes an invoice, with credits as their lines bore it', () => {
    const lines = [line(-500, { taxedAs: vat }), line(2900)];
    expect(taxesByAnswer(facts, lines, answered([{}], '1'))).toMatchObject({
      treatment: 'taxed',
      taxMinor: 456,
      totalMinor: 2856,
      lines: [
        { amountMinor: -500, taxMinor: -95 },
        { amountMinor: 2900, netMinor: 2900, taxMinor: 551, rates: vat.rates },
      ],
    });
  });

  it('within the price leaves the price', () => {
    const inclusive = { ...facts, seller: { ...facts.seller, priceDisplay: 'inclusive' as const } };
    const taxed = taxesByAnswer(inclusive, [line(2900)], answered([{ baseMinor: 2437, amountMinor: 463 }]));
    expect(taxed).toMatchObject({ totalMinor: 2900, taxMinor: 463, lines: [{ netMinor: 2437 }] });
    expect(taxed.lines[0]?.rates).toEqual(vat.rates);
  });

  it.each<[AnsweredTax['reason'], Partial<EngineFacts['customer']>, string, string[]]>([
    [
      'reverse_charge',
      { address: { ...berlin, country: 'FR' } },
      'reverse_charge',
      [
        'Reverse charge: the recipient of the service owes the VAT (Article 196 of Council Directive 2006/112/EC).',
      ],
    ],
    [
      'reverse_charge',
      { address: { ...berlin, country: 'NO' } },
      'reverse_charge',
      ['Reverse charge: the recipient of the service owes the tax.'],
    ],
    ['exempt', { taxExemptReason: 'Charity' }, 'exempt', ['Exempt from tax: Charity']],
    ['untaxed', {}, 'untaxed', []],
  ])('%s bears nothing (%j)', (reason, customer, treatment, notes) => {
    const taxed = taxesByAnswer(
      { ...facts, customer: { ...facts.customer, ...customer } },
      [line(2900)],
      answered([{ reason, amountMinor: 0, jurisdiction: customer.address?.country ?? 'DE' }]),
    );
    expect(taxed).toMatchObject({ treatment, notes, taxMinor: 0, totalMinor: 2900 });
    expect(taxed.lines[0]?.taxes.map(({ name, percent }) => `${name} ${percent}`)).toEqual(
      reason === 'reverse_charge' ? ['Reverse charge 0'] : [],
    );
  });

  it('within India names the place of supply', () => {
    const bengaluru: Address = { ...berlin, country: 'IN', region: '29' };
    const indian = {
      ...facts,
      seller: { ...facts.seller, address: bengaluru },
      customer: { ...facts.customer, address: bengaluru },
    };
    expect(taxesByAnswer(indian, [line(2900)], answered([{}])).notes[0]).toContain('Karnataka');
  });

  it('says nothing about a line it was not asked about', () => {
    const taxed = taxesByAnswer(facts, [line(2900), line(0)], answered([{}]));
    expect(taxed.lines[1]).toMatchObject({ taxMinor: 0, taxes: [], rates: [] });
  });
});

describe('whoever takes a whole line back', () => {
  const amounts = fc.integer({ min: 1, max: 10_000_000 });
  const shares = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 4 });

  it('takes back exactly the tax the engine has charged, however it was rounded', () => {
    fc.assert(
      fc.property(
        amounts,
        shares,
        fc.boolean(),
        fc.integer({ min: -2, max: 2 }),
        (net, percents, isInclusive, off) => {
          const taxes = percents.map((percent) => ({
            ...component(String(percent)),
            amountMinor: Math.max(0, Math.floor((net * percent) / 100) + off),
          }));
          const taxMinor = taxes.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
          fc.pre(taxMinor <= net);
          const amountMinor = isInclusive ? net + taxMinor : net;
          const priceDisplay = isInclusive ? 'inclusive' : 'exclusive';
          const seller = { ...facts.seller, priceDisplay } as const;
          const [sold] = taxesByAnswer({ ...facts, seller }, [line(amountMinor)], answered(taxes)).lines;
          const taxation = { rates: sold?.rates ?? [], isInclusive };
          const [credit] = taxLines([{ amountMinor: -amountMinor, taxation }]);
          expect((credit?.taxMinor ?? 0) + taxMinor).toBe(0);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

it.each([
  ['vendor_unavailable', 'engine_unavailable'],
  ['rate_limited', 'engine_unavailable'],
  ['outcome_unknown', 'engine_unavailable'],
  ['tax_location_invalid', 'location_invalid'],
  ['vendor_rejected_request', 'engine_refused'],
  ['not_found', 'engine_refused'],
] as const)('after %s an invoice is held as %s', (code, reason) => {
  expect(holdReasonOf(new VendorError({ code, message: '' }))).toBe(reason);
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AppliedRate,
  inProportion,
  type LineTaxation,
  type TaxComponent,
  type TaxedLine,
  taxLines,
  taxPart,
} from './tax-amounts.ts';
import { halfOf } from './tax-rate.ts';

const vat: AppliedRate = rate('19');
const gst: AppliedRate = {
  percent: '18',
  components: [component('CGST', '9', 'IN'), component('SGST', '9', 'IN-29')],
};

describe('tax on top of a price', () => {
  it.each([
    ['an even tax', 99_900, 17_982, [8991, 8991]],
    ['an odd tax: floor and remainder', 99_905, 17_983, [8991, 8992]],
    ['a credit mirrors the charge', -99_905, -17_983, [-8991, -8992]],
    ['less than half a unit', 2, 0, [0, 0]],
    ['one unit, which cannot be halved', 3, 1, [0, 1]],
    ['nothing', 0, 0, [0, 0]],
  ])('GST 18 %% of %s (V-C)', (_name, amountMinor, taxMinor, components) => {
    const [line] = exclusive([amountMinor], [gst]);
    expect(line).toMatchObject({ netMinor: amountMinor, taxMinor });
    expect(line?.taxes.map((tax) => tax.amountMinor)).toEqual(components);
  });

  it.each([
    ['half a unit goes away from zero', '5', 10, 1],
    ['also below zero', '5', -10, -1],
    ['decimals count exactly', '9.975', 100_000, 9975],
    ['of a price beyond the exactness of a float', '19', 9_007_199_254_740_991, 1_711_367_858_400_788],
    ['0 % is a rate', '0', 100, 0],
    ['100 % too', '100', 100, 100],
  ])('%s', (_name, percent, amountMinor, taxMinor) => {
    expect(exclusive([amountMinor], [rate(percent)])[0]?.taxMinor).toBe(taxMinor);
  });

  it('is rounded once for all lines, and the largest fractions get what is missing', () => {
    // 1.9 + 1.9 + 1.9 = 5.7
    expect(exclusive([10, 10, 10], [vat]).map(({ taxMinor }) => taxMinor)).toEqual([2, 2, 2]);
    // 0.19 + 0.19 + 0.19 = 0.57
    expect(exclusive([1, 1, 1], [vat]).map(({ taxMinor }) => taxMinor)).toEqual([1, 0, 0]);
    // 11.4 - 5.7 = 5.7
    expect(exclusive([60, -30], [vat]).map(({ taxMinor }) => taxMinor)).toEqual([12, -6]);
  });

  it('of three equal lines that is 10.00 together is 3.34, 3.33 and 3.33 (V-C)', () => {
    // 333.4 + 333.4 + 333.4 = 1000.2
    const lines = exclusive([1667, 1667, 1667], [rate('20')]);
    expect(lines.map(({ taxMinor }) => taxMinor)).toEqual([334, 333, 333]);
  });

  it('is rounded once for a charge and a credit that comes from a store, which orders fields otherwise', () => {
    const stored = { components: vat.components.map(reordered), percent: vat.percent };
    const lines = [
      { amountMinor: -503, taxation: { isInclusive: false, rates: [stored] } },
      { amountMinor: 1001, taxation: { rates: [vat], isInclusive: false } },
    ];
    // 190.19 - 95.57 = 94.62
    expect(taxLines(lines).map(({ taxMinor }) => taxMinor)).toEqual([-95, 190]);
  });

  it('of several rates is rounded for each', () => {
    const canada = [rate('5', 'GST'), rate('9.975', 'QST')];
    const [line] = exclusive([2900], canada);
    expect(line?.taxes.map(({ name, amountMinor }) => [name, amountMinor])).toEqual([
      ['GST', 145],
      ['QST', 289],
    ]);
  });
});

describe('tax within a price', () => {
  it.each([
    [11_900, '19', 1900],
    [2900, '19', 463],
    [-2900, '19', -463],
    [100, '0', 0],
    [1, '100', 1],
  ])('of %i at %s %% is %i', (amountMinor, percent, taxMinor) => {
    const [line] = inclusive([amountMinor], [rate(percent)]);
    expect(line).toMatchObject({ taxMinor, netMinor: amountMinor - taxMinor });
    expect(line?.taxes[0]).toMatchObject({ baseMinor: amountMinor - taxMinor, amountMinor: taxMinor });
  });
});

const amounts = fc.array(fc.integer({ min: -10_000_000_000, max: 10_000_000_000 }), {
  minLength: 1,
  maxLength: 8,
});
const percent = fc
  .tuple(fc.integer({ min: 0, max: 99 }), fc.integer({ min: 0, max: 999_999 }))
  .map(([whole, millionths]) => `${whole}.${String(millionths).padStart(6, '0')}`);
const halves = percent.filter((each) => !each.endsWith('1')).map(halfRate);
const rates = fc.array(
  fc.oneof(
    percent.map((each) => rate(each)),
    halves,
  ),
  { maxLength: 3 },
);
const taxations = fc.record({ rates, isInclusive: fc.boolean() });

describe('for any lines and rates', () => {
  it('net and tax make the price, inclusive or not, and the components make the tax', () => {
    fc.assert(
      fc.property(amounts, taxations, (given, taxation) => {
        for (const [index, line] of tax(given, taxation).entries()) {
          const price = taxation.isInclusive ? line.netMinor + line.taxMinor : line.netMinor;
          expect(price).toBe(given[index]);
          expect(total(line.taxes)).toBe(line.taxMinor);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('a rate is rounded once on the whole base, and the lines sum to it exactly', () => {
    fc.assert(
      fc.property(amounts, percent, (given, each) => {
        const taxed = exclusive(given, [rate(each)]);
        const base = BigInt(given.reduce((sum, amount) => sum + amount, 0));
        const exact = base * BigInt(each.replace('.', ''));
        const once = (2n * abs(exact) + 10n ** 8n) / (2n * 10n ** 8n);
        const sum = taxed.reduce((all, { taxMinor }) => all + taxMinor, 0);
        expect(abs(BigInt(sum))).toBe(once);
      }),
      { numRuns: 1000 },
    );
  });

  it('the components of the invoice are floor and remainder of its tax', () => {
    fc.assert(
      fc.property(amounts, fc.boolean(), (given, isInclusive) => {
        const taxed = tax(given, { rates: [gst], isInclusive });
        const all = taxed.reduce((sum, { taxMinor }) => sum + taxMinor, 0);
        const first = taxed.reduce((sum, { taxes: [cgst] }) => sum + (cgst?.amountMinor ?? 0), 0);
        expect(first === Math.trunc(all / 2)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('no line is more than one unit off its own tax, and a line of nothing bears nothing', () => {
    fc.assert(
      fc.property(amounts, percent, fc.boolean(), (given, each, isInclusive) => {
        const lines = [0, ...given, 0];
        const rateOf = Number(each) / 100;
        const share = isInclusive ? rateOf / (1 + rateOf) : rateOf;
        for (const [index, { taxMinor, taxes }] of tax(lines, {
          rates: [rate(each)],
          isInclusive,
        }).entries()) {
          const amount = lines[index] ?? 0;
          if (amount === 0)
            expect([taxMinor, ...taxes.map(({ amountMinor }) => amountMinor)]).toEqual([0, 0]);
          expect(Math.abs(taxMinor - amount * share)).toBeLessThan(1.001);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('a price that was put together from net and tax comes apart into the same again', () => {
    fc.assert(
      fc.property(fc.integer({ min: -10_000_000_000, max: 10_000_000_000 }), percent, (netMinor, each) => {
        const [on] = exclusive([netMinor], [rate(each)]);
        const [within] = inclusive([netMinor + (on?.taxMinor ?? 0)], [rate(each)]);
        expect([within?.netMinor, within?.taxMinor]).toEqual([netMinor, on?.taxMinor]);
      }),
      { numRuns: 1000 },
    );
  });

  it('lines that are taxed differently keep out of each other', () => {
    fc.assert(
      fc.property(amounts, amounts, taxations, taxations, (some, others, one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        const together = taxLines([...linesOf(some, one), ...linesOf(others, other)]);
        expect(together).toEqual([...tax(some, one), ...tax(others, other)]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the tax in a part of a total', () => {
  it.each([
    [{ taxMinor: 551, totalMinor: 3451 }, 3451, 551],
    [{ taxMinor: 551, totalMinor: 3451 }, 0, 0],
    [{ taxMinor: 551, totalMinor: 3451 }, 1000, 160],
    [{ taxMinor: 551, totalMinor: 3451 }, 9999, 551],
    [{ taxMinor: -338, totalMinor: 3953 }, 3953, -338],
    [{ taxMinor: 0, totalMinor: 2900 }, 1450, 0],
    [{ taxMinor: -551, totalMinor: 0 }, 0, 0],
  ])('%j: of %i it is %i', (invoice, part, expected) => {
    expect(taxPart(invoice, part)).toBe(expected);
  });
});

describe('a total in proportion', () => {
  it.each([
    ['10.00 in 3 (V-C)', 1000, [1, 1, 1], [334, 333, 333]],
    ['below zero they sum to it too', -1000, [1, 1, 1], [-333, -333, -334]],
    ['the largest fraction gets what is missing', 100, [1, 2, 3], [17, 33, 50]],
    ['a weight of nothing bears nothing', 1000, [0, 1, 0, 1, 1], [0, 334, 0, 333, 333]],
    ['less than there are parts', 2, [1, 1, 1], [1, 1, 0]],
    ['without weights', 1000, [0, 0], [0, 0]],
  ])('%s', (_name, totalMinor, weights, parts) => {
    expect(inProportion(totalMinor, weights)).toEqual(parts);
  });
});

function rate(percent: string, name = 'VAT'): AppliedRate {
  return { percent, components: [component(name, percent, 'DE')] };
}

function reordered({ name, kind, percent, jurisdiction }: TaxComponent): TaxComponent {
  return { kind, name, percent, jurisdiction };
}

function halfRate(percent: string): AppliedRate {
  const half = halfOf(percent).split('.');
  // Six decimals are the most a rate has.
  const kept = `${half[0]}.${(half[1] ?? '0').slice(0, 6)}`;
  return { percent, components: [component('CGST', kept, 'IN'), component('SGST', kept, 'IN-29')] };
}

function component(name: string, percent: string, jurisdiction: string) {
  return { name, kind: 'vat' as const, percent, jurisdiction };
}

function linesOf(given: readonly number[], taxation: LineTaxation) {
  return given.map((amountMinor) => ({ amountMinor, taxation }));
}

function tax(given: readonly number[], taxation: LineTaxation): readonly TaxedLine[] {
  return taxLines(linesOf(given, taxation));
}

function exclusive(given: readonly number[], applied: readonly AppliedRate[]): readonly TaxedLine[] {
  return tax(given, { rates: applied, isInclusive: false });
}

function inclusive(given: readonly number[], applied: readonly AppliedRate[]): readonly TaxedLine[] {
  return tax(given, { rates: applied, isInclusive: true });
}

function total(parts: readonly { amountMinor: number }[]): number {
  return parts.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

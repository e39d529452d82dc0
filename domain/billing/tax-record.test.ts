import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partOfSale, type RecordedLine, restOfSale } from './tax-record.ts';

function line(reference: string, netMinor: number, taxMinor: number): RecordedLine {
  return { reference, lineId: `line_${reference}`, netMinor, taxMinor };
}

const one = [line('0', 2900, 551)];
const two = [line('0', 2900, 551), line('1', 1000, 70)];

describe('a part of a sale', () => {
  it('of one line is of that line', () => {
    expect(partOfSale(one, { totalMinor: 1000, taxMinor: 160 })).toEqual([line('0', 840, 160)]);
  });

  it('is spread as the lines bear it, and leaves out what bears nothing', () => {
    expect(partOfSale(two, { totalMinor: 4521, taxMinor: 621 })).toEqual(two);
    expect(partOfSale(two, { totalMinor: 0, taxMinor: 0 })).toEqual([]);
    expect(partOfSale([line('0', 2900, 0)], { totalMinor: 1000, taxMinor: 0 })).toEqual([line('0', 1000, 0)]);
  });

  it('and the rest make the sale, for any lines and any part', () => {
    const lines = fc
      .array(fc.tuple(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 0, max: 200_000 })), {
        minLength: 1,
        maxLength: 5,
      })
      .map((parts) => parts.map(([net, tax], index) => line(String(index), net, tax)));
    fc.assert(
      fc.property(lines, fc.integer({ min: 0, max: 100 }), (sale, percent) => {
        const net = sumOf(sale, 'netMinor');
        const tax = sumOf(sale, 'taxMinor');
        const taxMinor = Math.floor((tax * percent) / 100);
        const part = partOfSale(sale, { totalMinor: Math.floor((net * percent) / 100) + taxMinor, taxMinor });
        expect(sumOf(part, 'taxMinor')).toBe(taxMinor);
        const rest = restOfSale(sale, part);
        expect(sumOf(part, 'netMinor') + sumOf(rest, 'netMinor')).toBe(net);
        expect(sumOf(part, 'taxMinor') + sumOf(rest, 'taxMinor')).toBe(tax);
        for (const each of [...part, ...rest]) {
          expect(Math.min(each.netMinor, each.taxMinor)).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe('the rest of a sale', () => {
  it('is all of it while nothing was taken back, and nothing once all of it was', () => {
    expect(restOfSale(two, [])).toEqual(two);
    expect(restOfSale(two, two)).toEqual([]);
    expect(restOfSale(two, [line('1', 400, 30), line('1', 600, 40)])).toEqual(one);
  });
});

function sumOf(lines: readonly RecordedLine[], field: 'netMinor' | 'taxMinor'): number {
  return lines.reduce((sum, each) => sum + each[field], 0);
}

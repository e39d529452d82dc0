import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { subsetsOf } from './invoice-subset.ts';

const owed = (...dues: number[]) => dues.map((dueMinor) => ({ dueMinor }));
const found = (dues: number[], total: number) =>
  subsetsOf(owed(...dues), total).map((invoices) => invoices.map(({ dueMinor }) => dueMinor));

describe('invoices that come to an amount together', () => {
  it.each<[string, number[], number, number[][]]>([
    ['two', [1, 2, 4], 6, [[2, 4]]],
    [
      'the fewest first',
      [1, 2, 3, 6],
      9,
      [
        [3, 6],
        [1, 2, 6],
      ],
    ],
    ['five', [1, 2, 4, 8, 16], 31, [[1, 2, 4, 8, 16]]],
    ['never six', [1, 2, 4, 8, 16, 32], 63, []],
    ['never one', [5, 7], 5, []],
    ['never the same one twice', [3, 10], 6, []],
    ['equal ones, each its own', [3, 3], 6, [[3, 3]]],
    ['none', [1, 2], 9, []],
    ['of none', [], 9, []],
  ])('%s', (_name, dues, total, expected) => {
    expect(found(dues, total)).toEqual(expected);
  });

  it('are sought among the oldest twenty that are small enough', () => {
    const large = Array.from({ length: 500 }, () => 1000);
    const small = Array.from({ length: 18 }, () => 2);
    expect(found([...large, ...small, 300, 400], 700)).toEqual([[300, 400]]);
    expect(found([...small, 2, 2, 300, 400], 700)).toEqual([]);
  });

  it('are found exactly where there are some', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 9 }),
        fc.integer({ min: 1, max: 120 }),
        (dues, total) => {
          const all = Array.from({ length: 2 ** dues.length }, (_, mask) =>
            dues.filter((_due, index) => (mask >> index) % 2 === 1),
          );
          const right = all.filter(
            (each) =>
              each.length >= 2 && each.length <= 5 && each.reduce((sum, due) => sum + due, 0) === total,
          );
          const subsets = found(dues, total);
          expect(subsets).toHaveLength(Math.min(2, right.length));
          expect(subsets[0]?.length).toBe(right.map(({ length }) => length).sort()[0]);
          for (const subset of subsets) expect(right).toContainEqual(subset);
        },
      ),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CryptoLot, type Disposal, dispose, type LotPart } from './crypto-lot.ts';

const lot = (
  id: string,
  acquiredAt: string,
  units: bigint,
  costMinor: number,
  remainingUnits = units,
): CryptoLot => ({
  id,
  asset: 'BTC',
  acquiredAt: `${acquiredAt}T12:00:00.000Z`,
  units,
  remainingUnits,
  costMinor,
});

const sold = (units: bigint, proceedsMinor: number, day = '2027-06-01'): Disposal => ({
  units,
  proceedsMinor,
  at: `${day}T12:00:00.000Z`,
});

/** A coin of 1,000, one of 3,000 and one of 2,000 dollars, in this order of time. */
const three = [
  lot('b', '2026-05-02', 100n, 300_000),
  lot('a', '2026-01-02', 100n, 100_000),
  lot('c', '2027-01-02', 100n, 200_000),
];

function partsOf(result: ReturnType<typeof dispose>): LotPart[] {
  if (!Array.isArray(result)) throw new Error(result.refused);
  return result;
}

describe('what is disposed of comes out of', () => {
  const idsAndUnits = (parts: LotPart[]) => parts.map(({ lotId, units }) => [lotId, units]);

  it('the oldest lots first', () => {
    const parts = partsOf(dispose(three, sold(150n, 900_000), { method: 'fifo' }));
    expect(idsAndUnits(parts)).toEqual([
      ['a', 100n],
      ['b', 50n],
    ]);
    expect(
      parts.map(({ costMinor, proceedsMinor, gainMinor }) => [costMinor, proceedsMinor, gainMinor]),
    ).toEqual([
      [100_000, 600_000, 500_000],
      [150_000, 300_000, 150_000],
    ]);
  });

  it('the dearest lots first', () => {
    const parts = partsOf(dispose(three, sold(250n, 100_000), { method: 'hifo' }));
    expect(idsAndUnits(parts)).toEqual([
      ['b', 100n],
      ['c', 100n],
      ['a', 50n],
    ]);
    expect(parts[0]?.gainMinor).toBe(40_000 - 300_000);
  });

  it('the lots that are named, in that order, and no other', () => {
    const named = { method: 'specific', lotIds: ['c', 'a'] } as const;
    expect(idsAndUnits(partsOf(dispose(three, sold(120n, 1), named)))).toEqual([
      ['c', 100n],
      ['a', 20n],
    ]);
    expect(dispose(three, sold(201n, 1), named)).toEqual({
      refused: 'lots_insufficient',
      availableUnits: 200n,
    });
    expect(dispose(three, sold(1n, 1), { method: 'specific', lotIds: ['x'] })).toEqual({
      refused: 'lot_unknown',
      lotId: 'x',
    });
    const twice = { method: 'specific', lotIds: ['a', 'a'] } as const;
    expect(dispose(three, sold(101n, 1), twice)).toEqual({
      refused: 'lots_insufficient',
      availableUnits: 100n,
    });
  });

  it('no lot that came later, and none that is used up', () => {
    const early = sold(100n, 1, '2026-02-01');
    expect(idsAndUnits(partsOf(dispose(three, early, { method: 'hifo' })))).toEqual([['a', 100n]]);
    const used = [lot('a', '2026-01-02', 100n, 100_000, 0n)];
    expect(dispose(used, early, { method: 'fifo' })).toEqual({
      refused: 'lots_insufficient',
      availableUnits: 0n,
    });
  });
});

it('of two lots of one price or one moment the same one goes first, whatever their order', () => {
  const alike = [lot('y', '2026-01-02', 10n, 100), lot('x', '2026-01-02', 20n, 200)];
  for (const method of ['fifo', 'hifo'] as const) {
    for (const lots of [alike, alike.toReversed()]) {
      expect(partsOf(dispose(lots, sold(1n, 1), { method }))[0]?.lotId).toBe('x');
    }
  }
});

it.each([
  ['2026-03-01', '2027-03-01', false],
  ['2026-03-01', '2027-03-02', true],
  ['2024-02-29', '2025-02-28', false],
  ['2024-02-29', '2025-03-01', true],
])('a lot of %s given away on %s is long-term: %s', (acquired, day, isLongTerm) => {
  const parts = partsOf(dispose([lot('a', acquired, 1n, 1)], sold(1n, 1, day), { method: 'fifo' }));
  expect(parts[0]?.isLongTerm).toBe(isLongTerm);
});

describe('for any lots and any disposals', () => {
  const anyLot = fc.record({ units: fc.bigInt(1n, 10n ** 20n), costMinor: fc.nat(10_000_000) });

  it('the parts of a disposal add up to it, and those of a lot that is used up to its cost', () => {
    fc.assert(
      fc.property(
        fc.array(anyLot, { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 }),
        fc.nat(10_000_000),
        fc.constantFrom('fifo', 'hifo'),
        (given, weights, proceedsMinor, method) => {
          let lots = given.map(({ units, costMinor }, index) =>
            lot(String(index), '2026-01-02', units, costMinor),
          );
          const total = lots.reduce((sum, { units }) => sum + units, 0n);
          const weight = BigInt(weights.reduce((sum, each) => sum + each, 0));
          const amounts = weights.map((each) => (total * BigInt(each)) / weight);
          amounts[0] = (amounts[0] ?? 0n) + total - amounts.reduce((sum, each) => sum + each, 0n);
          const costs = new Map<string, number>();
          for (const units of amounts.filter((each) => each > 0n)) {
            const parts = partsOf(dispose(lots, sold(units, proceedsMinor), { method }));
            expect(parts.reduce((sum, part) => sum + part.units, 0n)).toBe(units);
            expect(parts.reduce((sum, part) => sum + part.proceedsMinor, 0)).toBe(proceedsMinor);
            for (const { lotId, costMinor } of parts) costs.set(lotId, (costs.get(lotId) ?? 0) + costMinor);
            lots = lots.map((each) => {
              const taken = parts.find(({ lotId }) => lotId === each.id)?.units ?? 0n;
              return { ...each, remainingUnits: each.remainingUnits - taken };
            });
          }
          expect(lots.every(({ remainingUnits }) => remainingUnits === 0n)).toBe(true);
          expect([...costs].sort().map(([, cost]) => cost)).toEqual(
            given
              .map(({ costMinor }, index) => [String(index), costMinor] as const)
              .sort()
              .map(([, cost]) => cost),
          );
        },
      ),
    );
  });
});

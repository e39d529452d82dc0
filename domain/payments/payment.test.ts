/** Every unit received is either allocated to the invoice or kept as credit. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocate, technicalRetryKey } from './payment.ts';

const minor = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe('allocate', () => {
  it.each([
    { case: 'the exact amount', amountMinor: 2900, dueMinor: 2900, allocatedMinor: 2900, excessMinor: 0 },
    { case: 'a part', amountMinor: 1000, dueMinor: 2900, allocatedMinor: 1000, excessMinor: 0 },
    { case: 'too much', amountMinor: 3000, dueMinor: 2900, allocatedMinor: 2900, excessMinor: 100 },
    { case: 'a second time', amountMinor: 2900, dueMinor: 0, allocatedMinor: 0, excessMinor: 2900 },
    {
      case: 'on an overpaid invoice',
      amountMinor: 2900,
      dueMinor: -50,
      allocatedMinor: 0,
      excessMinor: 2900,
    },
    { case: 'nothing', amountMinor: 0, dueMinor: 2900, allocatedMinor: 0, excessMinor: 0 },
  ])(
    'paid $case: $allocatedMinor allocated, $excessMinor credit',
    ({ amountMinor, dueMinor, ...expected }) => {
      expect(allocate({ amountMinor, dueMinor })).toMatchObject({
        allocatedMinor: expected.allocatedMinor,
        excessMinor: expected.excessMinor,
      });
    },
  );

  it('never allocates more than is due or more than was received, and never loses a unit', () => {
    fc.assert(
      fc.property(minor, minor, (amountMinor, dueMinor) => {
        const { allocatedMinor, excessMinor } = allocate({ amountMinor, dueMinor });
        expect(allocatedMinor).toBeGreaterThanOrEqual(0);
        expect(allocatedMinor).toBeLessThanOrEqual(Math.min(amountMinor, dueMinor));
        expect(excessMinor).toBeGreaterThanOrEqual(0);
        expect(allocatedMinor + excessMinor).toBe(amountMinor);
        // Credit exists only where the invoice is covered.
        if (excessMinor > 0) expect(allocatedMinor).toBe(dueMinor);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the repeat of a technical failure', () => {
  it('is known by its planned instant: planned anew, it is another one', () => {
    expect(technicalRetryKey('2025-01-31T10:15:00.000Z')).toBe('retry:2025-01-31T10:15:00.000Z');
  });
});

/** MRR by interval, from sums of movements: every interval begins as the one before has ended. */
import { type Fraction, fraction, sum, zero } from './fraction.ts';
import { customerChange, endOf, type MovementKind, type MovementSums, movementKinds, sumsOf } from './mrr.ts';

/** Movements of one kind and currency in one interval, added up over one denominator. */
export type MovementTotal = {
  currency: string;
  kind: MovementKind;
  /** From 1 on; 0 is everything before the first interval. */
  interval: number;
  numerator: bigint;
  denominator: bigint;
  movements: number;
};

export type MrrInterval = {
  start: Fraction;
  sums: MovementSums;
  end: Fraction;
  counts: Record<MovementKind, number>;
  /** Paying customers. */
  startCustomers: number;
  endCustomers: number;
};

/** One list of `count` intervals for every currency in which anything has ever moved, by its code. */
export function mrrByCurrency(totals: readonly MovementTotal[], count: number): Map<string, MrrInterval[]> {
  const byCurrency = Map.groupBy(totals, ({ currency }) => currency);
  const sorted = [...byCurrency].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return new Map(sorted.map(([currency, own]) => [currency, mrrIntervals(own, count)]));
}

/** The intervals of one currency. */
export function mrrIntervals(totals: readonly MovementTotal[], count: number): MrrInterval[] {
  const byInterval = Map.groupBy(totals, ({ interval }) => interval);
  const before = byInterval.get(0) ?? [];
  const intervals: MrrInterval[] = [];
  let start = sum(before.map(changeOf));
  let startCustomers = customersOf(before);
  for (let index = 1; index <= count; index += 1) {
    const own = byInterval.get(index) ?? [];
    const sums = sumsOf(own.map((total) => ({ kind: total.kind, change: changeOf(total) })));
    const end = endOf(start, sums);
    const endCustomers = startCustomers + customersOf(own);
    intervals.push({ start, sums, end, counts: countsOf(own), startCustomers, endCustomers });
    [start, startCustomers] = [end, endCustomers];
  }
  return intervals;
}

function changeOf({ numerator, denominator }: MovementTotal): Fraction {
  return numerator === 0n ? zero : fraction(numerator, denominator);
}

function customersOf(totals: readonly MovementTotal[]): number {
  return totals.reduce((customers, { kind, movements }) => customers + customerChange(kind) * movements, 0);
}

function countsOf(totals: readonly MovementTotal[]): Record<MovementKind, number> {
  const countOf = (kind: MovementKind) =>
    totals.reduce((count, each) => count + (each.kind === kind ? each.movements : 0), 0);
  return Object.fromEntries(movementKinds.map((kind) => [kind, countOf(kind)])) as Record<
    MovementKind,
    number
  >;
}

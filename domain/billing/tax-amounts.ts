/**
 * The arithmetic of tax. The tax of a rate is rounded once, on its whole base, half away from zero; then it is spread over
 * the lines so that their parts sum to it exactly (largest remainder). Parts of a rate (CGST and SGST) are floor and
 * remainder of its tax (knowledge: billing §1.8, vectors V-C). All of it in integers.
 */
import { divideHalfAway } from './proration.ts';
import { shareOf, type TaxKind, wholeShare } from './tax-rate.ts';

/** A part of a rate that is shown, and paid to somebody, apart. */
export type TaxComponent = {
  /** `VAT`, `CGST` */
  name: string;
  kind: TaxKind;
  percent: string;
  /** Who gets it: `DE`, `IN-29`, `US-CA`. */
  jurisdiction: string;
};

/** A rate as it is applied to a line. The percents of its components sum to its own. */
export type AppliedRate = { percent: string; components: readonly TaxComponent[] };

/** How a line is taxed: by which rates, none for no tax, and whether its amount contains them. */
export type LineTaxation = { rates: readonly AppliedRate[]; isInclusive: boolean };

export type LineTax = TaxComponent & { baseMinor: number; amountMinor: number };

export type TaxedLine = {
  netMinor: number;
  taxMinor: number;
  /** By component; they sum to the line's tax. */
  taxes: readonly LineTax[];
};

/** Taxes the lines of one invoice. A negative line carries negative tax. */
export function taxLines(
  lines: readonly { amountMinor: number; taxation: LineTaxation }[],
): readonly TaxedLine[] {
  const taxed: TaxedLine[] = lines.map(({ amountMinor }) => ({
    netMinor: amountMinor,
    taxMinor: 0,
    taxes: [],
  }));
  const groups = Map.groupBy(lines.entries(), ([, { taxation }]) => keyOf(taxation));
  for (const group of groups.values()) {
    const indexes = group.map(([index]) => index);
    const amounts = group.map(([, { amountMinor }]) => amountMinor);
    const taxation = group[0]?.[1].taxation ?? { rates: [], isInclusive: false };
    const results = taxGroup(amounts, taxation);
    for (const [position, index] of indexes.entries()) {
      const result = results[position];
      if (result !== undefined) taxed[index] = result;
    }
  }
  return taxed;
}

/** The same for lines that are taxed alike, whatever order a store has brought the fields of their rates into. */
function keyOf({ rates, isInclusive }: LineTaxation): string {
  const keys = rates.map(({ percent, components }) => [
    percent,
    components.map(({ name, kind, percent: part, jurisdiction }) => [name, kind, part, jurisdiction]),
  ]);
  return JSON.stringify([isInclusive, keys]);
}

/** Lines that are taxed alike. */
function taxGroup(amounts: readonly number[], { rates, isInclusive }: LineTaxation): TaxedLine[] {
  const taxesByRate = isInclusive ? taxesWithin(amounts, rates) : rates.map((rate) => taxOn(amounts, rate));
  return amounts.map((amountMinor, line) => {
    const taxMinor = taxesByRate.reduce((sum, taxes) => sum + (taxes[line] ?? 0), 0);
    const netMinor = isInclusive ? amountMinor - taxMinor : amountMinor;
    const taxes = rates.flatMap((rate, index) => {
      const parts = splitColumns(taxesByRate[index] ?? [], rate.components);
      return rate.components.map((component, column) => ({
        ...component,
        baseMinor: netMinor,
        amountMinor: parts[column]?.[line] ?? 0,
      }));
    });
    return { netMinor, taxMinor, taxes };
  });
}

/** The tax of one rate on net amounts, by line. */
function taxOn(amounts: readonly number[], { percent }: AppliedRate): number[] {
  const share = shareOf(percent);
  const exact = amounts.map((amount) => BigInt(amount) * share);
  return spread(exact, wholeShare, divideHalfAway(sumOf(exact), wholeShare)).map(Number);
}

/** The taxes that gross amounts contain, by rate and line: all rates together are rounded once. */
function taxesWithin(amounts: readonly number[], rates: readonly AppliedRate[]): number[][] {
  const together = sumOf(rates.map(({ percent }) => shareOf(percent)));
  const exact = amounts.map((amount) => BigInt(amount) * together);
  const gross = wholeShare + together;
  return splitColumns(spread(exact, gross, divideHalfAway(sumOf(exact), gross)).map(Number), rates);
}

/**
 * Splits rows by weight into columns: each column's sum is that share of the whole without its fraction, the last column
 * takes the rest. So 17983 in halves is 8991 and 8992, and each row's parts sum to the row.
 */
function splitColumns(rows: readonly number[], parts: readonly { percent: string }[]): number[][] {
  const weights = parts.map(({ percent }) => shareOf(percent));
  let left = rows.map(BigInt);
  let leftWeight = sumOf(weights);
  return weights.map((weight, column) => {
    if (leftWeight === 0n) return rows.map(() => 0);
    const isLast = column === weights.length - 1;
    const exact = left.map((row) => row * weight);
    const part = isLast ? left : spread(exact, leftWeight, sumOf(exact) / leftWeight);
    left = left.map((row, index) => row - (part[index] ?? 0n));
    leftWeight -= weight;
    return part.map(Number);
  });
}

/**
 * Whole numbers near the exact fractions that sum to `total`: each is cut down, and the largest fractions get what is
 * missing. `total` is the sum of the fractions, rounded one way or the other, so that an exact number stays as it is.
 */
function spread(exact: readonly bigint[], denominator: bigint, total: bigint): bigint[] {
  const parts = exact.map((numerator) => floorDivide(numerator, denominator));
  const fractions = exact.map((numerator, index) => numerator - (parts[index] ?? 0n) * denominator);
  const largestFirst = [...exact.keys()].sort((a, b) => compare(fractions[b] ?? 0n, fractions[a] ?? 0n));
  const missing = Number(total - sumOf(parts));
  for (const index of largestFirst.slice(0, missing)) parts[index] = (parts[index] ?? 0n) + 1n;
  return parts;
}

/**
 * The tax in a part of an invoice's total, half away from zero; all of it for the whole. Of several parts the tax is the
 * difference between the sums, so that they too sum to all of it.
 */
export function taxPart(
  { taxMinor, totalMinor }: { taxMinor: number; totalMinor: number },
  partMinor: number,
): number {
  if (totalMinor === 0) return 0;
  const within = Math.min(partMinor, totalMinor);
  return Number(divideHalfAway(BigInt(taxMinor) * BigInt(within), BigInt(totalMinor)));
}

/** A total in parts that sum to it, in proportion to the weights, by largest remainder; nothing where these are nothing. */
export function inProportion(totalMinor: number, weights: readonly number[]): number[] {
  const denominator = sumOf(weights.map(BigInt));
  if (denominator === 0n) return weights.map(() => 0);
  const exact = weights.map((weight) => BigInt(totalMinor) * BigInt(weight));
  return spread(exact, denominator, BigInt(totalMinor)).map(Number);
}

function floorDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend < 0n && quotient * divisor !== dividend ? quotient - 1n : quotient;
}

function compare(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function sumOf(parts: readonly bigint[]): bigint {
  return parts.reduce((sum, part) => sum + part, 0n);
}

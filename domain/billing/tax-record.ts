/**
 * What a tax engine is told of an invoice after it was issued, in lines: the sale as it was calculated, and what is taken
 * back of it. All parts that are taken back are above zero; together they are never more than the sale.
 */
import { inProportion } from './tax-amounts.ts';

export type RecordedLine = {
  /** By which the engine was asked about the line. */
  reference: string;
  lineId: string;
  netMinor: number;
  taxMinor: number;
};

/** A part of a sale, tax included, spread over its lines as they bear it. */
export function partOfSale(
  lines: readonly RecordedLine[],
  { totalMinor, taxMinor }: { totalMinor: number; taxMinor: number },
): RecordedLine[] {
  const nets = inProportion(
    totalMinor - taxMinor,
    lines.map((line) => line.netMinor),
  );
  const taxes = inProportion(
    taxMinor,
    lines.map((line) => line.taxMinor),
  );
  return withoutEmpty(
    lines.map((line, index) => ({ ...line, netMinor: nets[index] ?? 0, taxMinor: taxes[index] ?? 0 })),
  );
}

/** What is left of a sale after these parts were taken back. */
export function restOfSale(
  lines: readonly RecordedLine[],
  takenBack: readonly RecordedLine[],
): RecordedLine[] {
  return withoutEmpty(
    lines.map((line) => {
      const parts = takenBack.filter(({ reference }) => reference === line.reference);
      return {
        ...line,
        netMinor: parts.reduce((left, { netMinor }) => left - netMinor, line.netMinor),
        taxMinor: parts.reduce((left, { taxMinor }) => left - taxMinor, line.taxMinor),
      };
    }),
  );
}

function withoutEmpty(lines: readonly RecordedLine[]): RecordedLine[] {
  return lines.filter(({ netMinor, taxMinor }) => netMinor !== 0 || taxMinor !== 0);
}

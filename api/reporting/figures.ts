/** Figures of reports: each says where the rows are that it was added up from. */
import { z } from 'zod';
import { type Fraction, inFull, rounded } from '../../domain/reporting/fraction.ts';
import { signedAmount } from '../schemas.ts';

const rows = z.string().meta({
  description: 'The rows it comes from, page by page.',
  example: '/v1/reports/mrr/movements?from=2026-11-01&to=2026-11-30&currency=USD&kind=new',
});

const exact = z.string().meta({
  description: 'Before rounding: a whole number or a fraction of minor units.',
  example: '6500/3',
});

/** An amount that was rounded to be shown. */
export const mrrFigure = z.object({ amountMinor: signedAmount, exact, rows }).meta({
  id: 'MrrFigure',
  example: { amountMinor: 2167, exact: '6500/3', rows: '/v1/reports/mrr/movements' },
});

export const amountFigure = z.object({ amountMinor: signedAmount, rows }).meta({ id: 'AmountFigure' });

export const countFigure = z.object({ count: z.int(), rows }).meta({ id: 'CountFigure' });

export const exactAmount = z.object({ amountMinor: signedAmount, exact }).meta({ id: 'ExactAmount' });

export type MrrFigure = z.infer<typeof mrrFigure>;

/** `amountMinor` where the rule of rounding, and not the nearest unit, decides. */
export function toMrrFigure(value: Fraction, query: RowsQuery, amountMinor = rounded(value)): MrrFigure {
  return { amountMinor, exact: inFull(value), rows: movementRows(query) };
}

export type RowsQuery = Record<string, string | undefined>;

export function movementRows(query: RowsQuery): string {
  return rowsAt('/v1/reports/mrr/movements', query);
}

export function entryRows(query: RowsQuery): string {
  return rowsAt('/v1/reports/revenue/entries', query);
}

function rowsAt(path: string, query: RowsQuery): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return `${path}?${new URLSearchParams(given)}`;
}

/**
 * Pages: `?limit=&cursor=` → `{data, nextCursor}`. A cursor is the id (or name) after which the next page begins, so a
 * page never shifts while rows are added; callers treat it as opaque.
 */
import { z } from 'zod';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;

/** Parameters of every list. `cursorPattern` is what this list's cursors look like. */
export function pageQuery(cursorPattern: RegExp) {
  return {
    limit: z
      .preprocess(
        (value) => (typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : value),
        z.int().min(1).max(LIMIT_MAX).default(LIMIT_DEFAULT),
      )
      .meta({ description: 'How many to return.' }),
    cursor: z
      .string()
      .regex(cursorPattern)
      .optional()
      .meta({ description: 'Where to go on: the `nextCursor` of the page before.' }),
  };
}

/** The answer of every list. */
export function pageOf(item: z.ZodType) {
  return z.object({
    data: z.array(item),
    nextCursor: z
      .string()
      .nullable()
      .meta({ description: 'Send it as `cursor` for the next page; null on the last one.' }),
  });
}

/** Reads one row more than the page holds, to know whether there is a next one. */
export async function page<Row, Item>({
  limit,
  fetch,
  cursorOf,
  toItem,
}: {
  limit: number;
  fetch: (limit: number) => Promise<Row[]>;
  cursorOf: (row: Row) => string;
  toItem: (row: Row) => Item;
}): Promise<{ data: Item[]; nextCursor: string | null }> {
  const rows = await fetch(limit + 1);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    data: shown.map(toItem),
    nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null,
  };
}

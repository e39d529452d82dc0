/**
 * Cursors: where in the log of an Item a reader is. Opaque to the reader. One that leads to a next page also remembers where
 * the reading began and how long the log was then, so that a log that has changed meanwhile is noticed.
 */
import type { Item } from './context.ts';
import { refusal } from './errors.ts';

export type Cursor = {
  itemId: string;
  /** Only the movements of this account, with a stream of its own; all of them when null. */
  accountId: string | null;
  /** Where the reading began: what was added after it is new to the reader. */
  from: number;
  /** The last change that the reader has. */
  at: number;
  /** Between two pages: the length of the log at the first of them. */
  upTo: number | null;
};

export function encodeCursor({ itemId, accountId, from, at, upTo }: Cursor): string {
  return Buffer.from(JSON.stringify([itemId, accountId, from, at, upTo])).toString('base64');
}

/** Throws Plaid's refusals: of a cursor that is of another Item or none, and of a log that changed between two pages. */
export function readCursor(
  text: string | undefined,
  { item, accountId }: { item: Item; accountId: string | null },
): Cursor {
  if (text === undefined || text === '') return { itemId: item.id, accountId, from: 0, at: 0, upTo: null };
  if (text === 'now') return { itemId: item.id, accountId, from: item.seq, at: item.seq, upTo: null };
  const cursor = decodeCursor(text);
  if (cursor?.itemId !== item.id || cursor.accountId !== accountId || cursor.at > item.seq) {
    throw refusal('INVALID_FIELD', 'cursor not associated with access_token');
  }
  if (cursor.upTo !== null && cursor.upTo !== item.seq) {
    throw refusal('TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION');
  }
  return cursor;
}

function decodeCursor(text: string): Cursor | null {
  try {
    const [itemId, accountId, from, at, upTo] = JSON.parse(Buffer.from(text, 'base64').toString()) as [
      string,
      string | null,
      number,
      number,
      number | null,
    ];
    return { itemId, accountId, from, at, upTo };
  } catch {
    return null;
  }
}

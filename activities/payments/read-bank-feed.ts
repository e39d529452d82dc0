/**
 * Everything that has changed since a cursor, page by page to the last one. Nothing of it may be kept before: where the log
 * changes between two pages, the reading begins again at its first cursor.
 */

import type { BankReading } from '../../db/queries/payments/save-bank-reading.ts';
import { bankConnectionPolicy } from '../../domain/payments/bank-connection.ts';
import { type BankFeed, BankFeedError } from '../../domain/payments/bank-feed.ts';

/**
 * Null while the feed has not read the bank for the first time. Throws as the feed does; `changed_while_reading` only where the
 * log does not come to rest. A cursor that the feed does not know (any more) is begun anew: what is kept is told again then.
 */
export async function readBankFeed(
  feed: BankFeed,
  { accessToken, cursor }: { accessToken: string; cursor: string | null },
): Promise<BankReading | null> {
  let from = cursor;
  for (let restarts = 0; ; restarts += 1) {
    try {
      return await readPages(feed, { accessToken, from });
    } catch (error) {
      if (!(error instanceof BankFeedError)) throw error;
      if (error.reason === 'not_ready') return null;
      if (error.reason === 'cursor_unknown' && from !== null) from = null;
      else if (error.reason !== 'changed_while_reading') throw error;
      if (restarts >= bankConnectionPolicy.restartsMax) throw error;
    }
  }
}

async function readPages(
  feed: BankFeed,
  { accessToken, from }: { accessToken: string; from: string | null },
): Promise<BankReading | null> {
  const reading: BankReading = { from, cursor: from ?? '', told: [], removed: [], unreadable: [] };
  for (let cursor = from; ; cursor = reading.cursor) {
    const page = await feed.sync({ accessToken, cursor });
    if (!page.isReady) return null;
    reading.told.push(...page.added, ...page.modified);
    reading.removed.push(...page.removed);
    reading.unreadable.push(...page.unreadable);
    reading.cursor = page.nextCursor;
    if (!page.hasMore) return reading;
  }
}

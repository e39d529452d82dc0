/**
 * Everything that has changed since a cursor, page by page to the last one. Nothing of it may be kept before: where the log
 * changes between two pages, the reading begins again at its first cursor. A feed that wants no more questions for a while is
 * asked for the same page after it, so that a reading longer than what it answers in a minute comes to its end.
 */

import type { BankReading } from '../../db/queries/payments/save-bank-reading.ts';
import { VendorError } from '../../domain/errors.ts';
import { bankConnectionPolicy, retryDelayMs } from '../../domain/payments/bank-connection.ts';
import { type BankFeed, BankFeedError, type FeedPage } from '../../domain/payments/bank-feed.ts';

/** The feed, and how to let so many milliseconds pass. */
export type FeedReader = { feed: BankFeed; wait: (ms: number) => Promise<void> };

/**
 * Null while the feed has not read the bank for the first time. Throws as the feed does; `changed_while_reading` only where the
 * log does not come to rest, `rate_limited` at the first page of a look (`isFirst`), and where the feed answers nothing for
 * minutes. A cursor that the feed does not know (any more) is begun anew: what is kept is told again then.
 */
export async function readBankFeed(
  reader: FeedReader,
  { accessToken, cursor, isFirst = true }: { accessToken: string; cursor: string | null; isFirst?: boolean },
): Promise<BankReading | null> {
  let from = cursor;
  for (let restarts = 0; ; restarts += 1) {
    try {
      return await readPages(reader, { accessToken, from, isFirst: isFirst && restarts === 0 });
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
  reader: FeedReader,
  { accessToken, from, isFirst }: { accessToken: string; from: string | null; isFirst: boolean },
): Promise<BankReading | null> {
  const reading: BankReading = { from, cursor: from ?? '', told: [], removed: [], unreadable: [] };
  const first = { accessToken, cursor: from };
  let page = isFirst ? await reader.feed.sync(first) : await nextPage(reader, first);
  while (page.isReady) {
    reading.told.push(...page.added, ...page.modified);
    reading.removed.push(...page.removed);
    reading.unreadable.push(...page.unreadable);
    reading.cursor = page.nextCursor;
    if (!page.hasMore) return reading;
    page = await nextPage(reader, { accessToken, cursor: reading.cursor });
  }
  return null;
}

async function nextPage(
  { feed, wait }: FeedReader,
  input: { accessToken: string; cursor: string | null },
): Promise<FeedPage> {
  for (let waits = 1; ; waits += 1) {
    try {
      return await feed.sync(input);
    } catch (error) {
      const isLimited = error instanceof VendorError && error.code === 'rate_limited';
      if (!isLimited || waits > bankConnectionPolicy.waitsForPageMax) throw error;
      await wait(Math.max(retryDelayMs(waits, Math.random()), error.retryAfterMs ?? 0));
    }
  }
}

import { expect, test } from 'vitest';
import { VendorError } from '../../domain/errors.ts';
import { bankConnectionPolicy } from '../../domain/payments/bank-connection.ts';
import { type BankFeed, BankFeedError, type FeedPage } from '../../domain/payments/bank-feed.ts';
import { readBankFeed } from './read-bank-feed.ts';

const limited = () => new VendorError({ code: 'rate_limited', message: 'Plaid: TRANSACTIONS_LIMIT' });
const { waitsForPageMax } = bankConnectionPolicy;

test('a reading that is longer than what the feed answers in a minute waits, and asks for the same page again', async () => {
  const { asked, waits, read } = feedOf({ pages: 60, refusals: new Map([[50, 3]]) });
  expect(await read()).toMatchObject({ from: null, cursor: '60' });
  expect(asked).toHaveLength(63);
  expect(asked.slice(49, 54)).toEqual(['49', '50', '50', '50', '50']);
  expect(waits).toHaveLength(3);
  for (const ms of waits) expect(ms).toBeGreaterThanOrEqual(1_000);
});

test('waits are counted from page to page, and are twice as long each time', async () => {
  const { waits, read } = feedOf({
    pages: 5,
    refusals: new Map([
      [2, waitsForPageMax],
      [4, waitsForPageMax],
    ]),
  });
  expect(await read()).toMatchObject({ cursor: '5' });
  expect(waits).toHaveLength(2 * waitsForPageMax);
  expect(waits[waitsForPageMax - 1]).toBeGreaterThan(30_000);
  expect(waits[waitsForPageMax]).toBeLessThanOrEqual(2_000);
});

test.each([
  [
    'answers nothing for minutes',
    { pages: 5, refusals: new Map([[2, waitsForPageMax + 1]]) },
    waitsForPageMax,
  ],
  ['refuses the first page, of which nothing would be lost', { pages: 5, refusals: new Map([[0, 1]]) }, 0],
])('a feed that %s is given up for now', async (_, bank, waited) => {
  const { waits, read } = feedOf(bank);
  await expect(read()).rejects.toMatchObject({ code: 'rate_limited' });
  expect(waits).toHaveLength(waited);
});

test('a reading that begins again, or after another one, waits for its first page as well', async () => {
  const changed = new BankFeedError({ reason: 'changed_while_reading', message: 'changed' });
  const again = feedOf({ pages: 3, refusals: new Map(), failures: new Map([[2, changed]]) });
  again.afterFailure = () => again.refusals.set(0, 2);
  expect(await again.read()).toMatchObject({ cursor: '3' });
  expect(again.waits).toHaveLength(2);
  const history = feedOf({ pages: 2, refusals: new Map([[0, 1]]) });
  expect(await history.read({ isFirst: false })).toMatchObject({ cursor: '2' });
  expect(history.waits).toHaveLength(1);
});

/** `refusals`: how often a page is refused before it is answered. */
function feedOf({
  pages,
  refusals,
  failures = new Map(),
}: {
  pages: number;
  refusals: Map<number, number>;
  failures?: Map<number, Error>;
}) {
  const asked: string[] = [];
  const waits: number[] = [];
  const sync = async ({ cursor }: { cursor: string | null }): Promise<FeedPage> => {
    const at = Number(cursor ?? 0);
    asked.push(String(at));
    const left = refusals.get(at) ?? 0;
    refusals.set(at, left - 1);
    if (left > 0) throw limited();
    const failure = failures.get(at);
    if (failure !== undefined) {
      failures.delete(at);
      made.afterFailure();
      throw failure;
    }
    const nothing = { added: [], modified: [], removed: [], unreadable: [] };
    return { ...nothing, nextCursor: String(at + 1), hasMore: at + 1 < pages, isReady: true };
  };
  const wait = async (ms: number) => {
    waits.push(ms);
  };
  const feed = { sync } as Partial<BankFeed> as BankFeed;
  const made = {
    asked,
    waits,
    refusals,
    afterFailure: () => {},
    read: (more: { isFirst?: boolean } = {}) =>
      readBankFeed({ feed, wait }, { accessToken: 'a', cursor: null, ...more }),
  };
  return made;
}

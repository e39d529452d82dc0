/** How long a price source that failed is left alone. */
import { expect, it } from 'vitest';
import { afterFailure, mayAsk, noBackoff, type PriceBackoff } from './price-backoff.ts';

const at = new Date('2031-03-03T10:00:00.000Z');

function waitOf({ retryAt }: PriceBackoff): number {
  return (Date.parse(retryAt ?? '') - at.getTime()) / 1000;
}

it('doubles from 5 seconds to 5 minutes, and stays there', () => {
  const waits: number[] = [];
  for (let state = noBackoff; waits.length < 9; ) {
    state = afterFailure(state, { at });
    waits.push(waitOf(state));
  }
  expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
});

it('after a thousand failures is still an instant', () => {
  expect(afterFailure({ failures: 5_000, retryAt: null }, { at })).toEqual({
    failures: 5_001,
    retryAt: '2031-03-03T10:05:00.000Z',
  });
});

it.each([
  ['longer', 60_000, 60],
  ['longer than ours ever gets', 900_000, 900],
  ['shorter than ours', 1_000, 5],
  ['absurdly long', 10 ** 15, 86_400],
  ['no number', Number.NaN, 5],
  ['negative', -60_000, 5],
])('what the source asks for is kept where it is %s', (_what, retryAfterMs, seconds) => {
  expect(waitOf(afterFailure(noBackoff, { at, retryAfterMs }))).toBe(seconds);
});

it('ends at the instant it names', () => {
  const state = afterFailure(noBackoff, { at });
  expect(mayAsk(noBackoff, at)).toBe(true);
  expect(mayAsk(state, new Date('2031-03-03T10:00:04.999Z'))).toBe(false);
  expect(mayAsk(state, new Date('2031-03-03T10:00:05.000Z'))).toBe(true);
});

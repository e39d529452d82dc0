import { expect, it } from 'vitest';
import { refusedPrices, retryAfterMsOf } from './ask.ts';

const now = new Date('2031-03-03T10:00:00.000Z');

it.each([
  ['30', 30_000],
  ['0', 0],
  ['Mon, 03 Mar 2031 10:01:00 GMT', 60_000],
  ['Mon, 03 Mar 2031 09:00:00 GMT', 0],
  ['soon', null],
  ['', null],
  [null, null],
])('Retry-After: %s is %s milliseconds', (header, ms) => {
  expect(retryAfterMsOf(header, now)).toBe(ms);
});

it.each([
  [429, 'rate_limited'],
  [403, 'vendor_rejected_request'],
  [500, 'vendor_unavailable'],
  [503, 'vendor_unavailable'],
])('status %i is %s', (status, code) => {
  expect(refusedPrices('Kraken', { status, headers: new Headers() }, now)).toMatchObject({
    code,
    message: `Kraken: status ${status}`,
    retryAfterMs: undefined,
  });
});

/** Instants in words and exact days. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addDays, inWords, realDayMs } from './instant.ts';

const runs = { numRuns: 1_000 };
const instant = fc
  .date({ min: new Date('2000-01-01T00:00:00Z'), max: new Date('2099-12-31T23:59:59Z'), noInvalidDate: true })
  .map((date) => date.toISOString());

describe('inWords', () => {
  it.each([
    ['2025-12-02T10:00:00.000Z', 'Tue 2 Dec 2025 10:00 UTC'],
    ['2024-02-29T23:59:59.999Z', 'Thu 29 Feb 2024 23:59 UTC'],
    ['2026-01-01T00:00:00Z', 'Thu 1 Jan 2026 00:00 UTC'],
    ['2025-03-15T11:00:00-04:00', 'Sat 15 Mar 2025 15:00 UTC'],
  ])('%s reads %s', (at, words) => {
    expect(inWords(at)).toBe(words);
  });

  it('names the right weekday and month for any instant, in UTC', () => {
    const reference = new Intl.DateTimeFormat('en-GB', {
      timeZone: 'UTC',
      weekday: 'short',
      day: 'numeric',
      month: 'long',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    fc.assert(
      fc.property(instant, (at) => {
        const part = Object.fromEntries(
          reference.formatToParts(new Date(at)).map(({ type, value }) => [type, value]),
        );
        const month = part['month']?.slice(0, 3);
        expect(inWords(at)).toBe(
          `${part['weekday']} ${part['day']} ${month} ${part['year']} ${part['hour']}:${part['minute']} UTC`,
        );
      }),
      runs,
    );
  });

  it('refuses what is not an instant', () => {
    expect(() => inWords('soon')).toThrow(RangeError);
  });
});

describe('addDays', () => {
  it.each([
    ['2025-03-01T15:00:00.000Z', 14, '2025-03-15T15:00:00.000Z'],
    ['2025-03-01T15:00:00.000Z', 0, '2025-03-01T15:00:00.000Z'],
    ['2025-03-01T15:00:00.000Z', -1, '2025-02-28T15:00:00.000Z'],
    ['2024-02-28T00:00:00.000Z', 1, '2024-02-29T00:00:00.000Z'],
    ['2025-03-01T15:00:00.000Z', 23 / 24, '2025-03-02T14:00:00.000Z'],
  ])('%s plus %d days is %s', (at, days, expected) => {
    expect(addDays(at, days, realDayMs)).toBe(expected);
  });

  it('counts exact days of the given length and can be undone', () => {
    const days = fc.integer({ min: -3650, max: 3650 });
    const dayMs = fc.constantFrom(realDayMs, 5_000, 1_000);
    fc.assert(
      fc.property(instant, days, dayMs, (at, count, length) => {
        const later = addDays(at, count, length);
        expect(Date.parse(later) - Date.parse(at)).toBe(count * length);
        expect(addDays(later, -count, length)).toBe(at);
      }),
      runs,
    );
  });

  it('has days of 24 hours outside of a demo', () => {
    expect(realDayMs).toBe(24 * 60 * 60 * 1000);
  });
});

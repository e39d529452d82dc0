import { expect, it } from 'vitest';
import { heldAgain, holdInWords } from './tax-hold.ts';

const since = '2026-11-26T10:00:00.000Z';
const reason = 'engine_unavailable';

it('begins with a minute', () => {
  expect(heldAgain(null, { reason, at: since })).toEqual({
    reason,
    since,
    until: '2026-11-26T10:01:00.000Z',
  });
});

it.each([
  ['2026-11-26T10:00:30.000Z', '2026-11-26T10:01:30.000Z'],
  ['2026-11-26T10:20:00.000Z', '2026-11-26T10:40:00.000Z'],
  ['2026-11-26T11:00:00.000Z', '2026-11-26T12:00:00.000Z'],
  ['2026-12-26T11:00:00.000Z', '2026-12-26T12:00:00.000Z'],
])('at %s it waits as long again as it has, at most an hour: until %s', (at, until) => {
  const before = { reason, since, until: at } as const;
  expect(heldAgain(before, { reason: 'engine_refused', at })).toEqual({
    reason: 'engine_refused',
    since,
    until,
  });
});

it('waits up to a day for an address, whose change ends the wait', () => {
  const before = { reason: 'location_invalid', since, until: since } as const;
  const at = '2026-12-26T11:00:00.000Z';
  expect(heldAgain(before, { reason: 'location_invalid', at }).until).toBe('2026-12-27T11:00:00.000Z');
});

it('says what is missing', () => {
  expect(holdInWords('location_invalid')).toContain('mend it');
  expect(holdInWords('engine_refused')).toContain('settings');
  expect(holdInWords('engine_unavailable')).toContain('does not answer');
});

/** A reminder on each of its days, and never one for a day that another has passed. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { realDayMs } from '../instant.ts';
import { dueReminder, remindedIfDueBefore, reminderDays } from './invoice-reminder.ts';

const dueAt = '2026-12-01T10:00:40.000Z';

it('comes 3, 7 and 14 days after the due date', () => {
  expect(reminderDays).toEqual([3, 7, 14]);
});

it.each([
  ['the eve of the first day', '2026-12-03T23:59:59.999Z', 0, null],
  ['the first day, by a run that comes earlier than that of the issue', '2026-12-04T10:00:05.000Z', 0, 3],
  ['the first day again', '2026-12-04T10:00:50.000Z', 3, null],
  ['the eve of the second', '2026-12-07T23:59:59.999Z', 3, null],
  ['the second day', '2026-12-08T00:00:00.000Z', 3, 7],
  ['the second day, when the first was missed', '2026-12-08T10:00:00.000Z', 0, 7],
  ['the third day', '2026-12-15T10:00:00.000Z', 7, 14],
  ['a year later, when all were missed', '2027-12-15T10:00:00.000Z', 0, 14],
  ['a year later', '2027-12-15T10:00:00.000Z', 14, null],
])('on %s', (_when, now, remindedDays, expected) => {
  expect(dueReminder({ dueAt, remindedDays, now, dayMs: realDayMs })).toBe(expected);
});

it('takes days as long as the tenant has them', () => {
  const now = '2026-12-01T10:00:43.000Z';
  expect(dueReminder({ dueAt, remindedDays: 0, now, dayMs: 1000 })).toBe(3);
});

it('what is due before the bound, and nothing else, has had its first day', () => {
  const instant = fc.integer({ min: 0, max: 4e12 });
  fc.assert(
    fc.property(instant, fc.integer({ min: -20, max: 20 }), instant, (nowMs, days, within) => {
      const now = new Date(nowMs).toISOString();
      const due = new Date(Math.max(0, nowMs + days * realDayMs + (within % realDayMs))).toISOString();
      const isFirstDayOver = dueReminder({ dueAt: due, remindedDays: 0, now, dayMs: realDayMs }) !== null;
      expect(due < remindedIfDueBefore(now, realDayMs)).toBe(isFirstDayOver);
    }),
  );
});

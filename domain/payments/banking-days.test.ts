import { describe, expect, it } from 'vitest';
import { businessDaysLater, calendarDaysOf } from './banking-days.ts';

describe('business days', () => {
  it.each([
    ['2026-03-02', 5, 7, '2026-03-09'],
    ['2026-03-05', 1, 1, '2026-03-06'],
    ['2026-03-05', 2, 4, '2026-03-09'],
    ['2026-03-06', 1, 3, '2026-03-09'],
    ['2026-03-07', 1, 2, '2026-03-09'],
    ['2026-03-08', 1, 1, '2026-03-09'],
    ['2026-03-07', 0, 0, '2026-03-07'],
    ['2026-03-06', 10, 14, '2026-03-20'],
    ['2026-12-30', 3, 5, '2027-01-04'],
    ['2028-02-28', 2, 2, '2028-03-01'],
  ])('%s and %i of them: %i days later, %s', (day, count, days, later) => {
    expect(calendarDaysOf(day, count)).toBe(days);
    expect(businessDaysLater(day, count)).toBe(later);
  });

  it.each([-1, 1.5, Number.NaN])('%d is no number of days', (count) => {
    expect(() => businessDaysLater('2026-03-05', count)).toThrow(
      `A number of business days is a whole number from 0 on, not ${count}`,
    );
  });
});

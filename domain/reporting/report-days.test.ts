import { describe, expect, it } from 'vitest';
import { boundariesOf, dayAt, daysIn, intervalsOf, startOfDay, timeOnDay } from './report-days.ts';

describe('days of a report', () => {
  it('are the tenant’s: an instant late in UTC is the next day east of it', () => {
    expect(dayAt('2026-11-26T23:30:00Z', 'UTC')).toBe('2026-11-26');
    expect(dayAt('2026-11-26T23:30:00Z', 'Europe/Berlin')).toBe('2026-11-27');
    expect(dayAt('2026-11-26T23:30:00Z', 'America/New_York')).toBe('2026-11-26');
  });

  it('begin at midnight, or where clocks skip it, at the first instant there is', () => {
    expect(startOfDay('2026-11-26', 'Europe/Berlin')).toBe('2026-11-25T23:00:00.000Z');
    expect(startOfDay('2018-11-04', 'America/Sao_Paulo')).toBe('2018-11-04T03:00:00.000Z');
    expect(timeOnDay('2026-11-26', '08:00', 'Asia/Kolkata')).toBe('2026-11-26T02:30:00.000Z');
  });

  it('tile a range of months, whole ones and parts, without gap or overlap', () => {
    expect(intervalsOf({ from: '2026-01-31', to: '2026-03-01' }, 'month')).toEqual([
      { from: '2026-01-31', to: '2026-01-31' },
      { from: '2026-02-01', to: '2026-02-28' },
      { from: '2026-03-01', to: '2026-03-01' },
    ]);
    const days = intervalsOf({ from: '2028-02-28', to: '2028-03-01' }, 'day');
    expect(days.map(({ from }) => from)).toEqual(['2028-02-28', '2028-02-29', '2028-03-01']);
    expect(daysIn({ from: '2028-02-28', to: '2028-03-01' })).toBe(3);
  });

  it('are as long as clocks make them', () => {
    // The night in which summer time begins is an hour shorter.
    const [start = '', end = ''] = boundariesOf([{ from: '2026-03-29', to: '2026-03-29' }], 'Europe/Berlin');
    expect(Date.parse(end) - Date.parse(start)).toBe(23 * 3_600_000);
  });
});

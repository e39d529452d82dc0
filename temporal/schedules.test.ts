import { describe, expect, it } from 'vitest';
import { overdueSchedules, type ScheduleRun, scheduleManifest } from './schedules.ts';

const now = new Date('2026-03-01T12:00:00Z');
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);
const hour = 3600;
const run = (fields: Partial<ScheduleRun>): ScheduleRun => ({
  name: 'missed-webhooks',
  firstSeenAt: ago(100 * hour),
  lastSuccessAt: null,
  ...fields,
});

describe('the manifest', () => {
  it('fires nothing more often than every five minutes: each firing costs three actions', () => {
    for (const { everySeconds } of Object.values(scheduleManifest)) {
      expect(everySeconds).toBeGreaterThanOrEqual(300);
    }
  });

  it('ends a run that hangs before the firing after next, and spreads no firing over its whole interval', () => {
    for (const entry of Object.values(scheduleManifest)) {
      expect(entry.runTimeoutSeconds).toBeLessThan(2 * entry.everySeconds);
      expect(entry.jitterSeconds).toBeLessThan(entry.everySeconds / 4);
    }
  });

  it('makes up for a firing of at most one interval ago, never for a year of them', () => {
    for (const { catchupSeconds, everySeconds } of Object.values(scheduleManifest)) {
      expect(catchupSeconds).toBeGreaterThanOrEqual(10);
      expect(catchupSeconds).toBeLessThanOrEqual(everySeconds);
    }
  });
});

describe('a schedule', () => {
  it('is overdue from the second interval without a success on', () => {
    expect(overdueSchedules({ runs: [run({ lastSuccessAt: ago(2 * hour - 1) })], now })).toEqual([]);
    expect(overdueSchedules({ runs: [run({ lastSuccessAt: ago(2 * hour) })], now })).toEqual([
      { schedule: 'missed-webhooks', lastSuccessAt: ago(2 * hour), everySeconds: hour },
    ]);
  });

  it('that never succeeded is measured from when it was first seen', () => {
    expect(overdueSchedules({ runs: [run({ firstSeenAt: ago(hour) })], now })).toEqual([]);
    expect(overdueSchedules({ runs: [run({ firstSeenAt: ago(3 * hour) })], now })).toEqual([
      { schedule: 'missed-webhooks', lastSuccessAt: null, everySeconds: hour },
    ]);
  });

  it('that is no longer in the manifest is nobody’s concern', () => {
    expect(overdueSchedules({ runs: [run({ name: 'retired' })], now })).toEqual([]);
  });
});

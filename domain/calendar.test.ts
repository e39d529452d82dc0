/**
 * Billing dates: anchors never drift, periods leave no gap and no overlap in any time zone, and every instant
 * belongs to exactly one period. The reference below shares no code with the calendar: plain day arithmetic and the
 * zone offsets of Intl.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BillingInterval, type Calendar, periodIndexAt, periodOf } from './calendar.ts';
import { realDayMs } from './instant.ts';

const runs = { numRuns: 1_000 };
/** `Etc/GMT+5` is five hours behind UTC. */
const fixedOffsets = Array.from({ length: 27 }, (_, index) => index - 14).map(
  (hours) => `Etc/GMT${hours < 0 ? hours : `+${hours}`}`,
);
/** Intl lists each zone under one name; these are others that systems still give, with the zone they mean. */
const legacyNames = {
  'US/Eastern': 'America/New_York',
  'US/Central': 'America/Chicago',
  'US/Mountain': 'America/Denver',
  'US/Pacific': 'America/Los_Angeles',
  'US/Alaska': 'America/Anchorage',
  'US/Hawaii': 'Pacific/Honolulu',
  'US/Arizona': 'America/Phoenix',
  'Canada/Eastern': 'America/Toronto',
  'Canada/Newfoundland': 'America/St_Johns',
  'Brazil/East': 'America/Sao_Paulo',
  'Mexico/General': 'America/Mexico_City',
  'America/Buenos_Aires': 'America/Argentina/Buenos_Aires',
  EST5EDT: 'America/New_York',
  'Asia/Calcutta': 'Asia/Kolkata',
  'Asia/Katmandu': 'Asia/Kathmandu',
  'Asia/Saigon': 'Asia/Ho_Chi_Minh',
  'Asia/Rangoon': 'Asia/Yangon',
  'Asia/Istanbul': 'Europe/Istanbul',
  Japan: 'Asia/Tokyo',
  PRC: 'Asia/Shanghai',
  ROK: 'Asia/Seoul',
  Hongkong: 'Asia/Hong_Kong',
  Israel: 'Asia/Jerusalem',
  Egypt: 'Africa/Cairo',
  'Europe/Kiev': 'Europe/Kyiv',
  GB: 'Europe/London',
  Eire: 'Europe/Dublin',
  NZ: 'Pacific/Auckland',
  'NZ-CHAT': 'Pacific/Chatham',
  'Australia/NSW': 'Australia/Sydney',
  'Australia/LHI': 'Australia/Lord_Howe',
  'Etc/UTC': 'UTC',
  GMT: 'UTC',
  Zulu: 'UTC',
};
const zones = [
  ...new Set([
    ...Intl.supportedValuesOf('timeZone'),
    ...fixedOffsets,
    ...Object.keys(legacyNames),
    ...Object.values(legacyNames),
  ]),
];
const monthly: BillingInterval = { unit: 'month', count: 1 };
const yearly: BillingInterval = { unit: 'year', count: 1 };
const daily: BillingInterval = { unit: 'day', count: 1 };

const zone = fc.constantFrom(...zones);
const instantBetween = (min: string, max: string) =>
  fc.date({ min: new Date(min), max: new Date(max), noInvalidDate: true }).map((date) => date.toISOString());
const anchor = instantBetween('2015-01-01T00:00:00Z', '2030-01-01T00:00:00Z');
const interval: fc.Arbitrary<BillingInterval> = fc.record({
  unit: fc.constantFrom('day', 'week', 'month', 'year'),
  count: fc.integer({ min: 1, max: 6 }),
});

describe('month-end anchors (V-A1)', () => {
  it.each([
    { anchor: '2025-01-31', starts: ['02-28', '03-31', '04-30', '05-31', '06-30'] },
    { anchor: '2024-01-31', starts: ['02-29', '03-31'] },
    { anchor: '2025-01-30', starts: ['02-28', '03-30'] },
    { anchor: '2025-01-29', starts: ['02-28', '03-29'] },
    { anchor: '2024-01-30', starts: ['02-29', '03-30'] },
  ])('$anchor bills on $starts', ({ anchor: date, starts }) => {
    const calendar = utc();
    const actual = starts.map((_, index) =>
      periodOf({ anchor: `${date}T10:00:00Z`, interval: monthly, index: index + 1, calendar }).startsAt.slice(
        5,
        10,
      ),
    );
    expect(actual).toEqual(starts);
  });

  it.each([
    'UTC',
    'America/New_York',
    'Europe/Paris',
    'Asia/Kolkata',
    'Australia/Lord_Howe',
    'America/Sao_Paulo',
    'Pacific/Apia',
  ])(
    'in %s an anchor on the 31st at 09:30 bills for 24 months on the last day of each month at 09:30',
    (timeZone) => {
      const calendar = { timeZone, dayMs: realDayMs };
      const start = instantOf(Date.UTC(2023, 9, 31, 9, 30), timeZone);
      const anchorAt = new Date(start).toISOString();
      for (let index = 0; index <= 24; index += 1) {
        const { startsAt } = periodOf({ anchor: anchorAt, interval: monthly, index, calendar });
        const lastDay = new Date(Date.UTC(2023, 9 + index + 1, 0, 9, 30));
        expect(wallTime(Date.parse(startsAt), timeZone)).toBe(lastDay.getTime());
      }
    },
  );

  it('29 February bills on 28 February and again on the 29th of the next leap year', () => {
    const starts = [1, 2, 3, 4].map((index) =>
      periodOf({ anchor: '2024-02-29T10:00:00Z', interval: yearly, index, calendar: utc() }).startsAt.slice(
        0,
        10,
      ),
    );
    expect(starts).toEqual(['2025-02-28', '2026-02-28', '2027-02-28', '2028-02-29']);
  });

  it('quarters and fortnights are counted from the anchor too', () => {
    const quarter = periodOf({
      anchor: '2025-08-31T00:00:00Z',
      interval: { unit: 'month', count: 3 },
      index: 2,
      calendar: utc(),
    });
    expect(quarter).toEqual({ startsAt: '2026-02-28T00:00:00.000Z', endsAt: '2026-05-31T00:00:00.000Z' });
    const fortnight = periodOf({
      anchor: '2025-02-20T00:00:00Z',
      interval: { unit: 'week', count: 2 },
      index: 1,
      calendar: utc(),
    });
    expect(fortnight).toEqual({ startsAt: '2025-03-06T00:00:00.000Z', endsAt: '2025-03-20T00:00:00.000Z' });
  });
});

describe("the bill-cycle day is the tenant's (V-A4)", () => {
  it.each([
    ['Pacific/Honolulu', 16],
    ['UTC', 16],
    ['Europe/Paris', 16],
    ['Etc/GMT-3', 17],
    ['Asia/Tokyo', 17],
  ])('2012-07-16T21:17:03Z bills in %s on day %i', (timeZone, day) => {
    const calendar = { timeZone, dayMs: realDayMs };
    for (const index of [0, 1, 2, 12]) {
      const { startsAt } = periodOf({ anchor: '2012-07-16T21:17:03Z', interval: monthly, index, calendar });
      expect(new Date(wallTime(Date.parse(startsAt), timeZone)).getUTCDate()).toBe(day);
    }
  });
});

describe('daylight saving', () => {
  const newYork = { timeZone: 'America/New_York', dayMs: realDayMs };

  it('a wall time that is skipped moves forward, and the next period is back on time', () => {
    const anchorAt = '2025-02-09T07:30:00.000Z'; // 02:30 in New York
    const starts = [1, 2].map(
      (index) => periodOf({ anchor: anchorAt, interval: monthly, index, calendar: newYork }).startsAt,
    );
    expect(starts).toEqual(['2025-03-09T07:30:00.000Z', '2025-04-09T06:30:00.000Z']); // 03:30, 02:30
  });

  it('a wall time that occurs twice takes the earlier one', () => {
    const { startsAt } = periodOf({
      anchor: '2025-10-02T05:30:00.000Z', // 01:30 in New York
      interval: monthly,
      index: 1,
      calendar: newYork,
    });
    expect(startsAt).toBe('2025-11-02T05:30:00.000Z'); // 01:30 EDT, not 06:30Z
  });

  it('an anchor in the second of two equal hours starts its first period at the anchor itself', () => {
    const anchorAt = '2025-11-02T06:30:00.000Z'; // 01:30 EST, an hour after 01:30 EDT
    const first = periodOf({ anchor: anchorAt, interval: monthly, index: 0, calendar: newYork });
    expect(first).toEqual({ startsAt: anchorAt, endsAt: '2025-12-02T06:30:00.000Z' });
  });

  it('a local-midnight month has the seconds its own clock says (V-P2)', () => {
    const { startsAt, endsAt } = periodOf({
      anchor: '2025-03-01T05:00:00.000Z',
      interval: monthly,
      index: 0,
      calendar: newYork,
    });
    expect((Date.parse(endsAt) - Date.parse(startsAt)) / 1000).toBe(2_674_800);
  });

  it('a daily period that lost an hour still ends on its own wall time', () => {
    const index = periodIndexAt({
      anchor: '2025-03-08T15:00:00.000Z', // 10:00 EST
      interval: daily,
      now: '2025-03-09T14:00:00.000Z', // 10:00 EDT, 23 hours later
      calendar: newYork,
    });
    expect(index).toBe(1);
  });
});

describe('anchors never drift', () => {
  it('every period starts where an independent reference says, in any zone', () => {
    fc.assert(
      fc.property(
        anchor,
        zone,
        interval,
        fc.integer({ min: 0, max: 60 }),
        (anchorAt, timeZone, every, index) => {
          const { startsAt, endsAt } = periodOf({
            anchor: anchorAt,
            interval: every,
            index,
            calendar: { timeZone, dayMs: realDayMs },
          });
          expect(startsAt).toBe(referenceBoundary(anchorAt, every, index, timeZone));
          expect(endsAt).toBe(referenceBoundary(anchorAt, every, index + 1, timeZone));
        },
      ),
      runs,
    );
  });

  it('a monthly period starts on the day of the anchor or on the last day of a shorter month', () => {
    fc.assert(
      fc.property(anchor, fc.integer({ min: 0, max: 120 }), (anchorAt, index) => {
        const start = new Date(
          periodOf({ anchor: anchorAt, interval: monthly, index, calendar: utc() }).startsAt,
        );
        const first = new Date(anchorAt);
        const lastDay = daysInMonth(start.getUTCFullYear(), start.getUTCMonth());
        expect(start.getUTCDate()).toBe(Math.min(first.getUTCDate(), lastDay));
        expect(start.toISOString().slice(11)).toBe(first.toISOString().slice(11));
        const months = (date: Date) => date.getUTCFullYear() * 12 + date.getUTCMonth();
        expect(months(start) - months(first)).toBe(index);
      }),
      runs,
    );
  });
});

describe('periods tile time', () => {
  it(`without a gap or an overlap for ten years, in each of the ${zones.length} zones`, () => {
    for (const [position, timeZone] of zones.entries()) {
      const calendar = { timeZone, dayMs: realDayMs };
      // A different day and minute for each zone, the 31st and the small hours among them.
      const anchorAt = new Date(
        Date.UTC(2025, 0, 1 + (position % 31), (position * 7) % 24, (position * 13) % 60),
      ).toISOString();
      let expectedStart = anchorAt;
      for (let index = 0; index < 120; index += 1) {
        const { startsAt, endsAt } = periodOf({ anchor: anchorAt, interval: monthly, index, calendar });
        if (startsAt !== expectedStart || !(startsAt < endsAt)) {
          expect({ timeZone, anchorAt, index, startsAt, endsAt }).toEqual({
            timeZone,
            anchorAt,
            index,
            startsAt: expectedStart,
            endsAt,
          });
        }
        expectedStart = endsAt;
      }
      const days = (Date.parse(expectedStart) - Date.parse(anchorAt)) / realDayMs;
      expect(Math.round(days)).toBe(3652);
    }
  }, 30_000);

  it(`from the month's end at 00:30, every five months for ten years, in each of the ${zones.length} zones`, () => {
    for (const timeZone of zones) {
      expectAsReference(new Date(instantOf(Date.UTC(2025, 0, 31, 0, 30), timeZone)).toISOString(), {
        every: { unit: 'month', count: 5 },
        periods: 24,
        timeZone,
      });
    }
  }, 30_000);

  it('day by day through every change of the clocks of two years, at 02:30 and at the very minutes that are skipped or come twice', () => {
    let changes = 0;
    for (const timeZone of zones) {
      for (const at of clockChanges('2025-12-31T00:00:00Z', '2027-12-31T00:00:00Z', timeZone)) {
        changes += 1;
        const [last, first] = [wallTime(at - 1, timeZone) + 1, wallTime(at, timeZone)];
        const halfPastTwo = Math.floor(last / realDayMs) * realDayMs + 2.5 * 3_600_000;
        for (const wall of [halfPastTwo, Math.min(last, first) + 10 * 60_000]) {
          const anchorAt = new Date(instantOf(wall - realDayMs, timeZone)).toISOString();
          expectAsReference(anchorAt, { every: daily, periods: 3, timeZone });
        }
      }
    }
    expect(changes, 'two a year, in a hundred zones and more').toBeGreaterThan(400);
  }, 30_000);

  it('by any name of a zone alike', () => {
    for (const [name, timeZone] of Object.entries(legacyNames)) {
      const starts = (zoneName: string) =>
        Array.from({ length: 24 }, (_, index) => {
          const calendar = { timeZone: zoneName, dayMs: realDayMs };
          return periodOf({ anchor: '2025-01-31T07:30:00.000Z', interval: monthly, index, calendar })
            .startsAt;
        });
      expect(starts(name), name).toEqual(starts(timeZone));
    }
  });

  it('whatever the anchor, the zone, the interval and the speed of the days', () => {
    const dayMs = fc.constantFrom(realDayMs, realDayMs, 5_000, 250);
    fc.assert(
      fc.property(
        anchor,
        zone,
        interval,
        dayMs,
        fc.integer({ min: 0, max: 119 }),
        (anchorAt, timeZone, every, length, index) => {
          const calendar = { timeZone, dayMs: length };
          const period = periodOf({ anchor: anchorAt, interval: every, index, calendar });
          const following = periodOf({ anchor: anchorAt, interval: every, index: index + 1, calendar });
          expect(following.startsAt).toBe(period.endsAt);
          expect(Date.parse(period.endsAt)).toBeGreaterThan(Date.parse(period.startsAt));
          expect(periodOf({ anchor: anchorAt, interval: every, index: 0, calendar }).startsAt).toBe(anchorAt);
        },
      ),
      runs,
    );
  });
});

describe('periodIndexAt', () => {
  it('is the inverse of periodOf at the first and the last millisecond and in between', () => {
    const dayMs = fc.constantFrom(realDayMs, realDayMs, 5_000);
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        anchor,
        zone,
        interval,
        dayMs,
        fc.integer({ min: 0, max: 400 }),
        share,
        (anchorAt, timeZone, every, length, index, part) => {
          const calendar = { timeZone, dayMs: length };
          const { startsAt, endsAt } = periodOf({ anchor: anchorAt, interval: every, index, calendar });
          const first = Date.parse(startsAt);
          const last = Date.parse(endsAt) - 1;
          for (const at of [first, Math.floor(first + part * (last - first)), last]) {
            const now = new Date(at).toISOString();
            expect(periodIndexAt({ anchor: anchorAt, interval: every, now, calendar })).toBe(index);
          }
          const next = periodIndexAt({ anchor: anchorAt, interval: every, now: endsAt, calendar });
          expect(next).toBe(index + 1);
        },
      ),
      runs,
    );
  });

  it('is 0 for every instant before the anchor', () => {
    fc.assert(
      fc.property(
        anchor,
        zone,
        interval,
        fc.integer({ min: 1, max: 1000 * realDayMs }),
        (anchorAt, timeZone, every, before) => {
          const now = new Date(Date.parse(anchorAt) - before).toISOString();
          expect(
            periodIndexAt({
              anchor: anchorAt,
              interval: every,
              now,
              calendar: { timeZone, dayMs: realDayMs },
            }),
          ).toBe(0);
        },
      ),
      runs,
    );
  });
});

describe('a demo calendar', () => {
  it('is linear: a month is 30 short days, a year 365, whatever the zone', () => {
    const calendar = { timeZone: 'America/New_York', dayMs: 1_000 };
    const length = (every: BillingInterval) => {
      const { startsAt, endsAt } = periodOf({
        anchor: '2025-03-08T15:00:00.000Z',
        interval: every,
        index: 3,
        calendar,
      });
      return (Date.parse(endsAt) - Date.parse(startsAt)) / calendar.dayMs;
    };
    expect(length(daily)).toBe(1);
    expect(length({ unit: 'week', count: 2 })).toBe(14);
    expect(length(monthly)).toBe(30);
    expect(length(yearly)).toBe(365);
  });
});

describe('refuses', () => {
  it.each([-1, 0.5, Number.NaN])('period number %d', (index) => {
    expect(() =>
      periodOf({ anchor: '2025-01-31T00:00:00Z', interval: monthly, index, calendar: utc() }),
    ).toThrow('Period index must be 0 or more');
  });

  it.each([0, -1, 1.5])('an interval of %d months', (count) => {
    const every = { unit: 'month', count } as const;
    const calendar = utc();
    expect(() => periodOf({ anchor: '2025-01-31T00:00:00Z', interval: every, index: 0, calendar })).toThrow(
      'Interval count must be a positive integer',
    );
    const now = '2025-06-30T00:00:00Z';
    expect(() => periodIndexAt({ anchor: '2025-01-31T00:00:00Z', interval: every, now, calendar })).toThrow(
      'Interval count must be a positive integer',
    );
  });

  it('an unknown time zone', () => {
    const calendar = { timeZone: 'Mars/Olympus', dayMs: realDayMs };
    expect(() => periodOf({ anchor: '2025-01-31T00:00:00Z', interval: monthly, index: 1, calendar })).toThrow(
      RangeError,
    );
  });
});

function utc(): Calendar {
  return { timeZone: 'UTC', dayMs: realDayMs };
}

/** Every one of the first periods lies where the reference has it; each starts where the one before it ends. */
function expectAsReference(
  anchorAt: string,
  { every, periods, timeZone }: { every: BillingInterval; periods: number; timeZone: string },
): void {
  const calendar = { timeZone, dayMs: realDayMs };
  const found = Array.from({ length: periods }, (_, index) =>
    periodOf({ anchor: anchorAt, interval: every, index, calendar }),
  );
  const bounds = Array.from({ length: periods + 1 }, (_, index) =>
    referenceBoundary(anchorAt, every, index, timeZone),
  );
  expect(found, `${timeZone} from ${anchorAt}`).toEqual(
    bounds.slice(1).map((endsAt, index) => ({ startsAt: bounds[index], endsAt })),
  );
}

/** The instants at which the zone's clock is set, found by halving spans of days with another offset at their end. */
function clockChanges(from: string, to: string, timeZone: string): number[] {
  const changes: number[] = [];
  const span = 7 * realDayMs;
  for (let start = Date.parse(from); start < Date.parse(to); start += span) {
    const before = offsetMs(start, timeZone);
    if (offsetMs(start + span, timeZone) === before) continue;
    let [same, other] = [start, start + span];
    while (other - same > 1) {
      const middle = Math.floor((same + other) / 2);
      if (offsetMs(middle, timeZone) === before) same = middle;
      else other = middle;
    }
    changes.push(other);
  }
  return changes;
}

/** Where the n-th period starts, by day arithmetic on the wall clock of the anchor. */
function referenceBoundary(
  anchorAt: string,
  { unit, count }: BillingInterval,
  index: number,
  timeZone: string,
): string {
  const units = count * index;
  if (units === 0) return anchorAt;
  const wall = new Date(wallTime(Date.parse(anchorAt), timeZone));
  if (unit === 'day' || unit === 'week') {
    wall.setUTCDate(wall.getUTCDate() + units * (unit === 'week' ? 7 : 1));
  } else {
    const day = wall.getUTCDate();
    wall.setUTCDate(1);
    wall.setUTCMonth(wall.getUTCMonth() + units * (unit === 'year' ? 12 : 1));
    wall.setUTCDate(Math.min(day, daysInMonth(wall.getUTCFullYear(), wall.getUTCMonth())));
  }
  return new Date(instantOf(wall.getTime(), timeZone)).toISOString();
}

function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
}

/** The instant a wall clock shows `wallMs` (as if it were UTC): the earlier of two; a skipped one moves forward. */
function instantOf(wallMs: number, timeZone: string): number {
  const before = offsetMs(wallMs - realDayMs, timeZone);
  const after = offsetMs(wallMs + realDayMs, timeZone);
  const shown = [wallMs - before, wallMs - after].filter((at) => wallTime(at, timeZone) === wallMs);
  return shown.length === 0 ? wallMs - before : Math.min(...shown);
}

function offsetMs(at: number, timeZone: string): number {
  return wallTime(at, timeZone) - at;
}

/** What the wall clock of a zone shows at an instant, as milliseconds as if it were UTC. */
function wallTime(at: number, timeZone: string): number {
  const part = Object.fromEntries(
    formatOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (((at % 1000) + 1000) % 1000);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timeZone, format);
  }
  return format;
}

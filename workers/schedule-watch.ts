/** Looks regularly whether the schedules do their work, and says so in the log when one has not for two intervals. */
import type { Logger } from '../config/logger.ts';
import type { Database } from '../db/client.ts';
import { readScheduleRuns } from '../db/queries/operations/schedule-runs.ts';
import { type OverdueSchedule, overdueSchedules, scheduleManifest } from '../temporal/schedules.ts';

export type ScheduleWatch = {
  /** Looks now. */
  look(): Promise<OverdueSchedule[]>;
  stop(): void;
};

/** Looks at once and then every minute; a schedule is logged when it becomes overdue and when it is no longer. */
export function watchSchedules({
  db,
  log,
  clock = () => new Date(),
}: {
  db: Database;
  log: Logger;
  clock?: () => Date;
}): ScheduleWatch {
  let known = new Set<string>();
  const lookNow = async () => {
    const overdue = overdueSchedules({ runs: await readScheduleRuns(db, names), now: clock() });
    for (const each of overdue) {
      if (!known.has(each.schedule)) log.error(each, 'a schedule has not succeeded for two intervals');
    }
    const still = new Set(overdue.map(({ schedule }) => schedule));
    for (const schedule of known)
      if (!still.has(schedule)) log.info({ schedule }, 'a schedule succeeds again');
    known = still;
    return overdue;
  };

  let last: Promise<unknown> = Promise.resolve();
  /** One after the other: each says what changed since the one before. */
  const look = () => {
    const next = last.then(lookNow, lookNow);
    last = next;
    return next;
  };

  const lookAndLog = () =>
    look().catch((err: unknown) => log.warn({ err }, 'the schedules could not be looked at'));
  void lookAndLog();
  const timer = setInterval(() => void lookAndLog(), INTERVAL_MS);
  return { look, stop: () => clearInterval(timer) };
}

const INTERVAL_MS = 60_000;
const names = Object.keys(scheduleManifest);

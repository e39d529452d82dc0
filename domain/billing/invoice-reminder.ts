/**
 * When a customer is reminded of an invoice that waits for them (seed 002: 3, 7 and 14 days). Whole days count, not hours:
 * a daily run comes some seconds earlier on one day than on another, and must not miss the day for that.
 */

/** Days after the due date, in their order. */
export const reminderDays: readonly number[] = [3, 7, 14];

/**
 * The reminder to send at `now`: the latest whose day (in UTC) has come, unless it or a later one was sent. Null: none. What
 * was missed is not made up for, so that a late run sends one mail.
 */
export function dueReminder({
  dueAt,
  remindedDays,
  now,
  dayMs,
}: {
  dueAt: string;
  /** The latest reminder that was sent, by its days; 0 before the first. */
  remindedDays: number;
  now: string;
  dayMs: number;
}): number | null {
  const passed = dayIndex(now, dayMs) - dayIndex(dueAt, dayMs);
  const day = reminderDays.findLast((days) => days <= passed);
  return day === undefined || day <= remindedDays ? null : day;
}

/** Before which instant an invoice must have been due for its first reminder to be sent at `now`. */
export function remindedIfDueBefore(now: string, dayMs: number): string {
  const firstDay = Math.min(...reminderDays);
  return new Date((dayIndex(now, dayMs) - firstDay + 1) * dayMs).toISOString();
}

function dayIndex(instant: string, dayMs: number): number {
  return Math.floor(Date.parse(instant) / dayMs);
}

/** Instants as people read them. Kept apart from the calendar so that workflows stay small. */

/** `Tue 2 Dec 2025 10:00 UTC`, from an ISO-8601 instant. */
export function inWords(instant: string): string {
  const date = new Date(instant);
  const weekday = weekdays[date.getUTCDay()];
  const month = months[date.getUTCMonth()];
  return `${weekday} ${date.getUTCDate()} ${month} ${date.getUTCFullYear()} ${date.toISOString().slice(11, 16)} UTC`;
}

/** Exact days: `days` × the length of a day, as Stripe counts trials. Fractions are allowed. */
export function addDays(instant: string, days: number, dayMs: number): string {
  return new Date(Date.parse(instant) + Math.round(days * dayMs)).toISOString();
}

/** Hours of a day of this length. */
export function addHours(instant: string, hours: number, dayMs: number): string {
  return addDays(instant, hours / hoursPerDay, dayMs);
}

const hoursPerDay = 24;

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** A day outside of a demo. */
export const realDayMs = 86_400_000;

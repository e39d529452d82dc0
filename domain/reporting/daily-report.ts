/**
 * The daily report (seed 002 §3.4): yesterday's revenue by rail, new subscriptions, cancellations and MRR, in words; and
 * which days are due to be reported.
 */
import { formatMoney } from '../money.ts';
import { rounded } from './fraction.ts';
import type { MrrInterval } from './mrr-report.ts';
import { dayAt, daysLater, timeOnDay } from './report-days.ts';
import type { CurrencyRevenue, RevenueFigure } from './revenue.ts';

export type DailyFigures = {
  revenue: string;
  refunds: string;
  newSubscriptions: string;
  cancellations: string;
  mrr: string;
};

export function toDailyFigures({
  revenue,
  mrr,
  begun,
  ended,
}: {
  /** Of this day only. */
  revenue: readonly CurrencyRevenue[];
  mrr: ReadonlyMap<string, readonly MrrInterval[]>;
  begun: number;
  ended: number;
}): DailyFigures {
  const ofFigure = (figure: RevenueFigure) =>
    revenue.flatMap(({ currency, rails }) =>
      rails
        .filter(({ figures }) => figures[figure] !== 0)
        .map(({ rail, figures }) => `${formatMoney({ amountMinor: figures[figure], currency })} (${rail})`),
    );
  const balances = [...mrr].flatMap(([currency, intervals]) =>
    intervals.map(({ end }) => formatMoney({ amountMinor: rounded(end), currency })),
  );
  return {
    revenue: listed(ofFigure('received')),
    refunds: listed(ofFigure('refunded')),
    newSubscriptions: String(begun),
    cancellations: String(ended),
    mrr: listed(balances),
  };
}

/** When a tenant wants its report: a time of day, and whose clocks show it. */
export type ReportTime = { sendAt: string; timeZone: string };

/** At eight in the morning, in UTC (seed 002 §3.4). */
export const defaultSendAt = '08:00';

/** A report that is later than this many days is not made up any more. */
const daysMadeUp = 7;

/**
 * The days whose report is due, oldest first: each is due on the day after, at the tenant's time. Those that were due
 * until `since` are none of them.
 */
export function dueDays(
  { sendAt, timeZone }: ReportTime,
  { since, now }: { since: string; now: string },
): string[] {
  const today = dayAt(now, timeZone);
  const days = Array.from({ length: daysMadeUp }, (_, index) => daysLater(today, index - daysMadeUp));
  return days.filter((day) => {
    const dueAt = Date.parse(timeOnDay(daysLater(day, 1), sendAt, timeZone));
    return dueAt > Date.parse(since) && dueAt <= Date.parse(now);
  });
}

function listed(amounts: readonly string[]): string {
  return amounts.length === 0 ? 'none' : amounts.join(', ');
}

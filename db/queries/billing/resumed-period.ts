/**
 * A suspended subscription is not billed for periods it spends suspended. When it leaves the suspension it continues
 * with the period that runs then, which is billed in full; dates keep the original anchor.
 */
import { periodIndexAt, periodOf } from '../../../domain/calendar.ts';
import { calendarOf, type SubscriptionContext, type SubscriptionRow } from './subscriptions.ts';

/** The columns that let the next renewal open the running period; none when the last period still runs. */
export function resumedPeriod(
  { tenant, plan, subscription }: SubscriptionContext,
  at: Date,
): Partial<Pick<SubscriptionRow, 'periodIndex' | 'periodStartsAt' | 'periodEndsAt'>> {
  const { ladder, anchor, anchorIndex, periodIndex, periodEndsAt } = subscription;
  if (ladder !== 'suspended' || anchor === null || periodIndex === null || periodEndsAt === null) return {};
  if (periodEndsAt > at) return {};
  const schedule = { anchor: anchor.toISOString(), interval: plan.interval, calendar: calendarOf(tenant) };
  const current = periodIndexAt({ ...schedule, now: at.toISOString() });
  // The anchor is where the last period ends: the next one is the running one already.
  if (current === 0) return {};
  const before = periodOf({ ...schedule, index: current - 1 });
  return {
    periodIndex: anchorIndex + current - 1,
    periodStartsAt: new Date(before.startsAt),
    periodEndsAt: new Date(before.endsAt),
  };
}

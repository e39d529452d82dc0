/**
 * Fetches the reference rates of the days that are over. Of today they may still change, and what is kept is never
 * rewritten.
 *
 * Why it is safe to run twice: a rate is kept once, whoever brings it. It begins with the last day that is kept, and keeps
 * slice by slice, oldest first: a run that is cut off leaves no gap behind it, and the next one goes on from there.
 */
import { type Database, withSystem } from '../../db/client.ts';
import { recordScheduleSuccess } from '../../db/queries/operations/schedule-runs.ts';
import { lastPublishedDay, storePublished } from '../../db/queries/payments/exchange-rates.ts';
import type { ExchangeRates } from '../../domain/payments/exchange-rate.ts';
import { dayAt, daysLater } from '../../domain/reporting/report-days.ts';

export function createExchangeRateActivities({
  db,
  exchangeRates,
}: {
  db: Database;
  exchangeRates: ExchangeRates;
}) {
  return {
    async fetchExchangeRates({ at }: { at: string }): Promise<{ stored: number; until: string }> {
      const fetchedAt = new Date(at);
      const until = daysLater(dayAt(at, 'UTC'), -1);
      const last = await withSystem(db, lastPublishedDay);
      const result = { stored: 0, until };
      for (let from = last ?? daysLater(until, -FIRST_LOOK_DAYS); from <= until; ) {
        const next = daysLater(from, SLICE_DAYS);
        const to = next <= until ? daysLater(next, -1) : until;
        const rates = await exchangeRates.published({ from, to });
        result.stored += await withSystem(db, (tx) => storePublished(tx, { rates, fetchedAt }));
        from = next;
      }
      await recordScheduleSuccess(db, { name: 'exchange-rates', at: fetchedAt, result });
      return result;
    },
  };
}

/** Before the first success: so far back a payment may have come that is recorded only now. */
const FIRST_LOOK_DAYS = 90;
/** Longer ranges are thinned out by the vendor. */
const SLICE_DAYS = 60;

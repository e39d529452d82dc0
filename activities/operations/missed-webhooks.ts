/**
 * Finds events of the card vendor whose webhook never came: reads the vendor's own list since two hours before the
 * last look, a few hours at a time, and stores what is missing. Safe to repeat: an event is stored once, whoever brings
 * it, and a look that is cut off is gone on with where it had come to.
 */

import { type Database, withSystem } from '../../db/client.ts';
import { storeCardEvent } from '../../db/queries/operations/inbox.ts';
import {
  raiseWatermark,
  readWatermark,
  recordScheduleSuccess,
} from '../../db/queries/operations/schedule-runs.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';

export type MissedWebhooksResult = { looked: number; found: number };

export function createMissedWebhooksActivities({ db, cardVendor }: { db: Database; cardVendor: CardVendor }) {
  return {
    async reconcileMissedWebhooks({ at }: { at: string }): Promise<MissedWebhooksResult> {
      const now = new Date(at);
      const watermark = (await readWatermark(db, scheduleName)) ?? new Date(now.getTime() - firstLookMs);
      const result: MissedWebhooksResult = { looked: 0, found: 0 };
      for (let from = watermark.getTime() - overlapMs; from < now.getTime(); from += sliceMs) {
        const slice = { from: new Date(from), to: new Date(Math.min(from + sliceMs, now.getTime())) };
        const range = { since: slice.from.toISOString(), until: slice.to.toISOString() };
        for await (const event of cardVendor.listEvents(range)) {
          const stored = await withSystem(db, (tx) => storeCardEvent(tx, { event, source: 'reconciler' }));
          result.looked += 1;
          if (stored.outcome === 'stored') result.found += 1;
        }
        await raiseWatermark(db, { name: scheduleName, watermark: slice.to });
      }
      await recordScheduleSuccess(db, { name: scheduleName, at: now, result });
      return result;
    },
  };
}

const scheduleName = 'missed-webhooks';
const hourMs = 3_600_000;
/** Events may be listed late and clocks differ. */
const overlapMs = 2 * hourMs;
const sliceMs = 3 * hourMs;
/** Before the first success: three days, as long as the vendor retries a webhook. */
const firstLookMs = 72 * hourMs;

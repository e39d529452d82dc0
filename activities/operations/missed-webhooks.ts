/**
 * Finds events of the card vendor whose webhook never came: reads the vendor's own list since two hours before the
 * last look and stores what is missing. Safe to repeat: an event is stored once, whoever brings it.
 */

import { type Database, withSystem } from '../../db/client.ts';
import { storeCardEvent } from '../../db/queries/operations/inbox.ts';
import { readWatermark, recordScheduleSuccess } from '../../db/queries/operations/schedule-runs.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';

export type MissedWebhooksResult = { looked: number; found: number };

export function createMissedWebhooksActivities({ db, cardVendor }: { db: Database; cardVendor: CardVendor }) {
  return {
    async reconcileMissedWebhooks({ at }: { at: string }): Promise<MissedWebhooksResult> {
      const now = new Date(at);
      const watermark = (await readWatermark(db, scheduleName)) ?? new Date(now.getTime() - firstLookMs);
      const since = new Date(watermark.getTime() - overlapMs).toISOString();
      const result: MissedWebhooksResult = { looked: 0, found: 0 };
      for await (const event of cardVendor.listEvents({ since })) {
        const stored = await withSystem(db, (tx) => storeCardEvent(tx, { event, source: 'reconciler' }));
        result.looked += 1;
        if (stored.outcome === 'stored') result.found += 1;
      }
      await recordScheduleSuccess(db, { name: scheduleName, at: now, result, watermark: now });
      return result;
    },
  };
}

const scheduleName = 'missed-webhooks';
const hourMs = 3_600_000;
/** Events may be listed late and clocks differ. */
const overlapMs = 2 * hourMs;
/** Before the first success: three days, as long as the vendor retries a webhook. */
const firstLookMs = 72 * hourMs;

/**
 * Finds events of the card vendor whose webhook never came: reads the vendor's own list since two hours before the
 * last look, an hour at a time, and stores what is missing. Safe to repeat: an event is stored once, whoever brings
 * it, and a look that is cut off is gone on with where it had come to; only the last two hours are always read anew. Razorpay keeps no such list: there every order that
 * may still be paid, and every subscription that may still charge, is read again by its own process, which compares with
 * what is booked.
 */

import type { Logger } from '../../config/logger.ts';
import { type Database, withSystem } from '../../db/client.ts';
import { storeCardEvent } from '../../db/queries/operations/inbox.ts';
import { appendOutbox } from '../../db/queries/operations/outbox.ts';
import {
  raiseWatermark,
  readWatermark,
  recordScheduleSuccess,
} from '../../db/queries/operations/schedule-runs.ts';
import { ordersToLookAt } from '../../db/queries/payments/book-order.ts';
import { razorpaySubscriptionsToLookAt } from '../../db/queries/payments/book-razorpay-subscription.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import { razorpayCollectionEvent } from '../../workflows/payments/razorpay-collection.contract.ts';
import { razorpayPaymentEvent } from '../../workflows/payments/razorpay-payment.contract.ts';
import { forEachTenant } from '../each-tenant.ts';

export type MissedWebhooksResult = {
  looked: number;
  found: number;
  orders: number;
  razorpaySubscriptions: number;
};

export function createMissedWebhooksActivities({
  cardVendor,
  ...deps
}: {
  db: Database;
  cardVendor: CardVendor;
  log: Logger;
}) {
  const { db } = deps;
  return {
    async reconcileMissedWebhooks({ at }: { at: string }): Promise<MissedWebhooksResult> {
      const now = new Date(at);
      const settledUntil = now.getTime() - overlapMs;
      const watermark = (await readWatermark(db, scheduleName)) ?? new Date(settledUntil - firstLookMs);
      const { asked, failure } = await askForLooks(deps, now);
      const result: MissedWebhooksResult = { looked: 0, found: 0, ...asked };
      for (let from = Math.min(watermark.getTime(), settledUntil); from < now.getTime(); from += sliceMs) {
        const slice = { from: new Date(from), to: new Date(Math.min(from + sliceMs, now.getTime())) };
        const range = { since: slice.from.toISOString(), until: slice.to.toISOString() };
        for await (const event of cardVendor.listEvents(range)) {
          const stored = await withSystem(db, (tx) => storeCardEvent(tx, { event, source: 'reconciler' }));
          result.looked += 1;
          if (stored.outcome === 'stored') result.found += 1;
        }
        const settled = new Date(Math.min(slice.to.getTime(), settledUntil));
        await raiseWatermark(db, { name: scheduleName, watermark: settled });
      }
      if (failure !== null) throw failure;
      await recordScheduleSuccess(db, { name: scheduleName, at: now, result });
      return result;
    },
  };
}

/** Asks for a look at each order and subscription at Razorpay nobody has looked at for a while, and says how many. */
async function askForLooks(deps: { db: Database; log: Logger }, at: Date) {
  const asked = { orders: 0, razorpaySubscriptions: 0 };
  const limit = LOOKS_AT_ONCE;
  const failure = await forEachTenant(deps, async (tx, tenantId) => {
    const orders = await ordersToLookAt(tx, { at, limit });
    const subscriptions = await razorpaySubscriptionsToLookAt(tx, { at, limit });
    await appendOutbox(tx, tenantId, [
      ...orders.map((externalId) => razorpayPaymentEvent(externalId, null)),
      ...subscriptions.map((externalId) => razorpayCollectionEvent(externalId, null)),
    ]);
    asked.orders += orders.length;
    asked.razorpaySubscriptions += subscriptions.length;
  });
  return { asked, failure };
}

/** Of each tenant and kind; the next hour takes the rest. */
const LOOKS_AT_ONCE = 200;

const scheduleName = 'missed-webhooks';
const hourMs = 3_600_000;
/** Events may be listed late and clocks differ: what is younger is not settled, and is read again by the next look. */
const overlapMs = 2 * hourMs;
/** The vendor lists the newest first, so what was read of a slice that is cut off is read again. */
const sliceMs = hourMs;
/** Before the first success: three days, as long as the vendor retries a webhook. */
const firstLookMs = 72 * hourMs;

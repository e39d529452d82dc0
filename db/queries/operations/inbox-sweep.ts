/**
 * Events that were stored more than a minute ago and are still not worked on: their object's process is told again, for
 * as long as the vendor itself would send them again.
 */
import { and, asc, eq, inArray, isNotNull, sql } from 'drizzle-orm';
import { type Database, withSystem } from '../../client.ts';
import { inboxEvents } from '../../schema/operations.ts';
import { envelopeOf } from './inbox.ts';
import { appendOutbox } from './outbox.ts';

/**
 * Returns how many were told again. Telling twice is harmless: the process compares with what is booked. Those that were
 * told longest ago come first, so that events nothing can be done about hold nobody up.
 */
export function retellWaitingEvents(db: Database): Promise<number> {
  return withSystem(db, async (tx) => {
    const waiting = await tx
      .select({ id: inboxEvents.id, provider: inboxEvents.provider, objectId: inboxEvents.objectId })
      .from(inboxEvents)
      .where(
        and(
          eq(inboxEvents.status, 'received'),
          isNotNull(inboxEvents.objectId),
          sql`${inboxEvents.receivedAt} < now() - interval '1 minute'`,
          // As long as the vendor itself sends an event again: Razorpay for a day, others for three.
          sql`${inboxEvents.receivedAt} > now() - case ${inboxEvents.provider} when 'razorpay' then interval '24 hours' else interval '3 days' end`,
        ),
      )
      .orderBy(sql`${inboxEvents.retoldAt} asc nulls first`, asc(inboxEvents.receivedAt))
      .limit(BATCH);
    if (waiting.length === 0) return 0;
    const ids = waiting.map(({ id }) => id);
    await tx.update(inboxEvents).set({ retoldAt: sql`now()` }).where(inArray(inboxEvents.id, ids));
    const envelopes = waiting.flatMap(({ id, provider, objectId }) =>
      objectId === null ? [] : [envelopeOf(provider, objectId, id)],
    );
    await appendOutbox(tx, null, envelopes);
    return envelopes.length;
  });
}

const BATCH = 500;

/**
 * Events that were stored more than a minute ago and are still not worked on: their payment's process is told again, for
 * as long as the vendor itself would send them again.
 */
import { and, asc, eq, isNotNull, sql } from 'drizzle-orm';
import { cardPaymentEvent } from '../../../workflows/payments/card-payment.contract.ts';
import { type Database, withSystem } from '../../client.ts';
import { inboxEvents } from '../../schema/operations.ts';
import { appendOutbox } from './outbox.ts';

/** Returns how many were told again. Telling twice is harmless: the process compares with what is booked. */
export function retellWaitingEvents(db: Database): Promise<number> {
  return withSystem(db, async (tx) => {
    const waiting = await tx
      .select({ id: inboxEvents.id, objectId: inboxEvents.objectId })
      .from(inboxEvents)
      .where(
        and(
          eq(inboxEvents.status, 'received'),
          isNotNull(inboxEvents.objectId),
          sql`${inboxEvents.receivedAt} < now() - interval '1 minute'`,
          sql`${inboxEvents.receivedAt} > now() - interval '3 days'`,
        ),
      )
      .orderBy(asc(inboxEvents.receivedAt))
      .limit(500);
    const envelopes = waiting.flatMap(({ id, objectId }) =>
      objectId === null ? [] : [cardPaymentEvent(objectId, id)],
    );
    await appendOutbox(tx, null, envelopes);
    return envelopes.length;
  });
}

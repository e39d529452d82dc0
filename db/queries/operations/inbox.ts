/**
 * The inbox: vendors' events, stored before they are answered. Only ids and the type are kept; what happened is read
 * at the vendor when the event is worked on.
 *
 * Why it is safe to run twice: an event is unique per provider, account and id, so a second delivery, or the
 * reconciler finding an event whose webhook came meanwhile, changes nothing. The event and the signal it causes are
 * one transaction: neither is lost without the other.
 */
import { inArray, sql } from 'drizzle-orm';
import type { CardVendorEvent } from '../../../domain/payments/card-payment.ts';
import { cardPaymentEvent } from '../../../workflows/payments/card-payment.contract.ts';
import type { SystemTx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { inboxEvents } from '../../schema/operations.ts';
import { appendOutbox } from './outbox.ts';

export type StoredEvent = {
  /**
   * `stored`: a payment's process will be told. `known`: what it says is booked already, nobody need be told.
   * `ignored`: kept, but nothing here depends on its type.
   */
  outcome: 'stored' | 'known' | 'ignored' | 'duplicate';
};

/** Stores an event of the card vendor and, where it concerns a payment, the signal to that payment's process. */
export async function storeCardEvent(
  tx: SystemTx,
  {
    event,
    account = null,
    known = false,
    source,
  }: {
    event: Pick<CardVendorEvent, 'externalId' | 'type' | 'paymentId' | 'createdAt'>;
    account?: string | null;
    /** What the event says is booked already; see `isBooked`. */
    known?: boolean;
    source: 'webhook' | 'reconciler';
  },
): Promise<StoredEvent> {
  const paymentId = concernsPayments(event.type) ? event.paymentId : undefined;
  const [row] = await tx
    .insert(inboxEvents)
    .values({
      id: newId('inb'),
      provider: 'stripe',
      account: account ?? OWN_ACCOUNT,
      externalId: event.externalId,
      type: event.type,
      objectId: event.paymentId ?? null,
      source,
      status: paymentId === undefined ? 'ignored' : known ? 'processed' : 'received',
      occurredAt: new Date(event.createdAt),
    })
    .onConflictDoNothing({ target: [inboxEvents.provider, inboxEvents.account, inboxEvents.externalId] })
    .returning({ id: inboxEvents.id });
  if (row === undefined) return { outcome: 'duplicate' };
  if (paymentId === undefined) return { outcome: 'ignored' };
  if (known) return { outcome: 'known' };

  await appendOutbox(tx, null, [cardPaymentEvent(paymentId, row.id)]);
  return { outcome: 'stored' };
}

/** The events have been worked on; `tenantId` is known by now. */
export async function markEventsProcessed(
  tx: SystemTx,
  { ids, tenantId }: { ids: string[]; tenantId: string | null },
): Promise<void> {
  if (ids.length === 0) return;
  await tx
    .update(inboxEvents)
    .set({ status: 'processed', processedAt: sql`now()`, tenantId })
    .where(inArray(inboxEvents.id, ids));
}

/** Events of our own account carry no account id. */
const OWN_ACCOUNT = 'own';

/** Types after which a payment's state may differ from what we booked. */
const paymentTypes: ReadonlySet<string> = new Set([
  'payment_intent.succeeded',
  'payment_intent.payment_failed',
  'payment_intent.requires_action',
  'payment_intent.processing',
  'payment_intent.canceled',
  'charge.refunded',
  'charge.refund.updated',
  'refund.created',
  'refund.updated',
  'refund.failed',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.dispute.funds_withdrawn',
  'charge.dispute.funds_reinstated',
  'charge.dispute.closed',
]);

function concernsPayments(type: string): boolean {
  return paymentTypes.has(type);
}

/**
 * The inbox: vendors' events, stored before they are answered. Only ids and the type are kept; what happened is read
 * at the vendor when the event is worked on.
 *
 * Why it is safe to run twice: an event is unique per provider, account and id, so a second delivery, or the
 * reconciler finding an event whose webhook came meanwhile, changes nothing. The event and the signal it causes are
 * one transaction: neither is lost without the other.
 */
import { inArray, sql } from 'drizzle-orm';
import type { WorkflowSignalWithStart } from '../../../domain/operations/outbox.ts';
import type { BankFeedEvent } from '../../../domain/payments/bank-feed.ts';
import type { CardVendorEvent } from '../../../domain/payments/card-payment.ts';
import type { CheckoutEvent } from '../../../domain/payments/coinbase-checkout.ts';
import type { OrderVendorEvent } from '../../../domain/payments/razorpay-order.ts';
import {
  coinbaseEventTypes,
  razorpayEventTypes,
  stripeEventTypes,
} from '../../../domain/payments/vendor-events.ts';
import { bankConnectionEvent } from '../../../workflows/payments/bank-connection.contract.ts';
import { cardPaymentEvent } from '../../../workflows/payments/card-payment.contract.ts';
import { coinbaseCheckoutEvent } from '../../../workflows/payments/coinbase-checkout.contract.ts';
import { razorpayCollectionEvent } from '../../../workflows/payments/razorpay-collection.contract.ts';
import { razorpayDisputeEvent } from '../../../workflows/payments/razorpay-dispute.contract.ts';
import { razorpayPaymentEvent } from '../../../workflows/payments/razorpay-payment.contract.ts';
import type { SystemTx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { inboxEvents } from '../../schema/operations.ts';
import { connectionNamed } from '../payments/connection-named.ts';
import { appendOutbox } from './outbox.ts';

export type StoredEvent = {
  /**
   * `stored`: a payment's process will be told. `known`: what it says is booked already, nobody need be told.
   * `ignored`: kept, but nothing here depends on its type.
   */
  outcome: 'stored' | 'known' | 'ignored' | 'duplicate';
};

/** Stores an event of the card vendor and, where it concerns a payment, the signal to that payment's process. */
export function storeCardEvent(
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
  const { externalId, type, paymentId: objectId, createdAt } = event;
  return storeEvent(tx, {
    provider: 'stripe',
    account: account ?? OWN_ACCOUNT,
    event: { externalId, type, objectId, createdAt },
    isOurs: paymentTypes.has(type),
    known,
    source,
  });
}

/** Stores an event of Razorpay and, where something here depends on it, the signal to its object's process. */
export function storeOrderEvent(
  tx: SystemTx,
  { event, account }: { event: OrderVendorEvent; account: string },
): Promise<StoredEvent> {
  const { externalId, type, objectId, createdAt } = event;
  return storeEvent(tx, {
    provider: 'razorpay',
    account,
    event: { externalId, type, objectId, createdAt },
    isOurs: razorpayTypes.has(type),
    known: false,
    source: 'webhook',
  });
}

/** Stores an event of Coinbase Business and, where it concerns a checkout of ours, the signal to that checkout's process. */
export function storeCheckoutEvent(tx: SystemTx, { event }: { event: CheckoutEvent }): Promise<StoredEvent> {
  const { externalId, type, checkoutId: objectId, createdAt } = event;
  return storeEvent(tx, {
    provider: 'coinbase',
    account: OWN_ACCOUNT,
    event: { externalId, type, objectId, createdAt },
    isOurs: coinbaseTypes.has(type),
    known: false,
    source: 'webhook',
  });
}

/** Stores an event of Coinbase Commerce that is booked already, or that concerns none of our invoices (`checkoutId` null). */
export function storeCommerceEvent(
  tx: SystemTx,
  { event }: { event: Omit<CheckoutEvent, 'checkoutId'> & { checkoutId: string | null } },
): Promise<StoredEvent> {
  const { externalId, type, checkoutId, createdAt } = event;
  return storeEvent(tx, {
    provider: 'coinbase_commerce',
    account: OWN_ACCOUNT,
    event: { externalId, type, objectId: checkoutId ?? undefined, createdAt },
    isOurs: checkoutId !== null,
    known: true,
    source: 'webhook',
  });
}

/** Stores an event of the bank feed and, where it concerns a connection of ours, the signal to that connection's process. */
export async function storeFeedEvent(
  tx: SystemTx,
  { event }: { event: BankFeedEvent },
): Promise<StoredEvent> {
  const { externalId, type, kind, connectionExternalId, createdAt } = event;
  const isOurs =
    kind !== 'other' &&
    connectionExternalId !== null &&
    (await connectionNamed(tx, connectionExternalId)) !== null;
  return storeEvent(tx, {
    provider: 'plaid',
    account: OWN_ACCOUNT,
    event: { externalId, type, objectId: connectionExternalId ?? undefined, createdAt },
    isOurs,
    known: false,
    source: 'webhook',
  });
}

export type InboxProvider = 'stripe' | 'razorpay' | 'coinbase' | 'coinbase_commerce' | 'plaid';

/** The envelope that tells an object's process of a stored event. */
export function envelopeOf(
  provider: InboxProvider,
  objectId: string,
  inboxEventId: string,
): WorkflowSignalWithStart {
  if (provider === 'stripe') return cardPaymentEvent(objectId, inboxEventId);
  if (provider === 'plaid') return bankConnectionEvent(objectId, inboxEventId);
  if (provider !== 'razorpay') return coinbaseCheckoutEvent(objectId, inboxEventId);
  // Razorpay's ids say what they are of.
  if (objectId.startsWith('disp_')) return razorpayDisputeEvent(objectId, inboxEventId);
  if (/^(sub|inv)_/.test(objectId)) return razorpayCollectionEvent(objectId, inboxEventId);
  return razorpayPaymentEvent(objectId, inboxEventId);
}

async function storeEvent(
  tx: SystemTx,
  {
    provider,
    account,
    event: { externalId, type, objectId, createdAt },
    isOurs,
    known,
    source,
  }: {
    provider: InboxProvider;
    account: string;
    event: { externalId: string; type: string; objectId: string | undefined; createdAt: string };
    /** Something here depends on events of this type. */
    isOurs: boolean;
    known: boolean;
    source: 'webhook' | 'reconciler';
  },
): Promise<StoredEvent> {
  const concerned = isOurs ? objectId : undefined;
  const [row] = await tx
    .insert(inboxEvents)
    .values({
      id: newId('inb'),
      provider,
      account,
      externalId,
      type,
      objectId: objectId ?? null,
      source,
      status: concerned === undefined ? 'ignored' : known ? 'processed' : 'received',
      occurredAt: new Date(createdAt),
    })
    .onConflictDoNothing({ target: [inboxEvents.provider, inboxEvents.account, inboxEvents.externalId] })
    .returning({ id: inboxEvents.id });
  if (row === undefined) return { outcome: 'duplicate' };
  if (concerned === undefined) return { outcome: 'ignored' };
  if (known) return { outcome: 'known' };

  await appendOutbox(tx, null, [envelopeOf(provider, concerned, row.id)]);
  return { outcome: 'stored' };
}

/** What stored events tell of, and when the last of them came. */
export async function readEvents(
  tx: SystemTx,
  ids: readonly string[],
): Promise<{ types: ReadonlySet<string>; lastReceivedAt: Date | null }> {
  if (ids.length === 0) return { types: new Set(), lastReceivedAt: null };
  const rows = await tx
    .select({ type: inboxEvents.type, receivedAt: inboxEvents.receivedAt })
    .from(inboxEvents)
    .where(inArray(inboxEvents.id, [...ids]));
  const last = Math.max(...rows.map(({ receivedAt }) => receivedAt.getTime()));
  return {
    types: new Set(rows.map(({ type }) => type)),
    lastReceivedAt: rows.length === 0 ? null : new Date(last),
  };
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

/** Types after which a payment's state may differ from what we booked; two more than Stripe is asked to tell. */
const paymentTypes: ReadonlySet<string> = new Set([
  ...stripeEventTypes,
  'charge.refund.updated',
  'refund.created',
]);

/** The same for what Razorpay tells. */
const razorpayTypes: ReadonlySet<string> = new Set(razorpayEventTypes);

/** The same for what Coinbase tells. */
const coinbaseTypes: ReadonlySet<string> = new Set(coinbaseEventTypes);

/** Stripe's objects in our words. Pure: what Stripe said goes in, what it means to us comes out. */
import type Stripe from 'stripe';
import type {
  CardCharge,
  CardDecline,
  CardPaymentMethod,
  CardVendorEvent,
} from '../../domain/payments/card-payment.ts';
import { declineClassOf } from '../../domain/payments/card-payment.ts';
import type { CardDispute, DisputeStatus } from '../../domain/payments/dispute.ts';
import type { CardRefund, RefundStatus } from '../../domain/payments/refund.ts';
import { fromStripeAmount } from './amounts.ts';
import { isDirectDebit, returnCodeOf, returnOf } from './direct-debits.ts';

/**
 * A PaymentIntent as a charge. `refunds` are those of its latest charge; they need `latest_charge.refunds` to be
 * expanded, or to be given when there are more than fit in one answer. Disputes are always given; those of a direct debit
 * are no disputes but returns.
 */
export function toCardCharge(
  intent: Stripe.PaymentIntent,
  {
    refunds = embeddedRefunds(intent),
    disputes = [],
  }: { refunds?: Stripe.Refund[]; disputes?: Stripe.Dispute[] } = {},
): CardCharge {
  const actionUrl = intent.next_action?.redirect_to_url?.url;
  const decline = declineOf(intent);
  const isDebit = isDirectDebit(intent);
  const returned = isDebit ? returnOf(disputes) : undefined;
  return {
    externalId: intent.id,
    status: statusOf(intent),
    amount: fromStripeAmount(intent),
    refundedMinor: refundedMinorOf(intent),
    refunds: refunds.map(toCardRefund),
    disputes: isDebit ? [] : disputes.map(toCardDispute),
    ...(isDebit && { directDebit: true }),
    ...(returned && { returned }),
    ...(intent.status === 'requires_action' && actionUrl ? { actionUrl } : {}),
    ...(decline ? { decline } : {}),
    metadata: ownMetadata(intent.metadata),
    createdAt: toInstant(intent.created),
  };
}

/** A refund, with our own id where we have asked for it. */
export function toCardRefund(refund: Stripe.Refund): CardRefund {
  const refundId = refund.metadata?.['refundId'];
  return {
    externalId: refund.id,
    status: refundStatuses[refund.status ?? ''] ?? 'succeeded',
    amount: fromStripeAmount(refund),
    createdAt: toInstant(refund.created),
    ...(isId(refundId) && { refundId }),
  };
}

/** Stripe names no status for refunds of old, which are all given. */
const refundStatuses: Partial<Record<string, RefundStatus>> = {
  pending: 'pending',
  requires_action: 'pending',
  failed: 'failed',
  canceled: 'failed',
};

/** What Stripe took out of our account, and put back, are the dispute's balance transactions. */
function toCardDispute(dispute: Stripe.Dispute): CardDispute {
  const netMinor = dispute.balance_transactions.reduce((sum, { amount }) => sum + amount, 0);
  return {
    externalId: dispute.id,
    status: disputeStatuses[dispute.status] ?? 'open',
    amount: fromStripeAmount(dispute),
    reason: dispute.reason,
    isWithdrawn: netMinor < 0,
    openedAt: toInstant(dispute.created),
  };
}

/** An enquiry that was closed, and a dispute that was prevented, took nothing. */
const disputeStatuses: Partial<Record<string, DisputeStatus>> = {
  won: 'won',
  warning_closed: 'won',
  prevented: 'won',
  lost: 'lost',
};

/** Whether we have made the payment, for an attempt of a tenant. */
export function isOwn({ metadata }: Pick<Stripe.PaymentIntent, 'metadata'>): boolean {
  const { tenantId, attemptId } = ownMetadata(metadata);
  return tenantId !== undefined && attemptId !== undefined;
}

/** A PaymentMethod as we show it; the mandate of a bank account is found elsewhere. */
export function toCardPaymentMethod(method: Stripe.PaymentMethod): CardPaymentMethod {
  if (method.us_bank_account !== undefined) {
    const { bank_name: bank, last4 } = method.us_bank_account;
    const account = { brand: bank ?? 'Bank account', last4: last4 ?? '', expMonth: 0, expYear: 0 };
    return { externalId: method.id, type: 'us_bank_account', ...account };
  }
  return {
    externalId: method.id,
    type: 'card',
    brand: method.card?.brand ?? method.type,
    last4: method.card?.last4 ?? '',
    expMonth: method.card?.exp_month ?? 0,
    expYear: method.card?.exp_year ?? 0,
  };
}

/** An event reduced to ids. */
export function toCardVendorEvent(event: StripeEventFields): CardVendorEvent {
  const paymentId = paymentIdOf(event.data.object);
  const { tenantId, attemptId } = ownMetadata(metadataOf(event.data.object));
  return {
    externalId: event.id,
    type: event.type,
    ...(paymentId === undefined ? {} : { paymentId }),
    ...(tenantId === undefined || attemptId === undefined ? {} : { attempt: { tenantId, attemptId } }),
    createdAt: toInstant(event.created),
  };
}

/** What is read of an event, whatever its type. */
export type StripeEventFields = { id: string; type: string; created: number; data: { object: object } };

/** A payment that waits for a method after a try is a failed one; nothing ever leaves it there without a try. */
function statusOf({ status }: Stripe.PaymentIntent): CardCharge['status'] {
  return statuses[status] ?? 'failed';
}

const statuses: Partial<Record<string, CardCharge['status']>> = {
  succeeded: 'succeeded',
  processing: 'processing',
  requires_action: 'requires_action',
  canceled: 'canceled',
};

/** The last error stays on a payment that succeeded later; it is a decline only while the payment is failed. */
function declineOf(intent: Stripe.PaymentIntent): CardDecline | undefined {
  const error = intent.last_payment_error;
  if (!error || statusOf(intent) !== 'failed') return undefined;
  const word = error.decline_code ?? error.code ?? 'generic_decline';
  const code = isDirectDebit(intent) ? returnCodeOf({ networkCode: error.network_decline_code, word }) : word;
  return { code, class: declineClassOf(code) };
}

function refundedMinorOf(intent: Stripe.PaymentIntent): number {
  const charge = intent.latest_charge;
  if (charge === null || typeof charge === 'string') return 0;
  return fromStripeAmount({ amount: charge.amount_refunded, currency: charge.currency }).amountMinor;
}

function embeddedRefunds(intent: Stripe.PaymentIntent): Stripe.Refund[] {
  const charge = intent.latest_charge;
  return charge === null || typeof charge === 'string' ? [] : (charge.refunds?.data ?? []);
}

function ownMetadata(metadata: Stripe.Metadata): CardCharge['metadata'] {
  const { tenantId, customerId, invoiceId, attemptId } = metadata as Partial<Record<string, unknown>>;
  return {
    ...(isId(tenantId) && { tenantId }),
    ...(isId(customerId) && { customerId }),
    ...(isId(invoiceId) && { invoiceId }),
    ...(isId(attemptId) && { attemptId }),
  };
}

/** What others put there (the account may serve other programs too) need not be an id, nor a text. */
function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{1,255}$/.test(value);
}

function metadataOf(subject: object): Stripe.Metadata {
  const { metadata } = subject as { metadata?: unknown };
  return typeof metadata === 'object' && metadata !== null ? (metadata as Stripe.Metadata) : {};
}

/** PaymentIntents name themselves; charges, refunds and disputes name the PaymentIntent they belong to. */
function paymentIdOf(subject: object): string | undefined {
  const { object, id, payment_intent } = subject as {
    object?: unknown;
    id?: unknown;
    payment_intent?: unknown;
  };
  const named = object === 'payment_intent' ? id : payment_intent;
  return isId(named) ? named : undefined;
}

function toInstant(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

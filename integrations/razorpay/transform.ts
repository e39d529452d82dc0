/** Razorpay's objects in our words. Pure: what Razorpay said goes in, what it means to us comes out. */
import { type Money, money } from '../../domain/money.ts';
import type { CardDispute, DisputeStatus } from '../../domain/payments/dispute.ts';
import type {
  OrderPayment,
  OrderPaymentStatus,
  OrderVendorEvent,
  VendorOrder,
} from '../../domain/payments/razorpay-order.ts';
import type {
  VendorCycle,
  VendorSubscription,
  VendorSubscriptionStatus,
} from '../../domain/payments/razorpay-subscription.ts';
import type { CardRefund, RefundStatus } from '../../domain/payments/refund.ts';
import type {
  DisputeJson,
  EventJson,
  InvoiceJson,
  OrderJson,
  PaymentJson,
  RefundJson,
  SubscriptionJson,
} from './shapes.ts';

/**
 * Null for an order that another program made on the same account: ours carries the tenant, and our id both in its notes and
 * as its receipt.
 */
export function toVendorOrder(order: OrderJson): VendorOrder | null {
  const { tenantId, orderId } = order.notes ?? {};
  if (!isId(tenantId) || !isId(orderId) || order.receipt !== orderId) return null;
  return {
    externalId: order.id,
    amount: toMoney(order),
    owner: { tenantId, orderId },
    createdAt: toInstant(order.created_at),
  };
}

export function toOrderPayment(payment: PaymentJson, refunds: readonly RefundJson[] = []): OrderPayment {
  const status = statuses[payment.status] ?? 'created';
  const failureCode = payment.error_reason ?? payment.error_code;
  return {
    externalId: payment.id,
    status,
    amount: toMoney(payment),
    captured: payment.captured === true,
    ...(status === 'failed' && failureCode != null && { failureCode }),
    refunds: refunds.map(toRefund),
    createdAt: toInstant(payment.created_at),
  };
}

/** A status that Razorpay has made up since is one in which nothing is decided. */
const statuses: Partial<Record<string, OrderPaymentStatus>> = {
  authorized: 'authorized',
  captured: 'captured',
  refunded: 'refunded',
  failed: 'failed',
};

/** A refund, with our own id where we have asked for it. */
export function toRefund(refund: RefundJson): CardRefund {
  const refundId = refund.notes?.['refundId'];
  return {
    externalId: refund.id,
    status: refundStatuses[refund.status ?? ''] ?? 'pending',
    amount: toMoney(refund),
    createdAt: toInstant(refund.created_at),
    ...(isId(refundId) && { refundId }),
  };
}

const refundStatuses: Partial<Record<string, RefundStatus>> = { processed: 'succeeded', failed: 'failed' };

/**
 * Null for a subscription that another program made on the same account. A state that Razorpay has made up since is one in
 * which it does not charge.
 */
export function toVendorSubscription(subscription: SubscriptionJson): VendorSubscription | null {
  const { tenantId, razorpaySubscriptionId } = subscription.notes ?? {};
  if (!isId(tenantId) || !isId(razorpaySubscriptionId)) return null;
  return {
    externalId: subscription.id,
    status: isSubscriptionStatus(subscription.status) ? subscription.status : 'paused',
    shortUrl: subscription.short_url ?? null,
    owner: { tenantId, razorpaySubscriptionId },
    createdAt: toInstant(subscription.created_at),
  };
}

function isSubscriptionStatus(status: string): status is VendorSubscriptionStatus {
  return status in subscriptionStatuses;
}

const subscriptionStatuses: Record<VendorSubscriptionStatus, true> = {
  created: true,
  authenticated: true,
  active: true,
  pending: true,
  halted: true,
  paused: true,
  cancelled: true,
  completed: true,
  expired: true,
};

/** One cycle that Razorpay has billed; only what it calls paid has a payment that counts. */
export function toVendorCycle(invoice: InvoiceJson, askedFor: string): VendorCycle {
  return {
    startsAt: toInstant(invoice.billing_start ?? invoice.created_at),
    paymentId: invoice.status === 'paid' ? (invoice.payment_id ?? null) : null,
    isAskedFor: invoice.id === askedFor,
  };
}

/**
 * Some accounts lose the money when the dispute is raised, others when it is lost: `amount_deducted` says. A dispute that was
 * won or closed has given it back, whatever is still written there. What is lost is what was deducted in the end.
 */
export function toDispute(dispute: DisputeJson): CardDispute {
  const status = disputeStatuses[dispute.status] ?? 'open';
  const deductedMinor = status === 'won' ? 0 : (dispute.amount_deducted ?? 0);
  const amount = toMoney(dispute);
  return {
    externalId: dispute.id,
    status,
    amount: deductedMinor > 0 ? money(deductedMinor, amount.currency) : amount,
    reason: dispute.reason_code ?? 'unknown',
    isWithdrawn: deductedMinor > 0,
    openedAt: toInstant(dispute.created_at),
  };
}

/** Everything that is still to be decided is open. */
const disputeStatuses: Partial<Record<string, DisputeStatus>> = { won: 'won', closed: 'won', lost: 'lost' };

/** An event reduced to ids; its own id comes in a header. */
export function toOrderVendorEvent(event: EventJson, externalId: string): OrderVendorEvent {
  const objectId = objectIdOf(event.payload ?? {});
  return {
    externalId,
    type: event.event,
    ...(objectId !== undefined && { objectId }),
    createdAt: toInstant(event.created_at),
  };
}

/**
 * Disputes, subscriptions and orders name themselves; a payment names the invoice of the cycle it paid, or else its order.
 * With a refund comes its payment.
 */
function objectIdOf(payload: Record<string, unknown>): string | undefined {
  const [dispute, subscription, order, payment] = ['dispute', 'subscription', 'order', 'payment'].map(
    (part) => entityOf(payload[part]),
  );
  const named =
    dispute?.id ?? subscription?.id ?? payment?.invoice_id ?? order?.id ?? payment?.order_id ?? undefined;
  return isId(named) ? named : undefined;
}

function entityOf(part: unknown): { id?: unknown; order_id?: unknown; invoice_id?: unknown } {
  const { entity } = (part ?? {}) as { entity?: unknown };
  return typeof entity === 'object' && entity !== null ? entity : {};
}

/** Both count by the currency's own exponent. Throws a `RangeError` on a currency we do not know. */
function toMoney({ amount, currency }: { amount: number; currency: string }): Money {
  return money(amount, currency.toUpperCase());
}

/** What others put there (the account may serve other programs too) need not be an id, nor a text. */
function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{1,255}$/.test(value);
}

function toInstant(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/**
 * Orders: one invoice's amount due, offered to the customer to be paid at Razorpay's checkout by card, UPI or whatever it
 * takes. The vendor tells of an order's payments in any order and more than once; they only move forward here.
 * https://razorpay.com/docs/payments/payments/#payment-life-cycle
 */
import { VendorError } from '../errors.ts';
import type { Money } from '../money.ts';
import type { CardRefund, CardRefundRequest } from './refund.ts';

/**
 * - `creating`: the row is there, the vendor has not answered yet.
 * - `open`: the customer can pay it.
 * - `paid`: a payment of it was captured.
 * - `closed`: nobody is shown it any more; a payment that still comes is booked all the same.
 */
export type OrderStatus = 'creating' | 'open' | 'paid' | 'closed';

/**
 * - `created`: the customer is at it.
 * - `authorized`: the bank has said yes; the money is ours once it is captured.
 * - `captured`: we have the money.
 * - `refunded`: all of it was given back, or an authorisation was never captured.
 * - `failed`: the bank said no. A late yes may still follow.
 */
export type OrderPaymentStatus = 'created' | 'authorized' | 'captured' | 'refunded' | 'failed';

/** A payment of an order as the vendor sees it now. */
export type OrderPayment = {
  externalId: string;
  status: OrderPaymentStatus;
  amount: Money;
  /** The money has arrived, whatever was given back since. */
  captured: boolean;
  /** The vendor's reason where it failed, as a code. */
  failureCode?: string;
  /** Also those that are not decided yet and those that failed. */
  refunds: CardRefund[];
  createdAt: string;
};

/** An order as the vendor sees it now, without its payments. */
export type VendorOrder = {
  externalId: string;
  amount: Money;
  /** What we wrote on it. */
  owner: { tenantId: string; orderId: string };
  createdAt: string;
};

export type FetchedOrder = VendorOrder & { payments: OrderPayment[] };

/** What an order needs. The vendor has no idempotency keys: `orderId` is its receipt, by which it is looked up. */
export type OrderRequest = { tenantId: string; invoiceId: string; orderId: string; amount: Money };

/** The vendor makes no order of the request, and would not if asked again: an amount or a currency it does not take. */
export class OrderRefused extends VendorError {
  readonly reason: string;

  constructor({ reason, message }: { reason: string; message: string }) {
    super({ code: 'vendor_rejected_request', message });
    this.reason = reason;
  }
}

/** The vendor of orders. Every method throws `VendorError` on failure. */
export type OrderVendor = {
  /** Throws `OrderRefused`. */
  createOrder(request: OrderRequest): Promise<VendorOrder>;
  /** Finds the order whose answer was lost; `null` when the vendor never saw it. */
  findOrder(input: Pick<OrderRequest, 'orderId'>): Promise<VendorOrder | null>;
  /** The order with its payments as they stand now; `null` for one of another program. Throws `not_found`. */
  fetchOrder(externalId: string): Promise<FetchedOrder | null>;
  /** Takes what was authorised. Throws `vendor_rejected_request` also where somebody was quicker. */
  capture(input: { paymentId: string; amount: Money }): Promise<void>;
  /** Gives a part of a payment back, or all of it. Throws `RefundRefused`. */
  refund(input: CardRefundRequest): Promise<CardRefund>;
  /** Finds a refund of ours whose answer was lost; `null` when the vendor never saw it. */
  findRefund(input: Pick<CardRefundRequest, 'paymentId' | 'refundId'>): Promise<CardRefund | null>;
};

/** One event of the vendor, as far as we trust it: ids only, what it speaks of is fetched again. */
export type OrderVendorEvent = {
  externalId: string;
  type: string;
  /** What the event speaks of, when it does: an order, a subscription or an invoice of one, a dispute. */
  objectId?: string;
  createdAt: string;
};

/** The part of a payment that the order's row remembers. */
export type KnownPayment = { externalId: string; status: OrderPaymentStatus; at: string };

/**
 * What to remember of an order's payments: the one that came furthest, of equals the latest. What is remembered is never
 * put back by an older answer, but a payment that failed may succeed after all.
 */
export function leadingPayment(
  known: KnownPayment | null,
  seen: readonly Pick<OrderPayment, 'externalId' | 'status' | 'createdAt'>[],
): KnownPayment | null {
  const candidates = seen.map(({ externalId, status, createdAt: at }) => ({ externalId, status, at }));
  return candidates.reduce<KnownPayment | null>((best, each) => {
    if (best === null) return each;
    if (best.externalId === each.externalId) return steps[each.status] > steps[best.status] ? each : best;
    const byWeight = weights[each.status] - weights[best.status];
    return byWeight > 0 || (byWeight === 0 && each.at > best.at) ? each : best;
  }, known);
}

/** How far one payment has come. */
const steps: Record<OrderPaymentStatus, number> = {
  created: 0,
  failed: 1,
  authorized: 2,
  captured: 3,
  refunded: 4,
};

/** Which of several payments of an order counts: one that may still succeed before one that is over. */
const weights: Record<OrderPaymentStatus, number> = {
  failed: 0,
  refunded: 0,
  created: 1,
  authorized: 2,
  captured: 3,
};

/**
 * Whether the customer's money is on its way: while it is, nothing else is charged for the invoice. A customer who has
 * begun and says nothing more for half an hour has gone: the vendor gives up a payment after about twelve minutes.
 */
export function isUnderWay(payment: KnownPayment | null, now: string): boolean {
  if (payment === null) return false;
  if (payment.status === 'authorized') return true;
  return payment.status === 'created' && Date.parse(now) - Date.parse(payment.at) < ABANDONED_AFTER_MS;
}

const ABANDONED_AFTER_MS = 30 * 60_000;

/**
 * How old an order's last look may be before the reconciler looks at it again: hourly for three days, as long as payments
 * usually take, then once a day. A closed order is looked at for five days more: so late can an authorisation come.
 */
export const orderLooks = { hourlyDays: 3, closedDays: 5 } as const;

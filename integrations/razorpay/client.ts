/**
 * Razorpay as our vendor, on the official SDK; of orders here, of subscriptions and disputes in the files beside.
 *
 * Why it is safe to run twice: nothing is repeated blindly. An order carries our id as its receipt and a refund carries ours
 * in its notes; after an unknown outcome the caller asks `findOrder` or `findRefund` first. A refund that Razorpay still
 * works on is not found yet: our id is its idempotency key as well, so that asking again gives nothing twice. Razorpay has
 * such keys for refunds alone. A payment can be captured once only, whoever asks.
 */
import type Razorpay from 'razorpay';
import {
  type FetchedOrder,
  OrderRefused,
  type OrderRequest,
  type OrderVendor,
  type VendorOrder,
} from '../../domain/payments/razorpay-order.ts';
import type { RazorpayVendor } from '../../domain/payments/razorpay-subscription.ts';
import { type CardRefund, type CardRefundRequest, RefundRefused } from '../../domain/payments/refund.ts';
import { createRazorpay, postWithHeaders, type RazorpayConnection } from './connection.ts';
import { createDisputeVendor } from './disputes.ts';
import { toVendorError } from './errors.ts';
import { LIST_MAX, listRefunds, mutation, read } from './requests.ts';
import * as shapes from './shapes.ts';
import { createSubscriptionVendor } from './subscriptions.ts';
import { toOrderPayment, toRefund, toVendorOrder } from './transform.ts';

/** Connects to Razorpay, or to whatever listens at `apiBase`. */
export function createRazorpayOrderVendor(connection: RazorpayConnection): RazorpayVendor {
  const razorpay = createRazorpay(connection);
  return {
    ...createOrderVendor(razorpay),
    ...createSubscriptionVendor(razorpay),
    ...createDisputeVendor(razorpay),
  };
}

function createOrderVendor(razorpay: Razorpay): OrderVendor {
  return {
    createOrder: (request) => createOrder(razorpay, request),
    findOrder: ({ orderId }) => findOrder(razorpay, orderId),
    fetchOrder: (externalId) => fetchOrder(razorpay, externalId),
    async capture({ paymentId, amount }) {
      const { amountMinor, currency } = amount;
      await mutation(shapes.payment, () => razorpay.payments.capture(paymentId, amountMinor, currency));
    },
    refund: (request) => refund(razorpay, request),
    findRefund: ({ paymentId, refundId }) => findRefund(razorpay, paymentId, refundId),
  };
}

/** Whether payments are captured by themselves is a setting of the account; what is not, the caller captures. */
async function createOrder(
  razorpay: Razorpay,
  { tenantId, invoiceId, orderId, amount }: OrderRequest,
): Promise<VendorOrder> {
  const request = {
    amount: amount.amountMinor,
    currency: amount.currency,
    receipt: orderId,
    notes: { tenantId, invoiceId, orderId },
  };
  const made = toVendorOrder(
    await mutation(
      shapes.order,
      () => razorpay.orders.create(request),
      ({ field, reason, message }) =>
        field === 'amount' || field === 'currency' ? new OrderRefused({ reason, message }) : null,
    ),
  );
  if (made === null)
    throw toVendorError(new Error('Razorpay: another order than asked for'), { mutates: true });
  return made;
}

/** Of several with the same receipt the oldest one, whenever it is looked for. */
async function findOrder(razorpay: Razorpay, orderId: string): Promise<VendorOrder | null> {
  const { items } = await read(shapes.listOf(shapes.order), () =>
    razorpay.orders.all({ receipt: orderId, count: LIST_MAX }),
  );
  const own = items.map(toVendorOrder).filter((order) => order?.owner.orderId === orderId) as VendorOrder[];
  own.sort((a, b) => compare(a.createdAt, b.createdAt) || compare(a.externalId, b.externalId));
  return own[0] ?? null;
}

/** The order first: what its payments say is not older. Of an order that is none of ours nothing more is read. */
async function fetchOrder(razorpay: Razorpay, externalId: string): Promise<FetchedOrder | null> {
  const order = toVendorOrder(await read(shapes.order, () => razorpay.orders.fetch(externalId)));
  if (order === null) return null;
  const { items } = await read(shapes.listOf(shapes.payment), () =>
    razorpay.orders.fetchPayments(externalId),
  );
  const payments = [];
  for (const payment of items) {
    const refunds = payment.captured === true ? await listRefunds(razorpay, payment.id) : [];
    payments.push(toOrderPayment(payment, refunds));
  }
  return { ...order, payments };
}

/**
 * The key is our id and not `refund:<id>`: Razorpay takes at least ten letters, digits, hyphens and underscores.
 * https://razorpay.com/docs/api/refunds/normal-refunds-idempotent/
 */
async function refund(razorpay: Razorpay, request: CardRefundRequest): Promise<CardRefund> {
  const { tenantId, invoiceId, refundId, paymentId, amount } = request;
  return toRefund(
    await mutation(
      shapes.refund,
      () =>
        postWithHeaders(razorpay, {
          path: `/v1/payments/${paymentId}/refund`,
          body: {
            amount: amount.amountMinor,
            speed: 'normal',
            receipt: refundId,
            notes: { tenantId, invoiceId, refundId },
          },
          headers: { 'X-Refund-Idempotency': refundId },
        }),
      ({ reason, message }) => new RefundRefused({ reason, message }),
    ),
  );
}

async function findRefund(
  razorpay: Razorpay,
  paymentId: string,
  refundId: string,
): Promise<CardRefund | null> {
  const own = (await listRefunds(razorpay, paymentId))
    .map(toRefund)
    .filter((each) => each.refundId === refundId);
  return own.find(({ status }) => status !== 'failed') ?? own[0] ?? null;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

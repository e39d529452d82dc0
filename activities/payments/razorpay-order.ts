/**
 * Asks Razorpay for an order, and records the answer.
 *
 * Why it is safe to run twice: the row exists before Razorpay is called and says whether an earlier run may have asked. If
 * one may have, the order is first looked up by its receipt, our own id; only what Razorpay never heard of is asked for
 * again. The first order that is recorded stays; its id is all a customer is ever shown, so only that one can be paid.
 */
import { type Database, withTenant } from '../../db/client.ts';
import {
  type BegunOrder,
  beginOrder,
  readOrder,
  recordOrder,
  refuseOrder,
} from '../../db/queries/payments/razorpay-orders.ts';
import {
  OrderRefused,
  type OrderStatus,
  type OrderVendor,
  type VendorOrder,
} from '../../domain/payments/razorpay-order.ts';

export type PlaceOrderInput = { tenantId: string; orderId: string; at: string };

export function createRazorpayOrderActivities({
  db,
  orderVendor,
}: {
  db: Database;
  orderVendor: OrderVendor;
}) {
  return {
    /** Throws `VendorError` when Razorpay could not be asked or its answer was lost; run it again then. */
    async placeRazorpayOrder({
      tenantId,
      orderId,
      at: now,
    }: PlaceOrderInput): Promise<{ status: OrderStatus }> {
      const at = new Date(now);
      const begun = await withTenant(db, tenantId, (tx) => beginOrder(tx, { orderId, at }));
      if (begun.kind === 'ask') {
        const answer = await ask(orderVendor, begun);
        await withTenant(db, tenantId, (tx) =>
          answer instanceof OrderRefused
            ? refuseOrder(tx, { orderId, reason: answer.reason, at })
            : recordOrder(tx, { orderId, made: answer, at }),
        );
      }
      const { status } = await withTenant(db, tenantId, (tx) => readOrder(tx, orderId));
      return { status };
    },
  };
}

async function ask(
  orderVendor: OrderVendor,
  { request, resumed }: Extract<BegunOrder, { kind: 'ask' }>,
): Promise<VendorOrder | OrderRefused> {
  if (resumed) {
    const known = await orderVendor.findOrder(request);
    if (known !== null) return known;
  }
  try {
    return await orderVendor.createOrder(request);
  } catch (error) {
    if (error instanceof OrderRefused) return error;
    throw error;
  }
}

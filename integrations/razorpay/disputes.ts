/** Razorpay's disputes: read only, for evidence is sent in its dashboard. */
import type Razorpay from 'razorpay';
import type { DisputeVendor } from '../../domain/payments/razorpay-subscription.ts';
import { read } from './requests.ts';
import * as shapes from './shapes.ts';
import { toDispute, toVendorOrder, toVendorSubscription } from './transform.ts';

export function createDisputeVendor(razorpay: Razorpay): DisputeVendor {
  return {
    async fetchDispute(externalId) {
      const dispute = await read(shapes.dispute, () => razorpay.disputes.fetch(externalId));
      const tenantId = await tenantOf(razorpay, dispute.payment_id);
      return tenantId === null
        ? null
        : { tenantId, paymentId: dispute.payment_id, dispute: toDispute(dispute) };
    },
  };
}

/** A payment does not say whose it is: the subscription does whose cycle it paid, or the order. */
async function tenantOf(razorpay: Razorpay, paymentId: string): Promise<string | null> {
  const { invoice_id: invoiceId, order_id: orderId } = await read(shapes.payment, () =>
    razorpay.payments.fetch(paymentId),
  );
  if (invoiceId != null) {
    const { subscription_id: id } = await read(shapes.invoice, () => razorpay.invoices.fetch(invoiceId));
    if (id == null) return null;
    const subscription = await read(shapes.subscription, () => razorpay.subscriptions.fetch(id));
    return toVendorSubscription(subscription)?.owner.tenantId ?? null;
  }
  if (orderId == null) return null;
  return (
    toVendorOrder(await read(shapes.order, () => razorpay.orders.fetch(orderId)))?.owner.tenantId ?? null
  );
}

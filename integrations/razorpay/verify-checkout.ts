/**
 * What the checkout hands to the customer's browser after a payment: its id, signed with our key's secret, so that a browser
 * cannot make it up. It proves that the payment was authorised, not that we have the money.
 * https://razorpay.com/docs/payments/payment-gateway/web-integration/standard/integration-steps/#15-verify-payment-signature
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** A payment of an order, or of a subscription: Razorpay signs the two ids in opposite orders. */
export type CheckoutCallback = { paymentId: string; signature: string } & (
  | { orderId: string }
  | { subscriptionId: string }
);

export function isCheckoutGenuine(callback: CheckoutCallback, keySecret: string): boolean {
  const { paymentId, signature } = callback;
  if (keySecret === '' || !/^[\da-f]{64}$/.test(signature)) return false;
  const expected = createHmac('sha256', keySecret).update(signedText(callback, paymentId)).digest();
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'));
}

function signedText(callback: CheckoutCallback, paymentId: string): string {
  return 'orderId' in callback
    ? `${callback.orderId}|${paymentId}`
    : `${paymentId}|${callback.subscriptionId}`;
}

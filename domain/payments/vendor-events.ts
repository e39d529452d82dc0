/** What vendors tell us of payments: the events we subscribe to, look for when one was missed, and act on. */

/** Of Stripe. */
export const stripeEventTypes: readonly string[] = [
  'payment_intent.succeeded',
  'payment_intent.payment_failed',
  'payment_intent.requires_action',
  'payment_intent.processing',
  'payment_intent.canceled',
  'charge.refunded',
  'refund.updated',
  'refund.failed',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.dispute.funds_withdrawn',
  'charge.dispute.funds_reinstated',
  'charge.dispute.closed',
];

/** Of Coinbase Business: name them in the webhook's subscription. */
export const coinbaseEventTypes: readonly string[] = [
  'checkout.payment.success',
  'checkout.payment.failed',
  'checkout.payment.expired',
  'checkout.refund.success',
  'checkout.refund.failed',
];

/** Of Plaid: consent to read the bank ends on a day; what the day is, is asked. */
export const PLAID_CONSENT_ENDS = 'ITEM.PENDING_EXPIRATION';
/** Of Plaid: the connection will be ended within days; nothing else says so. */
export const PLAID_DISCONNECT_EXPECTED = 'ITEM.PENDING_DISCONNECT';
/** Of Plaid: the person has signed in again. */
export const PLAID_LOGIN_REPAIRED = 'ITEM.LOGIN_REPAIRED';

/** Of Razorpay: subscribe the webhook to these in its dashboard. */
export const razorpayEventTypes: readonly string[] = [
  'payment.authorized',
  'payment.captured',
  'payment.failed',
  'order.paid',
  'refund.created',
  'refund.processed',
  'refund.failed',
  'subscription.authenticated',
  'subscription.activated',
  'subscription.charged',
  'subscription.pending',
  'subscription.halted',
  'subscription.paused',
  'subscription.resumed',
  'subscription.updated',
  'subscription.cancelled',
  'subscription.completed',
  'payment.dispute.created',
  'payment.dispute.under_review',
  'payment.dispute.action_required',
  'payment.dispute.won',
  'payment.dispute.lost',
  'payment.dispute.closed',
];

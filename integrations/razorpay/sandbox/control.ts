/** What tests and the demo do to the Razorpay sandbox from outside: the customer at the checkout, the bank, the dashboard. */
import { createHmac } from 'node:crypto';
import { razorpayEventTypes } from '../../../domain/payments/vendor-events.ts';
import type { Effect, EffectLog, EffectNote } from '../../sandbox/effect-log.ts';
import { createWebhookControl, type WebhookControl } from '../../sandbox/webhook-control.ts';
import type { WebhookSender } from '../../sandbox/webhooks.ts';
import {
  newObjectId,
  orderNote,
  type RazorpayContext,
  type RazorpayEvent,
  requireOrder,
  requirePayment,
} from './context.ts';
import { type DisputeOutcome, moveDispute, type NewDispute, openDispute } from './disputes.ts';
import { authorize, beginPayment, capture, fail, type NewPayment } from './payments.ts';
import { failRefund, refundPayment } from './refunds.ts';
import { authorizeSubscription, cancelSubscription, chargeCycle, failCycle } from './subscriptions.ts';

/**
 * - `captured`: the account captures by itself.
 * - `authorized`: it does not.
 * - `created`: the customer is still at the bank.
 * - anything else: it fails with this reason.
 */
export type PaymentOutcome = 'captured' | 'authorized' | 'created' | (string & {});

/** What the checkout hands to the browser; a payment that failed has no signature. */
export type CheckoutAnswer = { paymentId: string; signature: string };

export type RazorpayControl = WebhookControl & {
  /** The effects by which money was taken, one for each captured payment. */
  captures(): Effect[];
  /** The customer pays an order at the checkout. */
  pay(payment: NewPayment & { outcome?: PaymentOutcome | undefined }): CheckoutAnswer;
  /** What becomes of a payment that was begun or has failed. */
  settle(paymentId: string, outcome: PaymentOutcome): void;
  /** A refund made in the dashboard; the rest of the payment when no amount is given. Returns its id. */
  refund(refund: { paymentId: string; amount?: number | undefined }): string;
  failRefund(refundId: string): void;
  /** The customer authorises a subscription; one without a later start is charged at once. */
  authorize(subscriptionId: string): CheckoutAnswer;
  /** What the checkout would answer for a payment that Razorpay has not told of yet. */
  signAuthorization(subscriptionId: string): CheckoutAnswer;
  /** The cycle that is due is paid; of a `pending` one the one that failed. Returns the payment's id. */
  chargeCycle(subscriptionId: string): string;
  /** The cycle that is due fails, or the next try of it does: after the fourth the subscription is `halted`. */
  failCycle(subscriptionId: string, reason?: string): void;
  /** Somebody ends it in the dashboard, or the customer does at the bank. */
  cancelSubscription(subscriptionId: string): void;
  /** The customer's bank wants a payment back. Returns the dispute's id. */
  openDispute(dispute: NewDispute): string;
  moveDispute(disputeId: string, outcome: DisputeOutcome): void;
};

export function createRazorpayControl({
  context,
  log,
  webhooks,
  commit,
}: {
  context: RazorpayContext;
  log: EffectLog;
  webhooks: WebhookSender<RazorpayEvent>;
  commit: () => void;
}): RazorpayControl {
  const record = (op: string, note: EffectNote) => {
    commit();
    log.append({ op, idempotencyKey: null, bodyHash: '', faultInjected: null }, note);
  };
  const settle = (paymentId: string, outcome: PaymentOutcome) => {
    const payment = requirePayment(context, paymentId);
    if (payment.captured) throw new RangeError(`Payment ${paymentId} is captured`);
    const order = requireOrder(context, payment.order_id);
    if (outcome === 'created') return;
    if (outcome !== 'captured' && outcome !== 'authorized') {
      fail(context, payment, outcome);
      record('payments.fail', orderNote(order, { outcome: 'refused', objectId: paymentId, detail: outcome }));
      return;
    }
    if (payment.status !== 'authorized') {
      authorize(context, payment);
      record('payments.authorize', orderNote(order, { outcome: 'effect', objectId: paymentId }));
    }
    if (outcome === 'captured') record('payments.auto_capture', capture(context, payment));
  };
  const signedFor = (subscriptionId: string, paymentId: string): CheckoutAnswer => ({
    paymentId,
    signature: sign(context.keySecret, `${paymentId}|${subscriptionId}`),
  });
  return {
    captures: () => log.entries().filter(isCapture),
    pay({ outcome = 'captured', ...wanted }) {
      const { id } = beginPayment(context, wanted);
      settle(id, outcome);
      commit();
      return { paymentId: id, signature: sign(context.keySecret, `${wanted.orderId}|${id}`) };
    },
    settle(paymentId, outcome) {
      settle(paymentId, outcome);
      commit();
    },
    refund(wanted) {
      const { refund, note } = refundPayment(context, wanted);
      record('refunds.create', note);
      return refund.id;
    },
    failRefund: (refundId) => record('refunds.fail', failRefund(context, refundId)),
    authorize(subscriptionId) {
      const { payment, note } = authorizeSubscription(context, subscriptionId);
      if (note !== null) record('payments.auto_capture', note);
      commit();
      return signedFor(subscriptionId, payment.id);
    },
    signAuthorization: (subscriptionId) => signedFor(subscriptionId, newObjectId('pay')),
    chargeCycle(subscriptionId) {
      const { payment, note } = chargeCycle(context, subscriptionId);
      record('payments.auto_capture', note);
      return payment.id;
    },
    failCycle: (subscriptionId, reason = 'insufficient_funds') =>
      record('payments.fail', failCycle(context, subscriptionId, reason)),
    cancelSubscription: (subscriptionId) =>
      record('subscriptions.end', cancelSubscription(context, subscriptionId)),
    openDispute(wanted) {
      const { dispute, note } = openDispute(context, wanted);
      record('disputes.open', note);
      return dispute.id;
    },
    moveDispute: (disputeId, outcome) => record('disputes.close', moveDispute(context, disputeId, outcome)),
    ...createWebhookControl(webhooks, razorpayEventTypes),
  };
}

function isCapture({ op, outcome }: Effect): boolean {
  return outcome === 'effect' && (op === 'payments.capture' || op === 'payments.auto_capture');
}

function sign(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

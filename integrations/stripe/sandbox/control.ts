/** What tests and the demo do to the Stripe sandbox from outside: everything Stripe's API does not offer. */
import type { Effect, EffectLog, EffectNote } from '../../sandbox/effect-log.ts';
import { VendorRefusal } from '../../sandbox/vendor.ts';
import { stripeEventTypes } from '../event-types.ts';
import { type AuthenticationAnswer, completeAuthentication } from './authentication-page.ts';
import { resolveIntent } from './confirmation.ts';
import { intentNote, noRequest, type StripeContext } from './context.ts';
import { closeDispute, openDispute } from './disputes.ts';
import { failRefund, refundIntent, settleRefund } from './refunds.ts';
import { createCard, setCardOutcomes } from './test-cards.ts';
import type { WebhookEndpoint } from './webhook-post.ts';
import type { FlushOrder, WebhookDelivery, WebhookSender } from './webhooks.ts';

export type NewCard = {
  brand?: string | undefined;
  last4?: string | undefined;
  expMonth?: number | undefined;
  expYear?: number | undefined;
  /** One for each attempt, the last one repeating; see test-cards.ts for what an outcome may be. */
  outcomes: string[];
  /** How a refund to it begins; at once as usual. */
  refunds?: 'pending' | undefined;
};

export type StripeControl = {
  /** The effects by which money was taken, one for each successful charge. */
  charges(): Effect[];
  /** Makes a card that can be attached; returns its payment method id. */
  createCard(card: NewCard): string;
  /** Decides what the issuer says to a card's next attempts. */
  setCardOutcomes(paymentMethodId: string, outcomes: string[]): void;
  /** Does what the customer does on the bank's page; returns the payment's status. */
  authenticate(paymentIntentId: string, answer: AuthenticationAnswer): string;
  /** Ends a payment in process with `succeeded` or a decline code; returns its status. */
  settle(paymentIntentId: string, outcome: string): string;
  /** A refund made in the dashboard; the rest of the charge when no amount is given. Returns its id. */
  refund(refund: { paymentIntent: string; amount?: number | undefined }): string;
  /** Does what the customer's bank does when it cannot pay a refund out; returns the refund's status. */
  failRefund(refundId: string): string;
  /** Ends a refund the bank worked on: it is given. */
  settleRefund(refundId: string): void;
  /** Does what the customer's bank does when the customer wants a payment back; returns the dispute's id. */
  openDispute(dispute: {
    paymentIntent: string;
    /** All that was not refunded when absent. */
    amount?: number | undefined;
    reason?: string | undefined;
    /** The bank only asks: no money leaves. */
    enquiry?: boolean | undefined;
  }): string;
  closeDispute(disputeId: string, outcome: 'won' | 'lost'): void;
  webhookDeliveries(): WebhookDelivery[];
  setWebhookEndpoint(
    endpoint: Omit<WebhookEndpoint, 'events'> & { events?: readonly string[] | undefined },
  ): void;
  /** Releases held webhooks and waits until none is pending. */
  flushWebhooks(order?: FlushOrder): Promise<void>;
  /** Sends an event once more, as Stripe may do days later. */
  redeliverWebhook(eventId: string): void;
};

export function createStripeControl({
  context,
  log,
  webhooks,
  commit,
}: {
  context: StripeContext;
  log: EffectLog;
  webhooks: WebhookSender;
  commit: () => void;
}): StripeControl {
  const record = (op: string, note: EffectNote) => {
    commit();
    log.append({ op, idempotencyKey: null, bodyHash: '', faultInjected: null }, note);
  };
  return {
    charges: () => log.entries().filter(isChargeEffect),
    createCard({ brand = 'visa', last4 = '4242', expMonth = 12, expYear = 2034, ...script }) {
      const { id } = createCard(context, { brand, last4, expMonth, expYear, ...script });
      commit();
      return id;
    },
    setCardOutcomes(paymentMethodId, outcomes) {
      if (!context.paymentMethods.get(paymentMethodId)) throw new RangeError(`No card ${paymentMethodId}`);
      setCardOutcomes(context, paymentMethodId, outcomes);
      commit();
    },
    authenticate(paymentIntentId, answer) {
      const intent = completeAuthentication(context, log, paymentIntentId, answer);
      commit();
      if (!intent) throw new RangeError(`No payment ${paymentIntentId}`);
      return intent.status;
    },
    settle(paymentIntentId, outcome) {
      const status = settle(context, log, paymentIntentId, outcome);
      commit();
      return status;
    },
    refund({ paymentIntent, amount }) {
      const { refund, note } = refundIntent(context, { payment_intent: paymentIntent, amount }, noRequest);
      record('refunds.create', note);
      return refund.id;
    },
    failRefund(refundId) {
      const { refund, note } = failRefund(context, refundId);
      record('refunds.fail', note);
      return String(refund.status);
    },
    settleRefund: (refundId) => record('refunds.settle', settleRefund(context, refundId).note),
    openDispute(wanted) {
      const { dispute, note } = openDispute(context, wanted);
      record('disputes.open', note);
      return dispute.id;
    },
    closeDispute: (disputeId, outcome) =>
      record('disputes.close', closeDispute(context, disputeId, outcome).note),
    webhookDeliveries: () => webhooks.deliveries(),
    setWebhookEndpoint: ({ url, secret, events = stripeEventTypes }) =>
      webhooks.setEndpoint({ url, secret, events }),
    flushWebhooks: (order) => webhooks.flush(order),
    redeliverWebhook: (eventId) => webhooks.redeliver(eventId),
  };
}

/** An effect with an amount is money that moved. */
function isChargeEffect({ op, outcome, amountMinor }: Effect): boolean {
  return outcome === 'effect' && amountMinor !== null && op.startsWith('payment_intents.');
}

function settle(context: StripeContext, log: EffectLog, paymentIntentId: string, outcome: string): string {
  const intent = context.intents.get(paymentIntentId);
  if (intent?.status !== 'processing') throw new RangeError(`Payment ${paymentIntentId} is not processing`);
  try {
    resolveIntent(context, intent, outcome, noRequest);
  } catch (error) {
    if (!(error instanceof VendorRefusal)) throw error;
  }
  const moved = intent.status === 'succeeded';
  log.append(
    { op: 'payment_intents.settle', idempotencyKey: null, bodyHash: '', faultInjected: null },
    intentNote(intent, { outcome: moved ? 'effect' : 'refused', detail: outcome, moved }),
  );
  return intent.status;
}

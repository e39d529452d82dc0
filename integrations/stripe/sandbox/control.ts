/** What tests and the demo do to the Stripe sandbox from outside: everything Stripe's API does not offer. */
import type Stripe from 'stripe';
import { stripeEventTypes } from '../../../domain/payments/vendor-events.ts';
import type { Effect, EffectLog, EffectNote } from '../../sandbox/effect-log.ts';
import { VendorRefusal } from '../../sandbox/vendor.ts';
import { createWebhookControl, type WebhookControl } from '../../sandbox/webhook-control.ts';
import type { WebhookSender } from '../../sandbox/webhooks.ts';
import { type AuthenticationAnswer, completeAuthentication } from './authentication-page.ts';
import { createAccount } from './bank-accounts.ts';
import { resolveIntent } from './confirmation.ts';
import { intentNote, noRequest, type StripeContext } from './context.ts';
import { returnDebit } from './debit-returns.ts';
import { closeDispute, openDispute } from './disputes.ts';
import { failRefund, refundIntent, settleRefund } from './refunds.ts';
import { setUp } from './setup-intents.ts';
import { createCard, nextOutcome, setCardOutcomes } from './test-cards.ts';

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

export type NewBankAccount = {
  bankName?: string | undefined;
  last4?: string | undefined;
  /** One for each debit, the last one repeating; see bank-accounts.ts for what an answer may be. */
  answers: string[];
  /** It waits for its micro-deposits. */
  unverified?: boolean | undefined;
};

export type StripeControl = WebhookControl & {
  /** The effects by which money was taken, one for each successful charge. */
  charges(): Effect[];
  /** Makes a card that can be attached; returns its payment method id. */
  createCard(card: NewCard): string;
  /** Makes a bank account that is verified, unless it still waits for its micro-deposits; returns its payment method id. */
  createBankAccount(account: NewBankAccount): string;
  /** Decides what the issuer says to a card's next attempts. */
  setCardOutcomes(paymentMethodId: string, outcomes: string[]): void;
  /** Does what the customer does on the bank's page; returns the payment's status. */
  authenticate(paymentIntentId: string, answer: AuthenticationAnswer): string;
  /**
   * Ends a payment in process with `succeeded` or a decline code (of a bank account: a code of the network, and what its
   * script says when none is given); returns its status.
   */
  settle(paymentIntentId: string, outcome?: string): string;
  /** Does what a bank does when it takes a direct debit back that had succeeded; returns the id of the dispute that tells. */
  returnDebit(paymentIntentId: string, networkCode: string): string;
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
};

export function createStripeControl({
  context,
  log,
  webhooks,
  commit,
}: {
  context: StripeContext;
  log: EffectLog;
  webhooks: WebhookSender<Stripe.Event>;
  commit: () => void;
}): StripeControl {
  const record = (op: string, note: EffectNote) => {
    commit();
    log.append({ op, idempotencyKey: null, bodyHash: '', faultInjected: null }, note);
  };
  const takeBack = (paymentIntentId: string, networkCode: string) => {
    const { dispute, note } = returnDebit(context, paymentIntentId, networkCode);
    record('disputes.open', note);
    return dispute.id;
  };
  return {
    charges: () => log.entries().filter(isChargeEffect),
    createCard({ brand = 'visa', last4 = '4242', expMonth = 12, expYear = 2034, ...script }) {
      const { id } = createCard(context, { brand, last4, expMonth, expYear, ...script });
      commit();
      return id;
    },
    createBankAccount({ last4 = '6789', answers, bankName, unverified = false }) {
      const account = createAccount(context, { last4, answers, bankName });
      setUp(context, account, { isVerified: !unverified });
      commit();
      return account.id;
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
      const { status, takenBack } = settle(context, log, paymentIntentId, outcome);
      commit();
      if (takenBack !== undefined) takeBack(paymentIntentId, takenBack);
      return status;
    },
    returnDebit: takeBack,
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
    ...createWebhookControl(webhooks, stripeEventTypes),
  };
}

/** An effect with an amount is money that moved. */
function isChargeEffect({ op, outcome, amountMinor }: Effect): boolean {
  return outcome === 'effect' && amountMinor !== null && op.startsWith('payment_intents.');
}

function settle(
  context: StripeContext,
  log: EffectLog,
  paymentIntentId: string,
  wanted: string | undefined,
): { status: string; takenBack?: string | undefined } {
  const intent = context.intents.get(paymentIntentId);
  if (intent?.status !== 'processing') throw new RangeError(`Payment ${paymentIntentId} is not processing`);
  const said = wanted ?? nextOutcome(context, String(intent.payment_method));
  const [, takenBack] = /^succeeded_then_(R\d\d)$/.exec(said) ?? [];
  const outcome = takenBack === undefined ? said : 'succeeded';
  if (outcome === 'processing') return { status: outcome };
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
  return { status: intent.status, takenBack };
}

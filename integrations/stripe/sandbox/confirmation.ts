/**
 * What becomes of a payment when it is confirmed: the issuer approves, declines, wants the customer, or takes its
 * time. Off-session a wish for the customer is a decline; on-session it is a link.
 */
import type Stripe from 'stripe';
import { bankReturn, blockAfter, isBankAccount } from './bank-accounts.ts';
import { recordCharge } from './charges.ts';
import { type Challenge, intentNote, type Origin, type StripeContext } from './context.ts';
import { type CardDecline, cardDecline, cardError, invalidRequest } from './errors.ts';
import { emit } from './events.ts';
import { nextOutcome } from './test-cards.ts';

export type Confirmation = { offSession: boolean; returnUrl: string | null; origin: Origin };

/** Confirms with the payment method the intent holds. Throws Stripe's 402 on a decline. */
export function confirmIntent(
  context: StripeContext,
  intent: Stripe.PaymentIntent,
  { offSession, returnUrl, origin }: Confirmation,
): void {
  const method = confirmableMethod(context, intent);
  const owed = context.challenges.get(intent.id);
  if (owed && !offSession) {
    requireAction(context, intent, { ...owed, returnUrl }, origin);
    return;
  }

  // A debit goes to the bank; what the bank says comes days later.
  const outcome = isBankAccount(method) ? 'processing' : nextOutcome(context, method.id);
  const [, afterwards] = /^authentication_required(?:_then_(.+))?$/.exec(outcome) ?? [];
  if (outcome.startsWith('authentication_required')) {
    const challenge: Challenge = { intentId: intent.id, returnUrl, afterwards: afterwards ?? 'succeeded' };
    context.challenges.put(intent.id, challenge);
    if (!offSession) requireAction(context, intent, challenge, origin);
    else throw declined(context, intent, method, cardDecline('authentication_required'), origin);
    return;
  }
  settle(context, intent, method, outcome, origin);
}

/** The customer is back from the bank's page, or the bank itself has answered a payment in process. */
export function resolveIntent(
  context: StripeContext,
  intent: Stripe.PaymentIntent,
  outcome: string,
  origin: Origin,
): void {
  const method = confirmableMethod(context, intent);
  context.challenges.delete(intent.id);
  settle(context, intent, method, outcome, origin);
}

/** The customer failed, or refused, to confirm: no charge was tried. */
export function failAuthentication(
  context: StripeContext,
  intent: Stripe.PaymentIntent,
  origin: Origin,
): void {
  const method = confirmableMethod(context, intent);
  context.challenges.delete(intent.id);
  fail(context, intent, method, origin, {
    code: 'payment_intent_authentication_failure',
    message:
      'We are unable to authenticate your payment method. Please choose a different payment method and try again.',
  });
}

function settle(
  context: StripeContext,
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
  outcome: string,
  origin: Origin,
): void {
  if (outcome === 'succeeded') {
    succeed(context, intent, method, origin);
  } else if (outcome === 'processing') {
    Object.assign(intent, { status: 'processing', next_action: null });
    context.intents.put(intent.id, intent);
    emit(context, 'payment_intent.processing', intent, origin);
  } else {
    const isBank = isBankAccount(method);
    if (isBank) blockAfter(context, method, outcome);
    throw declined(context, intent, method, isBank ? bankReturn(outcome) : cardDecline(outcome), origin);
  }
}

function succeed(
  context: StripeContext,
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
  origin: Origin,
): void {
  const charge = recordCharge(context, intent, method, null);
  Object.assign(intent, {
    status: 'succeeded',
    amount_received: intent.amount,
    latest_charge: charge.id,
    next_action: null,
  });
  context.intents.put(intent.id, intent);
  emit(context, 'charge.succeeded', charge, origin);
  emit(context, 'payment_intent.succeeded', intent, origin);
}

function requireAction(
  context: StripeContext,
  intent: Stripe.PaymentIntent,
  challenge: Challenge,
  origin: Origin,
): void {
  if (challenge.returnUrl === null) {
    throw invalidRequest('A return_url is needed, because the payment may redirect the customer.', {
      code: 'parameter_missing',
      param: 'return_url',
    });
  }
  context.challenges.put(intent.id, challenge);
  Object.assign(intent, {
    status: 'requires_action',
    last_payment_error: null,
    next_action: {
      type: 'redirect_to_url',
      redirect_to_url: { return_url: challenge.returnUrl, url: `${context.url()}/3ds/${intent.id}` },
    },
  });
  context.intents.put(intent.id, intent);
  emit(context, 'payment_intent.requires_action', intent, origin);
}

function declined(
  context: StripeContext,
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
  decline: CardDecline,
  origin: Origin,
) {
  const charge = recordCharge(context, intent, method, decline);
  emit(context, 'charge.failed', charge, origin);
  fail(context, intent, method, origin, { ...decline, charge: charge.id });
  return cardError(decline, {
    charge: charge.id,
    payment_intent: intent,
    payment_method: method,
    note: intentNote(intent, { outcome: 'refused', detail: decline.decline_code, moved: false }),
  });
}

/** A failed payment gives its method back: another one, or the same again, must be named to confirm. */
function fail(
  context: StripeContext,
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
  origin: Origin,
  error: { code: string; message: string; decline_code?: string; charge?: string },
): void {
  Object.assign(intent, {
    status: 'requires_payment_method',
    payment_method: null,
    next_action: null,
    latest_charge: error.charge ?? intent.latest_charge,
    last_payment_error: { type: 'card_error', ...error, payment_method: structuredClone(method) },
  });
  context.intents.put(intent.id, intent);
  emit(context, 'payment_intent.payment_failed', intent, origin);
}

function confirmableMethod(context: StripeContext, intent: Stripe.PaymentIntent): Stripe.PaymentMethod {
  const method = context.paymentMethods.get(String(intent.payment_method));
  if (method) return method;
  throw invalidRequest(
    "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the " +
      'PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method.',
    { code: 'payment_intent_unexpected_state' },
  );
}

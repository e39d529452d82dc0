/**
 * Test cards. Stripe's own `pm_card_…` ids behave as documented; further cards are made through the control
 * endpoint with a script of outcomes, one for each attempt, the last one repeating.
 * https://docs.stripe.com/testing#cards
 */
import type Stripe from 'stripe';
import { vendorId } from '../../sandbox/random.ts';
import type { StripeContext, StripeObjects } from './context.ts';

/**
 * An outcome is `succeeded`, `processing`, a decline code, `authentication_required`, or
 * `authentication_required_then_<decline code>`.
 */
export type CardScript = {
  outcomes: string[];
  used: number;
  detached?: true;
  /** How a refund to it begins; at once as usual. */
  refunds?: 'pending';
};

type CardFace = { brand: string; last4: string; expMonth: number; expYear: number };

/** `attach` is what attaching says: Stripe refuses to attach most declining cards. */
type MagicCard = { brand: string; last4: string; attach: string; outcomes: string[]; refunds?: 'pending' };

const magicCards: Partial<Record<string, MagicCard>> = {
  pm_card_visa: { brand: 'visa', last4: '4242', attach: 'succeeded', outcomes: ['succeeded'] },
  pm_card_mastercard: { brand: 'mastercard', last4: '4444', attach: 'succeeded', outcomes: ['succeeded'] },
  pm_card_chargeCustomerFail: {
    brand: 'visa',
    last4: '0341',
    attach: 'succeeded',
    outcomes: ['generic_decline'],
  },
  pm_card_authenticationRequired: {
    brand: 'visa',
    last4: '3184',
    attach: 'succeeded',
    outcomes: ['authentication_required'],
  },
  pm_card_authenticationRequiredChargeDeclinedInsufficientFunds: {
    brand: 'visa',
    last4: '3178',
    attach: 'succeeded',
    outcomes: ['authentication_required_then_insufficient_funds'],
  },
  pm_card_pendingRefund: {
    brand: 'visa',
    last4: '7726',
    attach: 'succeeded',
    outcomes: ['succeeded'],
    refunds: 'pending',
  },
  pm_card_chargeDeclined: declining('0002', 'generic_decline'),
  pm_card_chargeDeclinedInsufficientFunds: declining('9995', 'insufficient_funds'),
  pm_card_chargeDeclinedLostCard: declining('9987', 'lost_card'),
  pm_card_chargeDeclinedStolenCard: declining('9979', 'stolen_card'),
  pm_card_chargeDeclinedExpiredCard: declining('0069', 'expired_card'),
  pm_card_chargeDeclinedIncorrectCvc: declining('0127', 'incorrect_cvc'),
  pm_card_chargeDeclinedProcessingError: declining('0119', 'processing_error'),
  pm_card_chargeDeclinedVelocityLimitExceeded: declining('6975', 'card_velocity_exceeded'),
};

/** What attaching this id says; `null` for an id that is not one of Stripe's test ids. */
export function magicCardAttachment(id: string): string | null {
  return magicCards[id]?.attach ?? null;
}

/** A fresh PaymentMethod from one of Stripe's test ids: each use makes a copy with its own id. */
export function copyMagicCard(context: StripeContext, id: string): Stripe.PaymentMethod | null {
  const card = magicCards[id];
  if (!card) return null;
  return createCard(context, { ...card, expMonth: 12, expYear: 2034 });
}

/** A PaymentMethod, not attached to anybody yet, with its script. */
export function createCard(
  context: StripeContext,
  { outcomes, refunds, ...face }: CardFace & { outcomes: string[]; refunds?: 'pending' | undefined },
): Stripe.PaymentMethod {
  const method = newPaymentMethod(vendorId('pm'), face, context.clock.seconds());
  context.paymentMethods.put(method.id, method);
  context.cardScripts.put(method.id, { outcomes, used: 0, ...(refunds && { refunds }) });
  return method;
}

/** Replaces the script of a card from its next attempt on. */
export function setCardOutcomes({ cardScripts }: StripeObjects, id: string, outcomes: string[]): void {
  cardScripts.put(id, { ...cardScripts.get(id), outcomes, used: 0 });
}

/** What the issuer says to this attempt. */
export function nextOutcome({ cardScripts }: StripeObjects, paymentMethodId: string): string {
  const script = cardScripts.get(paymentMethodId);
  if (!script) return 'succeeded';
  const outcome = script.outcomes[Math.min(script.used, script.outcomes.length - 1)] ?? 'succeeded';
  cardScripts.put(paymentMethodId, { ...script, used: script.used + 1 });
  return outcome;
}

/** How a refund to the card begins. */
export function refundStatus(
  { cardScripts }: StripeObjects,
  paymentMethodId: string,
): 'succeeded' | 'pending' {
  return cardScripts.get(paymentMethodId)?.refunds ?? 'succeeded';
}

function declining(last4: string, code: string): MagicCard {
  return { brand: 'visa', last4, attach: code, outcomes: [code] };
}

function newPaymentMethod(id: string, face: CardFace, created: number): Stripe.PaymentMethod {
  return {
    id,
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: {
      address: { city: null, country: null, line1: null, line2: null, postal_code: null, state: null },
      email: null,
      name: null,
      phone: null,
      tax_id: null,
    },
    card: {
      brand: face.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: 'US',
      display_brand: face.brand,
      exp_month: face.expMonth,
      exp_year: face.expYear,
      fingerprint: `sandbox${face.brand}${face.last4}`,
      funding: 'credit',
      generated_from: null,
      last4: face.last4,
      networks: { available: [face.brand], preferred: null },
      regulated_status: 'unregulated',
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created,
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'card',
  };
}

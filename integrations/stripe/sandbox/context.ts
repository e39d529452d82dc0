/** What every part of the Stripe sandbox works on: its objects, its clock, and how events leave it. */
import type Stripe from 'stripe';
import type { SandboxClock } from '../../sandbox/clock.ts';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import type { Collection, Store } from '../../sandbox/store.ts';
import { noSuch } from './errors.ts';
import type { CardScript } from './test-cards.ts';

/** A 3-D Secure confirmation the customer owes. */
export type Challenge = {
  intentId: string;
  returnUrl: string | null;
  /** What the issuer says once the customer has confirmed: `succeeded` or a decline code. */
  afterwards: string;
};

export type StripeObjects = {
  customers: Collection<Stripe.Customer | Stripe.DeletedCustomer>;
  paymentMethods: Collection<Stripe.PaymentMethod>;
  cardScripts: Collection<CardScript>;
  setupIntents: Collection<Stripe.SetupIntent>;
  intents: Collection<Stripe.PaymentIntent>;
  challenges: Collection<Challenge>;
  charges: Collection<Stripe.Charge>;
  refunds: Collection<Stripe.Refund>;
  disputes: Collection<Stripe.Dispute>;
  taxCalculations: Collection<Stripe.Tax.Calculation>;
  taxTransactions: Collection<Stripe.Tax.Transaction>;
  events: Collection<Stripe.Event>;
};

export type StripeContext = StripeObjects & {
  clock: SandboxClock;
  /** Where the sandbox itself listens. */
  url(): string;
  /** Hands a new event to the webhook sender. */
  deliver(event: Stripe.Event): void;
};

/** The request an object was made by, as events quote it. */
export type Origin = { requestId: string | null; idempotencyKey: string | null };

/** What the dashboard, a bank or the passing of time does has no request. */
export const noRequest: Origin = { requestId: null, idempotencyKey: null };

export function openObjects(store: Store): StripeObjects {
  return {
    customers: store.collection('customers'),
    paymentMethods: store.collection('payment_methods'),
    cardScripts: store.collection('card_scripts'),
    setupIntents: store.collection('setup_intents'),
    intents: store.collection('payment_intents'),
    challenges: store.collection('challenges'),
    charges: store.collection('charges'),
    refunds: store.collection('refunds'),
    disputes: store.collection('disputes'),
    taxCalculations: store.collection('tax_calculations'),
    taxTransactions: store.collection('tax_transactions'),
    events: store.collection('events'),
  };
}

/** The customer, who must exist and not be deleted. */
export function requireCustomer({ customers }: StripeObjects, id: string, param = 'id'): Stripe.Customer {
  const customer = customers.get(id);
  if (!customer || customer.deleted) throw noSuch('customer', id, param);
  return customer;
}

export function requireIntent(
  { intents }: StripeObjects,
  id: string,
  param = 'intent',
): Stripe.PaymentIntent {
  const intent = intents.get(id);
  if (!intent) throw noSuch('payment_intent', id, param);
  return intent;
}

/** How the log speaks of a payment; an amount on an `effect` means that money moved. */
export function intentNote(
  intent: Stripe.PaymentIntent,
  { outcome, detail, moved }: { outcome: EffectNote['outcome']; detail: string; moved: boolean },
): EffectNote {
  return {
    outcome,
    detail,
    objectId: intent.id,
    businessRef: intent.metadata['invoiceId'],
    attemptRef: intent.metadata['attemptId'],
    ...(moved || outcome === 'refused' ? { amountMinor: intent.amount, currency: intent.currency } : {}),
  };
}

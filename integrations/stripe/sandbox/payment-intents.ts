/** PaymentIntents: create (and confirm at once), confirm, cancel, read. */
import type Stripe from 'stripe';
import { z } from 'zod';
import { vendorId } from '../../sandbox/random.ts';
import { checkAmount } from './amount-rules.ts';
import { isBankAccount } from './bank-accounts.ts';
import { confirmIntent } from './confirmation.ts';
import { intentNote, requireCustomer, requireIntent, type StripeContext } from './context.ts';
import { invalidRequest, noSuch } from './errors.ts';
import { emit } from './events.ts';
import { expanded } from './expand.ts';
import { isWithin, listOf } from './lists.ts';
import {
  boolean,
  created,
  expand,
  integer,
  metadata,
  operation,
  pagination,
  type StripeOperation,
  text,
} from './params.ts';
import { hasMandate } from './setup-intents.ts';

const createParams = z.strictObject({
  amount: integer,
  currency: text,
  customer: text.optional(),
  payment_method: text.optional(),
  allowed_payment_method_types: z.array(text).optional(),
  mandate: text.optional(),
  confirm: boolean.default(false),
  off_session: boolean.optional(),
  return_url: z.url().optional(),
  description: text.optional(),
  metadata,
  expand,
});

export function paymentIntentOperations(context: StripeContext): StripeOperation[] {
  const { intents } = context;
  return [
    operation({
      op: 'payment_intents.create',
      method: 'POST',
      path: '/v1/payment_intents',
      params: createParams,
      run: ({ params, ...origin }) => {
        checkAmount(params.amount, params.currency);
        if (params.customer !== undefined) requireCustomer(context, params.customer, 'customer');
        if (params.payment_method !== undefined) {
          checkMethod(context, params.payment_method, params.customer ?? null);
          checkDebit(context, params.payment_method, params);
        }
        const intent = newIntent(params, context.clock.seconds());
        intents.put(intent.id, intent);
        emit(context, 'payment_intent.created', intent, origin);
        if (params.confirm) {
          confirmIntent(context, intent, {
            offSession: params.off_session ?? false,
            returnUrl: params.return_url ?? null,
            origin,
          });
        }
        return { body: expanded(context, intent, params.expand), note: noteAfter(intent) };
      },
    }),
    operation({
      op: 'payment_intents.confirm',
      method: 'POST',
      path: '/v1/payment_intents/:id/confirm',
      params: z.strictObject({
        payment_method: text.optional(),
        off_session: boolean.optional(),
        return_url: z.url().optional(),
        expand,
      }),
      run: ({ params, pathParams: { id = '' }, ...origin }) => {
        const intent = requireIntent(context, id);
        refuseUnless(confirmable, intent, 'confirm');
        if (params.payment_method !== undefined) {
          checkMethod(context, params.payment_method, intent.customer as string | null);
          intent.payment_method = params.payment_method;
        }
        confirmIntent(context, intent, {
          offSession: params.off_session ?? false,
          returnUrl: params.return_url ?? null,
          origin,
        });
        return { body: expanded(context, intent, params.expand), note: noteAfter(intent) };
      },
    }),
    operation({
      op: 'payment_intents.cancel',
      method: 'POST',
      path: '/v1/payment_intents/:id/cancel',
      params: z.strictObject({ cancellation_reason: text.optional(), expand }),
      run: ({ params, pathParams: { id = '' }, ...origin }) => {
        const intent = requireIntent(context, id);
        refuseUnless(confirmable, intent, 'cancel');
        Object.assign(intent, {
          status: 'canceled',
          canceled_at: context.clock.seconds(),
          cancellation_reason: params.cancellation_reason ?? null,
          next_action: null,
        });
        intents.put(id, intent);
        context.challenges.delete(id);
        emit(context, 'payment_intent.canceled', intent, origin);
        return { body: expanded(context, intent, params.expand), note: noteAfter(intent) };
      },
    }),
    operation({
      op: 'payment_intents.retrieve',
      method: 'GET',
      path: '/v1/payment_intents/:id',
      params: z.strictObject({ client_secret: text.optional(), expand }),
      run: ({ params, pathParams: { id = '' } }) => ({
        body: expanded(context, requireIntent(context, id), params.expand),
      }),
    }),
    operation({
      op: 'payment_intents.list',
      method: 'GET',
      path: '/v1/payment_intents',
      params: z.strictObject({ ...pagination, created, customer: text.optional() }),
      run: ({ params }) => {
        const matching = intents
          .values()
          .filter((intent) => params.customer === undefined || intent.customer === params.customer)
          .filter((intent) => isWithin(params.created, intent.created));
        const list = listOf(matching, { url: '/v1/payment_intents', page: params });
        return { body: expanded(context, list, params.expand) };
      },
    }),
  ];
}

const confirmable: readonly string[] = [
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
];

/** Money moved only when the payment has succeeded. */
function noteAfter(intent: Stripe.PaymentIntent) {
  return intentNote(intent, {
    outcome: 'effect',
    detail: intent.status,
    moved: intent.status === 'succeeded',
  });
}

function refuseUnless(allowed: readonly string[], intent: Stripe.PaymentIntent, act: string): void {
  if (allowed.includes(intent.status)) return;
  throw invalidRequest(`You cannot ${act} this PaymentIntent because it has a status of ${intent.status}.`, {
    code: 'payment_intent_unexpected_state',
  });
}

/** A method without a customer may be used once; one that is attached only with its customer. */
function checkMethod(context: StripeContext, id: string, customer: string | null): void {
  const method = context.paymentMethods.get(id);
  if (!method) throw noSuch('PaymentMethod', id, 'payment_method');
  if (method.customer === customer) return;
  throw invalidRequest(
    `The customer does not have a payment method with the ID ${id}. The payment method must be attached to the customer.`,
    { code: 'resource_missing', param: 'payment_method' },
  );
}

/** A bank account is debited in dollars, under a mandate, and never again after some returns. */
function checkDebit(
  context: StripeContext,
  methodId: string,
  {
    currency,
    mandate,
    allowed_payment_method_types: types = ['card'],
  }: Pick<z.output<typeof createParams>, 'currency' | 'mandate' | 'allowed_payment_method_types'>,
): void {
  const method = context.paymentMethods.get(methodId);
  if (!method || !isBankAccount(method)) return;
  if (!types.includes('us_bank_account')) {
    throw invalidRequest('The payment method type us_bank_account is not allowed for this PaymentIntent.', {
      param: 'allowed_payment_method_types',
    });
  }
  if (currency !== 'usd') {
    throw invalidRequest('The currency provided is invalid for us_bank_account.', { param: 'currency' });
  }
  if (method.us_bank_account?.status_details?.blocked !== undefined) {
    throw invalidRequest('This bank account has been blocked because of an earlier return.', {
      code: 'payment_method_bank_account_blocked',
      param: 'payment_method',
    });
  }
  if (mandate === undefined || !hasMandate(context, methodId, mandate)) {
    throw invalidRequest('The mandate is not valid for this payment method.', {
      code: 'payment_intent_mandate_invalid',
      param: 'mandate',
    });
  }
}

function newIntent(params: z.output<typeof createParams>, createdSeconds: number): Stripe.PaymentIntent {
  const id = vendorId('pi');
  return {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: params.allowed_payment_method_types ?? null,
    amount: params.amount,
    amount_capturable: 0,
    amount_details: {},
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: { enabled: true },
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic',
    client_secret: vendorId(`${id}_secret`),
    confirmation_method: 'automatic',
    created: createdSeconds,
    currency: params.currency,
    customer: params.customer ?? null,
    customer_account: null,
    description: params.description ?? null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: params.metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: params.payment_method ?? null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: params.allowed_payment_method_types ?? ['card'],
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: null,
    shipping: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: params.payment_method === undefined ? 'requires_payment_method' : 'requires_confirmation',
    transfer_data: null,
    transfer_group: null,
  } as Stripe.PaymentIntent;
}

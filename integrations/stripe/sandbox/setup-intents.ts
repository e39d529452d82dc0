/** SetupIntents: a bank account is verified and its mandate accepted, at once or by micro-deposits, before it may be used. */
import type Stripe from 'stripe';
import { z } from 'zod';
import { vendorId } from '../../sandbox/random.ts';
import { copyMagicAccount } from './bank-accounts.ts';
import { noRequest, type Origin, requireCustomer, type StripeContext } from './context.ts';
import { invalidRequest, noSuch } from './errors.ts';
import { emit } from './events.ts';
import { listOf } from './lists.ts';
import { boolean, expand, metadata, operation, pagination, type StripeOperation, text } from './params.ts';

const acceptance = z.strictObject({ type: z.enum(['online', 'offline']) }).loose();

const createParams = z.strictObject({
  customer: text.optional(),
  payment_method: text,
  payment_method_types: z.array(z.literal('us_bank_account')).optional(),
  payment_method_options: z
    .strictObject({
      us_bank_account: z.strictObject({
        verification_method: z.enum(['automatic', 'instant', 'microdeposits']),
      }),
    })
    .optional(),
  confirm: z.literal('true'),
  usage: text.optional(),
  mandate_data: z.strictObject({ customer_acceptance: acceptance }),
  metadata,
  expand,
});

export function setupIntentOperations(context: StripeContext): StripeOperation[] {
  const { setupIntents } = context;
  return [
    operation({
      op: 'setup_intents.create',
      method: 'POST',
      path: '/v1/setup_intents',
      params: createParams,
      run: ({ params, ...origin }) => {
        if (params.customer !== undefined) requireCustomer(context, params.customer, 'customer');
        const method =
          copyMagicAccount(context, params.payment_method) ??
          context.paymentMethods.get(params.payment_method);
        if (!method) throw noSuch('PaymentMethod', params.payment_method, 'payment_method');
        const by = params.payment_method_options?.us_bank_account.verification_method;
        const setup = setUp(context, method, {
          customer: params.customer ?? null,
          isVerified: by !== 'microdeposits',
          origin,
        });
        return { body: setup, note: { outcome: 'effect', objectId: setup.id, detail: setup.status } };
      },
    }),
    operation({
      op: 'setup_intents.verify_microdeposits',
      method: 'POST',
      path: '/v1/setup_intents/:id/verify_microdeposits',
      params: z.strictObject({ descriptor_code: text, expand }),
      run: ({ params, pathParams: { id = '' }, ...origin }) => {
        const setup = setupIntents.get(id);
        if (!setup) throw noSuch('setupintent', id);
        if (params.descriptor_code !== 'SM11AA') {
          throw invalidRequest('The descriptor code does not match the one we sent to the bank account.', {
            code: 'payment_method_microdeposit_verification_descriptor_code_mismatch',
          });
        }
        const verified = verify(context, setup, origin);
        return { body: verified, note: { outcome: 'effect', objectId: id, detail: verified.status } };
      },
    }),
    operation({
      op: 'setup_intents.retrieve',
      method: 'GET',
      path: '/v1/setup_intents/:id',
      params: z.strictObject({ expand }),
      run: ({ pathParams: { id = '' } }) => {
        const setup = setupIntents.get(id);
        if (!setup) throw noSuch('setupintent', id);
        return { body: setup };
      },
    }),
    operation({
      op: 'setup_intents.list',
      method: 'GET',
      path: '/v1/setup_intents',
      params: z.strictObject({
        ...pagination,
        customer: text.optional(),
        payment_method: text.optional(),
        attach_to_self: boolean.optional(),
      }),
      run: ({ params }) => {
        const matching = setupIntents
          .values()
          .filter((setup) => params.customer === undefined || setup.customer === params.customer)
          .filter(
            (setup) => params.payment_method === undefined || setup.payment_method === params.payment_method,
          );
        return { body: listOf(matching, { url: '/v1/setup_intents', page: params }) };
      },
    }),
  ];
}

/** Does what the customer does on the tenant's page: names the account, and accepts that it is debited. */
export function setUp(
  context: StripeContext,
  method: Stripe.PaymentMethod,
  {
    customer = null,
    isVerified,
    origin = noRequest,
  }: { customer?: string | null; isVerified: boolean; origin?: Origin },
): Stripe.SetupIntent {
  const setup = newSetupIntent(method, customer, context.clock.seconds());
  context.setupIntents.put(setup.id, setup);
  emit(context, 'setup_intent.created', setup, origin);
  if (isVerified) return verify(context, setup, origin);
  Object.assign(setup, {
    status: 'requires_action',
    next_action: {
      type: 'verify_with_microdeposits',
      verify_with_microdeposits: {
        arrival_date: context.clock.seconds(),
        hosted_verification_url: `${context.url()}/microdeposits/${setup.id}`,
        microdeposit_type: 'descriptor_code',
      },
    },
  });
  context.setupIntents.put(setup.id, setup);
  emit(context, 'setup_intent.requires_action', setup, origin);
  return setup;
}

/** Whether Stripe lets the account be kept: some SetupIntent of it has succeeded. */
export function isVerifiedAccount({ setupIntents }: StripeContext, methodId: string): boolean {
  return setupIntents
    .values()
    .some(({ status, payment_method: method }) => status === 'succeeded' && method === methodId);
}

export function hasMandate({ setupIntents }: StripeContext, methodId: string, mandateId: string): boolean {
  return setupIntents
    .values()
    .some(({ payment_method: method, mandate }) => mandate === mandateId && method === methodId);
}

function verify(context: StripeContext, setup: Stripe.SetupIntent, origin: Origin): Stripe.SetupIntent {
  Object.assign(setup, { status: 'succeeded', mandate: vendorId('mandate'), next_action: null });
  context.setupIntents.put(setup.id, setup);
  const method = context.paymentMethods.get(String(setup.payment_method));
  if (method && setup.customer !== null) {
    context.paymentMethods.put(method.id, { ...method, customer: setup.customer as string });
  }
  emit(context, 'setup_intent.succeeded', setup, origin);
  return setup;
}

function newSetupIntent(
  method: Stripe.PaymentMethod,
  customer: string | null,
  createdSeconds: number,
): Stripe.SetupIntent {
  const id = vendorId('seti');
  return {
    id,
    object: 'setup_intent',
    allowed_payment_method_types: null,
    application: null,
    automatic_payment_methods: null,
    cancellation_reason: null,
    client_secret: vendorId(`${id}_secret`),
    created: createdSeconds,
    customer,
    description: null,
    excluded_payment_method_types: null,
    flow_directions: null,
    last_setup_error: null,
    latest_attempt: null,
    livemode: false,
    mandate: null,
    metadata: {},
    next_action: null,
    on_behalf_of: null,
    payment_method: method.id,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: [method.type],
    single_use_mandate: null,
    status: 'requires_confirmation',
    usage: 'off_session',
  } as unknown as Stripe.SetupIntent;
}

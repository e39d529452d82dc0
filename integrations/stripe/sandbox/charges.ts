/** Charges: what each try of a payment left behind, successful or not. */
import type Stripe from 'stripe';
import { z } from 'zod';
import { vendorId } from '../../sandbox/random.ts';
import type { StripeContext } from './context.ts';
import { type CardDecline, noSuch } from './errors.ts';
import { expanded } from './expand.ts';
import { isWithin, listOf } from './lists.ts';
import { created, expand, operation, pagination, type StripeOperation, text } from './params.ts';

export function chargeOperations(context: StripeContext): StripeOperation[] {
  const { charges } = context;
  return [
    operation({
      op: 'charges.retrieve',
      method: 'GET',
      path: '/v1/charges/:id',
      params: z.strictObject({ expand }),
      run: ({ params, pathParams: { id = '' } }) => {
        const charge = charges.get(id);
        if (!charge) throw noSuch('charge', id);
        return { body: expanded(context, charge, params.expand) };
      },
    }),
    operation({
      op: 'charges.list',
      method: 'GET',
      path: '/v1/charges',
      params: z.strictObject({
        ...pagination,
        created,
        customer: text.optional(),
        payment_intent: text.optional(),
      }),
      run: ({ params }) => {
        const matching = charges
          .values()
          .filter((charge) => params.customer === undefined || charge.customer === params.customer)
          .filter(
            (charge) =>
              params.payment_intent === undefined || charge.payment_intent === params.payment_intent,
          )
          .filter((charge) => isWithin(params.created, charge.created));
        const list = listOf(matching, { url: '/v1/charges', page: params });
        return { body: expanded(context, list, params.expand) };
      },
    }),
  ];
}

/** Records a try; with a decline it failed. */
export function recordCharge(
  context: StripeContext,
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
  decline: CardDecline | null,
): Stripe.Charge {
  const charge = newCharge(intent, method, decline, context.clock.seconds());
  context.charges.put(charge.id, charge);
  return charge;
}

function newCharge(
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
  decline: CardDecline | null,
  createdSeconds: number,
): Stripe.Charge {
  const id = vendorId('ch');
  const paid = decline === null;
  return {
    id,
    object: 'charge',
    amount: intent.amount,
    amount_captured: paid ? intent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: paid ? vendorId('txn') : null,
    billing_details: method.billing_details,
    calculated_statement_descriptor: 'PERENNIAL',
    captured: paid,
    created: createdSeconds,
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: decline?.code ?? null,
    failure_message: decline?.message ?? null,
    fraud_details: {},
    livemode: false,
    metadata: intent.metadata,
    on_behalf_of: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: decline?.network_decline_code ?? null,
      network_status: paid ? 'approved_by_network' : 'declined_by_network',
      reason: decline?.decline_code ?? null,
      seller_message: paid ? 'Payment complete.' : 'The bank declined the payment.',
      type: paid ? 'authorized' : 'issuer_declined',
    },
    paid,
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: detailsOf(method),
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: paid ? 'succeeded' : 'failed',
    transfer_data: null,
    transfer_group: null,
  } as Stripe.Charge;
}

function detailsOf(method: Stripe.PaymentMethod): Stripe.Charge.PaymentMethodDetails {
  if (method.us_bank_account !== undefined) {
    const { bank_name, last4, routing_number } = method.us_bank_account;
    const account = { bank_name, last4, routing_number, payment_reference: null };
    return { type: 'us_bank_account', us_bank_account: account } as Stripe.Charge.PaymentMethodDetails;
  }
  const card = {
    brand: method.card?.brand ?? null,
    exp_month: method.card?.exp_month ?? 0,
    exp_year: method.card?.exp_year ?? 0,
    last4: method.card?.last4 ?? null,
  };
  return { type: 'card', card } as Stripe.Charge.PaymentMethodDetails;
}

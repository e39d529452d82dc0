/** Refunds, whole or partial, asked for through the API or made by hand in the dashboard. */
import type Stripe from 'stripe';
import { z } from 'zod';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import { vendorId } from '../../sandbox/random.ts';
import { noRequest, type Origin, requireIntent, type StripeContext } from './context.ts';
import { invalidRequest, noSuch } from './errors.ts';
import { emit } from './events.ts';
import { expanded } from './expand.ts';
import { listOf } from './lists.ts';
import { expand, integer, metadata, operation, pagination, type StripeOperation, text } from './params.ts';

export function refundOperations(context: StripeContext): StripeOperation[] {
  const { refunds } = context;
  return [
    operation({
      op: 'refunds.create',
      method: 'POST',
      path: '/v1/refunds',
      params: z.strictObject({
        payment_intent: text,
        amount: integer.optional(),
        reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
        metadata,
        expand,
      }),
      run: ({ params, ...origin }) => {
        const { refund, note } = refundIntent(context, params, origin);
        return { body: expanded(context, refund, params.expand), note };
      },
    }),
    operation({
      op: 'refunds.retrieve',
      method: 'GET',
      path: '/v1/refunds/:id',
      params: z.strictObject({ expand }),
      run: ({ params, pathParams: { id = '' } }) => {
        const refund = refunds.get(id);
        if (!refund) throw noSuch('refund', id);
        return { body: expanded(context, refund, params.expand) };
      },
    }),
    operation({
      op: 'refunds.list',
      method: 'GET',
      path: '/v1/refunds',
      params: z.strictObject({ ...pagination, payment_intent: text.optional(), charge: text.optional() }),
      run: ({ params }) => {
        const matching = refunds
          .values()
          .filter(
            (refund) =>
              params.payment_intent === undefined || refund.payment_intent === params.payment_intent,
          )
          .filter((refund) => params.charge === undefined || refund.charge === params.charge);
        const list = listOf(matching, { url: '/v1/refunds', page: params });
        return { body: expanded(context, list, params.expand) };
      },
    }),
  ];
}

export type RefundRequest = {
  payment_intent: string;
  /** The rest when absent. */
  amount?: number | undefined;
  reason?: string | undefined;
  metadata?: Record<string, string>;
};

/** Gives back at most what is left of the charge. */
export function refundIntent(
  context: StripeContext,
  { payment_intent, amount, reason, metadata: given = {} }: RefundRequest,
  origin: Origin,
): { refund: Stripe.Refund; note: EffectNote } {
  const intent = requireIntent(context, payment_intent, 'payment_intent');
  const charge = context.charges.get(String(intent.latest_charge));
  if (!charge?.paid) {
    throw invalidRequest(`This PaymentIntent (${intent.id}) does not have a successful charge to refund.`);
  }
  const left = charge.amount - charge.amount_refunded;
  if (left === 0) {
    throw invalidRequest(`Charge ${charge.id} has already been refunded.`, {
      code: 'charge_already_refunded',
    });
  }
  const refunded = amount ?? left;
  if (refunded < 1 || refunded > left) {
    throw invalidRequest(
      `Refund amount (${refunded}) is greater than unrefunded amount on charge (${left})`,
      {
        param: 'amount',
      },
    );
  }

  const refund = newRefund(charge, { amount: refunded, reason, metadata: given }, context.clock.seconds());
  context.refunds.put(refund.id, refund);
  charge.amount_refunded += refunded;
  charge.refunded = charge.amount_refunded === charge.amount;
  context.charges.put(charge.id, charge);
  emit(context, 'refund.created', refund, origin);
  emit(context, 'charge.refunded', charge, origin);

  const note: EffectNote = {
    outcome: 'effect',
    objectId: refund.id,
    businessRef: intent.metadata['invoiceId'],
    attemptRef: intent.metadata['attemptId'],
    amountMinor: refunded,
    currency: charge.currency,
  };
  return { refund, note };
}

/** The customer's bank sends a refund back, perhaps days later: the charge holds the money again. */
export function failRefund(context: StripeContext, id: string): { refund: Stripe.Refund; note: EffectNote } {
  const refund = context.refunds.get(id);
  const charge = context.charges.get(String(refund?.charge));
  if (!charge || refund?.status !== 'succeeded') throw new RangeError(`Refund ${id} has not been made`);

  Object.assign(refund, {
    status: 'failed',
    failure_balance_transaction: vendorId('txn'),
    failure_reason: 'expired_or_canceled_card',
  });
  context.refunds.put(id, refund);
  charge.amount_refunded -= refund.amount;
  charge.refunded = false;
  context.charges.put(charge.id, charge);
  emit(context, 'refund.failed', refund, noRequest);
  emit(context, 'refund.updated', refund, noRequest);

  const note: EffectNote = {
    outcome: 'effect',
    objectId: id,
    businessRef: charge.metadata['invoiceId'],
    attemptRef: charge.metadata['attemptId'],
    amountMinor: refund.amount,
    currency: refund.currency,
  };
  return { refund, note };
}

function newRefund(
  charge: Stripe.Charge,
  given: { amount: number; reason: string | undefined; metadata: Record<string, string> },
  createdSeconds: number,
): Stripe.Refund {
  return {
    id: vendorId('re'),
    object: 'refund',
    amount: given.amount,
    balance_transaction: vendorId('txn'),
    charge: charge.id,
    created: createdSeconds,
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    destination_details: { type: 'card', card: { type: 'refund' } },
    metadata: given.metadata,
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: given.reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  } as Stripe.Refund;
}

/** Refunds, whole or partial, asked for through the API or made by hand in the dashboard. */
import type Stripe from 'stripe';
import { z } from 'zod';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import { vendorId } from '../../sandbox/random.ts';
import { VendorRefusal } from '../../sandbox/vendor.ts';
import { noRequest, type Origin, requireIntent, type StripeContext } from './context.ts';
import { hasOpenOrLostDispute } from './disputes.ts';
import { invalidRequest, noSuch } from './errors.ts';
import { emit } from './events.ts';
import { expanded } from './expand.ts';
import { listOf } from './lists.ts';
import { expand, integer, metadata, operation, pagination, type StripeOperation, text } from './params.ts';
import { refundStatus } from './test-cards.ts';

export function refundOperations(context: StripeContext): StripeOperation[] {
  const { refunds } = context;
  return [
    operation({
      op: 'refunds.create',
      method: 'POST',
      path: '/v1/refunds',
      params: z.strictObject({
        payment_intent: text.optional(),
        charge: text.optional(),
        amount: integer.optional(),
        reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
        metadata,
        expand,
      }),
      run: ({ params, ...origin }) => {
        const payment_intent = params.payment_intent ?? intentOf(context, params.charge);
        const { refund, note } = refundIntent(context, { ...params, payment_intent }, origin);
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

/** A refund names the payment or one of its charges. */
function intentOf({ charges }: StripeContext, chargeId: string | undefined): string {
  if (chargeId === undefined) {
    throw invalidRequest(
      'One of the following params should be provided for this request: payment_intent or charge.',
    );
  }
  const charge = charges.get(chargeId);
  if (!charge) throw noSuch('charge', chargeId, 'charge');
  return String(charge.payment_intent);
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
  const refunded = amount ?? left;
  refuseUnfit(context, charge, { left, refunded });

  const status = refundStatus(context, String(charge.payment_method));
  const made = { amount: refunded, reason, metadata: given, status };
  const refund = newRefund(charge, made, context.clock.seconds());
  context.refunds.put(refund.id, refund);
  charge.amount_refunded += refunded;
  charge.refunded = charge.amount_refunded === charge.amount;
  context.charges.put(charge.id, charge);
  emit(context, 'refund.created', refund, origin);
  emit(context, 'charge.refunded', charge, origin);

  return { refund, note: refundNote(charge, refund) };
}

/** Throws Stripe's refusal. */
function refuseUnfit(
  context: StripeContext,
  charge: Stripe.Charge,
  { left, refunded }: { left: number; refunded: number },
): void {
  const refusal = (message: string, details: { code?: string; param?: string }) =>
    new VendorRefusal(invalidRequest(message, details).answer, {
      outcome: 'refused',
      detail: details.code ?? 'amount_exceeds_charge',
      businessRef: charge.metadata['invoiceId'],
      attemptRef: charge.metadata['attemptId'],
      amountMinor: refunded,
      currency: charge.currency,
    });
  if (hasOpenOrLostDispute(context, charge.id)) {
    const message = `Charge ${charge.id} has been charged back; cannot issue a refund.`;
    throw refusal(message, { code: 'charge_disputed' });
  }
  if (left === 0) {
    throw refusal(`Charge ${charge.id} has already been refunded.`, { code: 'charge_already_refunded' });
  }
  if (refunded < 1 || refunded > left) {
    const message = `Refund amount (${refunded}) is greater than unrefunded amount on charge (${left})`;
    throw refusal(message, { param: 'amount' });
  }
}

/** The bank is done with a refund it worked on. */
export function settleRefund(
  context: StripeContext,
  id: string,
): { refund: Stripe.Refund; note: EffectNote } {
  const refund = context.refunds.get(id);
  const charge = context.charges.get(String(refund?.charge));
  if (!charge || refund?.status !== 'pending') throw new RangeError(`Refund ${id} is not pending`);
  refund.status = 'succeeded';
  context.refunds.put(id, refund);
  emit(context, 'refund.updated', refund, noRequest);
  return { refund, note: refundNote(charge, refund) };
}

/** Money moves once the bank has it; until then the note has no amount. */
function refundNote(charge: Stripe.Charge, { id, amount, currency, status }: Stripe.Refund): EffectNote {
  return {
    outcome: 'effect',
    objectId: id,
    businessRef: charge.metadata['invoiceId'],
    attemptRef: charge.metadata['attemptId'],
    ...(status === 'pending' ? { detail: status } : { amountMinor: amount, currency }),
  };
}

/** The customer's bank sends a refund back, perhaps days later: the charge holds the money again. */
export function failRefund(context: StripeContext, id: string): { refund: Stripe.Refund; note: EffectNote } {
  const refund = context.refunds.get(id);
  const charge = context.charges.get(String(refund?.charge));
  const isUnderWay = refund?.status === 'succeeded' || refund?.status === 'pending';
  if (!charge || !isUnderWay) throw new RangeError(`Refund ${id} has not been made`);
  const note = refundNote(charge, refund);

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

  return { refund, note };
}

function newRefund(
  charge: Stripe.Charge,
  given: {
    amount: number;
    reason: string | undefined;
    metadata: Record<string, string>;
    status: 'succeeded' | 'pending';
  },
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
    status: given.status,
    transfer_reversal: null,
  } as Stripe.Refund;
}

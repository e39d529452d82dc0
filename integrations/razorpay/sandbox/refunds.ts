/** Refunds, whole or partial, asked for through the API or made by hand in the dashboard. */
import { z } from 'zod';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import type { HttpRequest } from '../../sandbox/http.ts';
import {
  type Notes,
  newObjectId,
  type Payment,
  paymentNote,
  type RazorpayContext,
  type Refund,
  requirePayment,
} from './context.ts';
import { badRequest } from './errors.ts';
import { emit } from './events.ts';
import { collectionOf, notes, operation, pagination, type RazorpayOperation } from './params.ts';

export function refundOperations(context: RazorpayContext): RazorpayOperation[] {
  return [
    operation({
      op: 'refunds.create',
      method: 'POST',
      path: '/v1/payments/:id/refund',
      params: z.strictObject({
        amount: z.number().int().min(1).optional(),
        speed: z.enum(['normal', 'optimum']).default('normal'),
        receipt: z.string().max(40).optional(),
        notes,
      }),
      run: ({ params, pathParams: { id = '' } }) => {
        const { refund, note } = refundPayment(context, { ...params, paymentId: id });
        return { body: refund, note };
      },
    }),
    operation({
      op: 'refunds.list',
      method: 'GET',
      path: '/v1/payments/:id/refunds',
      params: z.strictObject(pagination),
      run: ({ params, pathParams: { id = '' } }) => {
        const { id: paymentId } = requirePayment(context, id);
        const own = context.refunds.values().filter(({ payment_id }) => payment_id === paymentId);
        return { body: collectionOf(own, params) };
      },
    }),
  ];
}

export const REFUND_KEY_HEADER = 'x-refund-idempotency';

/** A refund may be asked for without a key; one that Razorpay could not keep is refused. */
export function checkRefundKey({ headers }: HttpRequest): void {
  const key = headers[REFUND_KEY_HEADER];
  if (key === undefined || /^[\w-]{10,}$/.test(String(key))) return;
  throw badRequest('The idempotency key must be at least 10 letters, digits, hyphens or underscores');
}

/** Gives back at most what is left of the payment. */
export function refundPayment(
  context: RazorpayContext,
  {
    paymentId,
    amount,
    receipt,
    notes: given = [],
  }: { paymentId: string; amount?: number | undefined; receipt?: string | undefined; notes?: Notes },
): { refund: Refund; note: EffectNote } {
  const payment = requirePayment(context, paymentId);
  if (!payment.captured) throw badRequest('The payment status should be captured for action to be taken');
  const left = payment.amount - payment.amount_refunded;
  if (left === 0) {
    throw badRequest('The payment has been fully refunded already', { reason: 'payment_already_refunded' });
  }
  if ((amount ?? left) > left) {
    throw badRequest('The refund amount provided is greater than amount captured', { field: 'amount' });
  }
  const refund: Refund = {
    id: newObjectId('rfnd'),
    entity: 'refund',
    amount: amount ?? left,
    currency: payment.currency,
    payment_id: payment.id,
    notes: given,
    receipt: receipt ?? null,
    acquirer_data: { arn: null },
    batch_id: null,
    status: 'processed',
    speed_processed: 'normal',
    speed_requested: 'normal',
    created_at: context.clock.seconds(),
  };
  context.refunds.put(refund.id, refund);
  giveBack(context, payment, refund.amount);
  emit(context, 'refund.created', { refund, payment });
  emit(context, 'refund.processed', { refund, payment });
  return { refund, note: noteOf(context, payment, refund) };
}

/** The customer's bank sends it back: we hold the money again. */
export function failRefund(context: RazorpayContext, refundId: string): EffectNote {
  const refund = context.refunds.get(refundId);
  if (refund?.status !== 'processed') throw new RangeError(`Refund ${refundId} has not been made`);
  const payment = requirePayment(context, refund.payment_id);
  const note = noteOf(context, payment, refund);
  refund.status = 'failed';
  context.refunds.put(refund.id, refund);
  giveBack(context, payment, -refund.amount);
  emit(context, 'refund.failed', { refund, payment });
  return note;
}

function giveBack(context: RazorpayContext, payment: Payment, amount: number): void {
  payment.amount_refunded += amount;
  const isWhole = payment.amount_refunded === payment.amount;
  payment.refund_status = payment.amount_refunded === 0 ? null : isWhole ? 'full' : 'partial';
  payment.status = isWhole ? 'refunded' : 'captured';
  context.payments.put(payment.id, payment);
}

function noteOf(context: RazorpayContext, payment: Payment, refund: Refund): EffectNote {
  return paymentNote(context, payment, {
    outcome: 'effect',
    objectId: refund.id,
    amountMinor: refund.amount,
    currency: refund.currency,
  });
}

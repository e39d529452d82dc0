/** Payments: made at the checkout by the customer, never by us; we can only look at them and capture them. */
import { z } from 'zod';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import {
  newObjectId,
  type Payment,
  paymentNote,
  type RazorpayContext,
  requireOrder,
  requirePayment,
} from './context.ts';
import { badRequest } from './errors.ts';
import { emit } from './events.ts';
import { operation, type RazorpayOperation } from './params.ts';

export function paymentOperations(context: RazorpayContext): RazorpayOperation[] {
  return [
    operation({
      op: 'payments.retrieve',
      method: 'GET',
      path: '/v1/payments/:id',
      params: z.strictObject({}),
      run: ({ pathParams: { id = '' } }) => ({ body: requirePayment(context, id) }),
    }),
    operation({
      op: 'payments.capture',
      method: 'POST',
      path: '/v1/payments/:id/capture',
      params: z.strictObject({ amount: z.number().int(), currency: z.string() }),
      run: ({ params, pathParams: { id = '' } }) => {
        const payment = requirePayment(context, id);
        if (payment.captured) throw badRequest('This payment has already been captured');
        if (payment.status !== 'authorized') {
          throw badRequest('Only payments which have been authorized and not yet captured can be captured');
        }
        if (params.amount !== payment.amount || params.currency !== payment.currency) {
          throw badRequest('Capture amount must be equal to the amount authorized', { field: 'amount' });
        }
        return { body: payment, note: capture(context, payment) };
      },
    }),
  ];
}

export type NewPayment = {
  orderId: string;
  method?: 'card' | 'upi' | undefined;
  /** What is due of the order when absent: an offer of the bank, or a part, may make it less. */
  amount?: number | undefined;
};

/** The customer has chosen how to pay and is sent to the bank. */
export function beginPayment(
  context: RazorpayContext,
  { orderId, method = 'upi', amount }: NewPayment,
): Payment {
  const order = requireOrder(context, orderId);
  if (order.status === 'paid') throw badRequest('Payment already done for this order');
  const payment: Payment = {
    id: newObjectId('pay'),
    entity: 'payment',
    amount: amount ?? order.amount_due,
    currency: order.currency,
    status: 'created',
    order_id: order.id,
    invoice_id: null,
    international: order.currency !== 'INR',
    method,
    amount_refunded: 0,
    refund_status: null,
    captured: false,
    description: null,
    vpa: method === 'upi' ? 'success@razorpay' : null,
    email: 'ada@example.com',
    contact: '+919900000000',
    notes: [],
    fee: null,
    tax: null,
    error_code: null,
    error_description: null,
    error_source: null,
    error_step: null,
    error_reason: null,
    acquirer_data: {},
    created_at: context.clock.seconds(),
  };
  context.payments.put(payment.id, payment);
  order.attempts += 1;
  order.status = 'attempted';
  context.orders.put(order.id, order);
  return payment;
}

/** The bank says yes, also after it had said no: an authorisation may come days late. */
export function authorize(context: RazorpayContext, payment: Payment): void {
  Object.assign(payment, {
    status: 'authorized',
    error_code: null,
    error_description: null,
    error_source: null,
    error_step: null,
    error_reason: null,
  });
  context.payments.put(payment.id, payment);
  emit(context, 'payment.authorized', { payment });
}

/** Moves the money: the note has an amount. */
export function capture(context: RazorpayContext, payment: Payment): EffectNote {
  const order = requireOrder(context, payment.order_id);
  Object.assign(payment, { status: 'captured', captured: true, fee: 0, tax: 0 });
  context.payments.put(payment.id, payment);
  order.amount_paid += payment.amount;
  order.amount_due = Math.max(0, order.amount - order.amount_paid);
  if (order.amount_due === 0) order.status = 'paid';
  context.orders.put(order.id, order);
  emit(context, 'payment.captured', { payment });
  if (order.status === 'paid') emit(context, 'order.paid', { payment, order });
  return paymentNote(context, payment, {
    outcome: 'effect',
    amountMinor: payment.amount,
    currency: payment.currency,
  });
}

export function fail(context: RazorpayContext, payment: Payment, reason: string): void {
  Object.assign(payment, {
    status: 'failed',
    error_code: 'BAD_REQUEST_ERROR',
    error_description: 'Payment failed',
    error_source: 'customer',
    error_step: 'payment_authorization',
    error_reason: reason,
  });
  context.payments.put(payment.id, payment);
  emit(context, 'payment.failed', { payment });
}

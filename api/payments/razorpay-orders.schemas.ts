/** The order as callers get it, with what a checkout needs, and what the checkout answers. */
import { z } from 'zod';
import type { OrderPaymentStatus, OrderStatus } from '../../domain/payments/razorpay-order.ts';
import { amount, currency, id, instant } from '../schemas.ts';

const statuses = { creating: true, open: true, paid: true, closed: true } satisfies Record<OrderStatus, true>;

const paymentStatuses = {
  created: true,
  authorized: true,
  captured: true,
  refunded: true,
  failed: true,
} satisfies Record<OrderPaymentStatus, true>;

export const razorpayOrder = z
  .object({
    id: id('rzo', 'Razorpay order'),
    invoiceId: id('inv', 'invoice'),
    customerId: id('cus', 'customer'),
    status: z.enum(Object.keys(statuses) as [OrderStatus, ...OrderStatus[]]).meta({
      description:
        'creating: Razorpay has not answered yet. open: it can be paid. paid: the money is here. closed: see failureCode; money that still comes is booked.',
    }),
    amountMinor: amount,
    currency,
    checkout: z
      .object({
        key: z.string().meta({ description: 'The public id of the key.' }),
        order_id: z.string(),
        amount: amount.meta({ description: "In Razorpay's units." }),
        currency,
      })
      .nullable()
      .meta({ description: 'The options of Razorpay Checkout; none unless the order can be paid.' }),
    payment: z
      .object({
        externalId: z.string(),
        status: z.enum(Object.keys(paymentStatuses) as [OrderPaymentStatus, ...OrderPaymentStatus[]]),
        at: instant,
      })
      .nullable()
      .meta({ description: 'The payment that came furthest.' }),
    requestedAt: instant,
    closedAt: instant.nullable(),
    failureCode: z.string().nullable().meta({ description: 'Why it was closed unpaid.', example: null }),
  })
  .meta({ id: 'RazorpayOrder' });

export type RazorpayOrderBody = z.infer<typeof razorpayOrder>;

export const orderParams = z.strictObject({ orderId: id('rzo', 'Razorpay order') });

export const checkoutAnswer = z
  .strictObject({
    paymentId: z
      .string()
      .regex(/^pay_\w{1,60}$/)
      .meta({ description: '`razorpay_payment_id`.', example: 'pay_G8VQzjPLoAvm6D' }),
    signature: z
      .string()
      .regex(/^[\da-f]{64}$/)
      .meta({
        description: '`razorpay_signature`.',
        example: 'dd0f51ec9e75790ad1f7cc8e1a83d12f0a58a9641601a3cffa5c695972543c82',
      }),
  })
  .meta({ id: 'RazorpayCheckoutAnswer' });

export const exampleOrder: RazorpayOrderBody = {
  id: 'rzo_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  invoiceId: 'inv_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  customerId: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  status: 'open',
  amountMinor: 249_900,
  currency: 'INR',
  checkout: {
    key: 'rzp_test_1DP5mmOlF5G5ag',
    order_id: 'order_IluGWxBm9U8zJ8',
    amount: 249_900,
    currency: 'INR',
  },
  payment: null,
  requestedAt: '2026-12-06T09:00:00.000Z',
  closedAt: null,
  failureCode: null,
};

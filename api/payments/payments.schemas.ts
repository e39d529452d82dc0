/** The payment as callers get it. */
import { z } from 'zod';
import type { PaymentRail } from '../../domain/payments/payment.ts';
import { amount, currency, id, idPattern, instant } from '../schemas.ts';

const rails = { stripe: true, manual: true, credit: true } satisfies Record<PaymentRail, true>;

export const payment = z
  .object({
    id: id('pay', 'payment'),
    customerId: id('cus', 'customer'),
    invoiceId: id('inv', 'invoice'),
    rail: z.enum(Object.keys(rails) as [PaymentRail, ...PaymentRail[]]),
    externalId: z
      .string()
      .meta({ description: 'The id at the vendor, or the reference of a recorded payment.' }),
    amountMinor: amount,
    allocatedMinor: amount.meta({ description: 'The part that paid the invoice; the rest became credit.' }),
    refundedMinor: amount,
    currency,
    receivedAt: instant,
    note: z.string().nullable(),
  })
  .meta({ id: 'Payment' });

export type PaymentBody = z.infer<typeof payment>;

export const paymentParams = z.strictObject({ paymentId: id('pay', 'payment') });

export const paymentCursor = idPattern('pay');

export const paymentFilters = {
  customerId: id('cus', 'customer').optional(),
  invoiceId: id('inv', 'invoice').optional(),
};

export const examplePayment: PaymentBody = {
  id: 'pay_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  customerId: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  invoiceId: 'inv_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  rail: 'stripe',
  externalId: 'pi_3PqX2eLkdIwHu7ix0aBcDeFg',
  amountMinor: 2900,
  allocatedMinor: 2900,
  refundedMinor: 0,
  currency: 'USD',
  receivedAt: '2026-12-05T09:00:02.000Z',
  note: null,
};

/** The payment as callers get it. */
import { z } from 'zod';
import { manualMethods } from '../../domain/payments/manual-payment.ts';
import type { PaymentRail } from '../../domain/payments/payment.ts';
import { amount, currency, exchangeRate, id, idPattern, instant, text } from '../schemas.ts';

const rails = {
  stripe: true,
  razorpay: true,
  coinbase: true,
  crypto: true,
  bank: true,
  manual: true,
  credit: true,
} satisfies Record<PaymentRail, true>;

export const method = z.enum(manualMethods);

/** As it is printed on the cheque. */
export const chequeNumber = text(40).meta({ example: '000417' });

/** Where money went: its own invoice first, then others of the customer that were open. */
export const allocation = z
  .object({
    paymentId: id('pay', 'payment').meta({ description: 'The payment of that invoice.' }),
    invoiceId: id('inv', 'invoice'),
    invoiceNumber: z.string().meta({ example: 'INV-000042' }),
    amountMinor: amount,
  })
  .meta({ id: 'Allocation' });

const rateLeg = z
  .object({
    base: currency,
    quote: currency,
    rate: exchangeRate,
    source: z.string().meta({ description: 'ecb, manual, or what was named with the payment.' }),
  })
  .meta({ id: 'RateLeg', description: 'One unit of base is so many units of quote.' });

export const rateFields = {
  rate: exchangeRate.meta({
    description:
      'What one unit of the first currency is in the second, to twelve decimals where it was not given so.',
  }),
  day: z.iso.date().meta({ description: 'The day whose rate it is.', example: '2026-12-04' }),
  source: z.string().meta({ example: 'ecb' }),
  legs: z.array(rateLeg).meta({
    description: 'The rates as they were published or entered, two of them where it goes through the euro.',
  }),
};

const exchange = z
  .object({
    receivedMinor: amount.meta({ description: 'As it was paid.' }),
    receivedCurrency: currency,
    convertedMinor: amount.meta({ description: "At the rate, in the payment's currency." }),
    fxFeeMinor: z.int().meta({
      description:
        'What amountMinor is above the converted amount: a loss of exchange. Below zero: a gain. Not 0 only where the payment came within 5 % of what was due.',
    }),
    ...rateFields,
  })
  .meta({ id: 'Exchange' });

export const payment = z
  .object({
    id: id('pay', 'payment'),
    customerId: id('cus', 'customer'),
    invoiceId: id('inv', 'invoice'),
    rail: z.enum(Object.keys(rails) as [PaymentRail, ...PaymentRail[]]),
    externalId: z.string().meta({
      description:
        'The id at the vendor, the reference of a recorded payment, or the invoice in coins with a number.',
    }),
    amountMinor: amount.meta({ description: "What it counts for, in the invoice's currency." }),
    allocatedMinor: amount.meta({ description: 'The part that paid the invoice; the rest became credit.' }),
    refundedMinor: amount,
    currency,
    bankFeeMinor: amount.meta({ description: 'Of what was paid, in its own currency: what banks kept.' }),
    exchange: z.union([exchange, z.null()]).meta({ description: 'Of money in another currency.' }),
    sourcePaymentId: id('pay', 'payment')
      .nullable()
      .meta({ description: 'The payment whose excess this is; it paid another invoice first.' }),
    allocations: z.array(allocation).meta({ description: 'Every invoice that its money paid.' }),
    receivedAt: instant,
    returnedAt: instant.nullable().meta({
      description:
        'When the bank took a direct debit back that had paid the invoice or did not pay a cheque, or a chain took coins.',
    }),
    returnedMinor: amount,
    returnCode: z.string().nullable().meta({ description: 'Why, as a code of the network.', example: 'R01' }),
    note: z.string().nullable(),
    method: method
      .nullable()
      .meta({ description: 'Of money that was recorded by hand: how it came. Null for any other.' }),
    chequeNumber: z.string().nullable(),
    reason: z.string().nullable().meta({ description: 'Why it was recorded by hand.' }),
    recordedBy: z
      .string()
      .nullable()
      .meta({ description: 'Who has recorded it, as the audit log names them.' }),
    approvalId: id('pap', 'payment approval')
      .nullable()
      .meta({ description: 'The approval of a second person by which it was booked.' }),
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
  bankFeeMinor: 0,
  exchange: null,
  sourcePaymentId: null,
  allocations: [
    {
      paymentId: 'pay_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
      invoiceId: 'inv_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
      invoiceNumber: 'INV-000042',
      amountMinor: 2900,
    },
  ],
  receivedAt: '2026-12-05T09:00:02.000Z',
  returnedAt: null,
  returnedMinor: 0,
  returnCode: null,
  note: null,
  method: null,
  chequeNumber: null,
  reason: null,
  recordedBy: null,
  approvalId: null,
};

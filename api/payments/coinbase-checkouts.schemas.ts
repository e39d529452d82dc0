/** The checkout as callers get it. */
import { z } from 'zod';
import type { CheckoutProviderName, KnownCheckoutStatus } from '../../domain/payments/coinbase-checkout.ts';
import { amount, currency, id, instant } from '../schemas.ts';

const statuses = {
  creating: true,
  refused: true,
  active: true,
  processing: true,
  completed: true,
  deactivated: true,
  expired: true,
  failed: true,
} satisfies Record<KnownCheckoutStatus, true>;

const providers = { business: true, commerce: true } satisfies Record<CheckoutProviderName, true>;

export const coinbaseCheckout = z
  .object({
    id: id('cbc', 'Coinbase checkout'),
    invoiceId: id('inv', 'invoice'),
    customerId: id('cus', 'customer'),
    provider: z.enum(Object.keys(providers) as [CheckoutProviderName, ...CheckoutProviderName[]]).meta({
      description: 'commerce: a charge that Coinbase Commerce has left behind.',
    }),
    status: z.enum(Object.keys(statuses) as [KnownCheckoutStatus, ...KnownCheckoutStatus[]]).meta({
      description:
        'creating: Coinbase has not answered yet. active: it can be paid. processing: a payment is not final yet. completed: the money is here. The others: see failureCode; money that still comes is booked.',
    }),
    amountMinor: amount,
    currency,
    url: z
      .url()
      .nullable()
      .meta({ description: 'Where the customer pays; none unless the checkout can be paid.' }),
    expiresAt: instant.nullable(),
    received: z.string().nullable().meta({
      description: 'What came, to the last digit. A dollar coin counts as a dollar.',
      example: '29.00 USDC',
    }),
    transactionId: z.string().nullable().meta({ description: 'On the chain.' }),
    requestedAt: instant,
    closedAt: instant.nullable(),
    failureCode: z.string().nullable().meta({ description: 'Why it was closed unpaid.', example: null }),
    links: z.object({ temporal: z.url().nullable() }),
  })
  .meta({ id: 'CoinbaseCheckout' });

export type CoinbaseCheckoutBody = z.infer<typeof coinbaseCheckout>;

export const checkoutParams = z.strictObject({ checkoutId: id('cbc', 'Coinbase checkout') });

export const exampleCheckout: CoinbaseCheckoutBody = {
  id: 'cbc_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  invoiceId: 'inv_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  customerId: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  provider: 'business',
  status: 'active',
  amountMinor: 2900,
  currency: 'USD',
  url: 'https://payments.coinbase.com/payment-links/pl_01h8441j23abcd1234567890ef',
  expiresAt: '2026-12-07T09:00:00.000Z',
  received: null,
  transactionId: null,
  requestedAt: '2026-12-06T09:00:00.000Z',
  closedAt: null,
  failureCode: null,
  links: { temporal: null },
};

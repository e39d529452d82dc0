/** The Razorpay subscription as callers get it, with what a customer needs to authorise it. */
import { z } from 'zod';
import type { RazorpaySubscriptionStatus } from '../../domain/payments/razorpay-subscription.ts';
import { amount, currency, id, instant } from '../schemas.ts';

const statuses = {
  creating: true,
  created: true,
  authenticated: true,
  active: true,
  pending: true,
  halted: true,
  paused: true,
  cancelled: true,
  completed: true,
  expired: true,
  refused: true,
} satisfies Record<RazorpaySubscriptionStatus, true>;

export const razorpaySubscription = z
  .object({
    id: id('rzs', 'Razorpay subscription'),
    subscriptionId: id('sub', 'subscription'),
    customerId: id('cus', 'customer'),
    externalId: z.string().nullable().meta({ description: 'The id at Razorpay.' }),
    status: z
      .enum(Object.keys(statuses) as [RazorpaySubscriptionStatus, ...RazorpaySubscriptionStatus[]])
      .meta({
        description:
          'As at Razorpay. created: the customer has not authorised it. authenticated, active, pending: Razorpay charges, and nothing else does. halted: it has given up. creating: Razorpay has not answered yet. refused: it makes none, see failureCode.',
      }),
    amountMinor: amount.meta({ description: 'What a period costs, tax included.' }),
    currency,
    startsAt: instant
      .nullable()
      .meta({ description: 'When Razorpay charges first; null: right after the authorisation.' }),
    authorization: z
      .object({
        shortUrl: z.string().nullable().meta({ description: 'Where the customer authorises it.' }),
        key: z.string().meta({ description: 'The public id of the key, for Razorpay Checkout.' }),
        subscription_id: z.string(),
      })
      .nullable()
      .meta({ description: 'What the customer needs to authorise it; none unless they can.' }),
    requestedAt: instant,
    endRequestedAt: instant.nullable().meta({ description: 'Razorpay is being told that it ends.' }),
    endedAt: instant.nullable(),
    endReason: z.string().nullable().meta({ description: 'Why it ends, as a code.', example: null }),
    failureCode: z.string().nullable().meta({ description: 'Why Razorpay made none.', example: null }),
  })
  .meta({ id: 'RazorpaySubscription' });

export type RazorpaySubscriptionBody = z.infer<typeof razorpaySubscription>;

export const exampleRazorpaySubscription: RazorpaySubscriptionBody = {
  id: 'rzs_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  subscriptionId: 'sub_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  customerId: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  externalId: 'sub_IluGWxBm9U8zJ8',
  status: 'created',
  amountMinor: 249_900,
  currency: 'INR',
  startsAt: '2026-12-20T09:00:00.000Z',
  authorization: {
    shortUrl: 'https://rzp.io/i/z3b1R61A9',
    key: 'rzp_test_1DP5mmOlF5G5ag',
    subscription_id: 'sub_IluGWxBm9U8zJ8',
  },
  requestedAt: '2026-12-06T09:00:00.000Z',
  endRequestedAt: null,
  endedAt: null,
  endReason: null,
  failureCode: null,
};

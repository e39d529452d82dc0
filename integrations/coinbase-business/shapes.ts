/**
 * What we read of Coinbase Business's JSON; it has more.
 * https://docs.cdp.coinbase.com/api-reference/business-api/rest-api/checkouts/get-checkout
 */
import { z } from 'zod';

/** Twenty-four hexadecimal digits. */
const checkoutId = z.string().regex(/^[\da-f]{24}$/);

const decimal = z.string().regex(/^\d{1,15}(\.\d{1,30})?$/);
const instant = z.iso.datetime({ offset: true });

const refund = z.object({
  id: z.string().regex(/^[\x21-\x7e]{1,255}$/),
  amount: decimal,
  currency: z.string(),
  status: z.string(),
  createdAt: instant,
});

export const checkout = z.object({
  id: checkoutId,
  url: z.url({ protocol: /^https?$/ }),
  amount: decimal,
  currency: z.string(),
  status: z.string(),
  expiresAt: instant.nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  settlement: z.object({ totalAmount: decimal, currency: z.string() }).nullish(),
  transactionHash: z.string().nullish(),
  refunds: z.array(refund).nullish(),
  createdAt: instant,
  updatedAt: instant,
});

export const checkoutList = z.object({ checkouts: z.array(checkout), nextPageToken: z.string().nullish() });

/** A webhook is the checkout as it was, and what happened to it. */
export const event = z.object({
  id: checkoutId,
  eventType: z.string().min(1).max(255),
  metadata: z.record(z.string(), z.unknown()).nullish(),
});

export const failure = z.object({ errorType: z.string().optional(), errorMessage: z.string().optional() });

export type CheckoutJson = z.output<typeof checkout>;
export type RefundJson = z.output<typeof refund>;
export type EventJson = z.output<typeof event>;

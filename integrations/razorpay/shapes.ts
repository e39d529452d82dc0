/**
 * What we read of Razorpay's JSON; it has more. An answer that was cut or is something else comes from the SDK as text and
 * is no error there, so every answer is checked here.
 * https://razorpay.com/docs/api/orders/entity/, …/payments/entity/, …/refunds/entity/, …/payments/subscriptions/entity/,
 * …/disputes/entity/
 */
import { z } from 'zod';

const END_OF_9999_SECONDS = 253_402_300_799;

const vendorId = z.string().regex(/^[\w-]{1,255}$/);
const seconds = z.int().min(0).max(END_OF_9999_SECONDS);

/** An object of texts; an empty list where there are none. */
const notes = z
  .union([
    z.record(z.string(), z.unknown()),
    z.array(z.unknown()).transform((): Record<string, unknown> => ({})),
  ])
  .nullish();

export const order = z.object({
  id: vendorId,
  entity: z.literal('order'),
  amount: z.int(),
  currency: z.string(),
  receipt: z.string().nullish(),
  notes,
  created_at: seconds,
});

export const payment = z.object({
  id: vendorId,
  entity: z.literal('payment'),
  amount: z.int(),
  currency: z.string(),
  status: z.string(),
  captured: z.boolean().nullish(),
  order_id: vendorId.nullish(),
  invoice_id: vendorId.nullish(),
  error_code: z.string().nullish(),
  error_reason: z.string().nullish(),
  created_at: seconds,
});

export const refund = z.object({
  id: vendorId,
  entity: z.literal('refund'),
  amount: z.int(),
  currency: z.string(),
  status: z.string().nullish(),
  notes,
  created_at: seconds,
});

export const plan = z.object({ id: vendorId, entity: z.literal('plan'), notes, created_at: seconds });

export const subscription = z.object({
  id: vendorId,
  entity: z.literal('subscription'),
  status: z.string(),
  short_url: z.string().nullish(),
  notes,
  created_at: seconds,
});

/** Of a cycle of a subscription; other invoices have no `subscription_id`. */
export const invoice = z.object({
  id: vendorId,
  entity: z.literal('invoice'),
  subscription_id: vendorId.nullish(),
  payment_id: vendorId.nullish(),
  status: z.string().nullish(),
  billing_start: seconds.nullish(),
  created_at: seconds,
});

export const dispute = z.object({
  id: vendorId,
  entity: z.literal('dispute'),
  payment_id: vendorId,
  amount: z.int(),
  currency: z.string(),
  amount_deducted: z.int().nullish(),
  reason_code: z.string().nullish(),
  status: z.string(),
  created_at: seconds,
});

export const listOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ entity: z.literal('collection'), items: z.array(item) });

/** The envelope of a webhook. Which objects it carries depends on its type. */
export const event = z.looseObject({
  entity: z.literal('event'),
  account_id: vendorId,
  event: z.string().regex(/^[\x21-\x7e]{1,255}$/),
  created_at: seconds,
  payload: z.looseObject({}).optional(),
});

export type OrderJson = z.output<typeof order>;
export type PaymentJson = z.output<typeof payment>;
export type RefundJson = z.output<typeof refund>;
export type SubscriptionJson = z.output<typeof subscription>;
export type InvoiceJson = z.output<typeof invoice>;
export type DisputeJson = z.output<typeof dispute>;
export type EventJson = z.output<typeof event>;

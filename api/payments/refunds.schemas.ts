/** The refund as callers get it, and the request for one. */
import { z } from 'zod';
import type { RefundStatus } from '../../domain/payments/refund.ts';
import { amount, currency, id, idPattern, instant, positiveAmount } from '../schemas.ts';

const statuses = { pending: true, succeeded: true, failed: true } satisfies Record<RefundStatus, true>;

export const refund = z
  .object({
    id: id('ref', 'refund'),
    paymentId: id('pay', 'payment'),
    invoiceId: id('inv', 'invoice'),
    customerId: id('cus', 'customer'),
    status: z.enum(Object.keys(statuses) as [RefundStatus, ...RefundStatus[]]).meta({
      description:
        'pending: asked for, or the bank works on it. succeeded: given back and booked. failed: nothing was given back, see failureCode.',
    }),
    amountMinor: amount,
    currency,
    given: z
      .union([z.object({ amountMinor: amount, currency }), z.null()])
      .meta({ description: 'Of a payment that came in another currency: what is given back of it.' }),
    lines: z
      .array(z.object({ lineId: id('line', 'line of the invoice'), amountMinor: amount }))
      .meta({ description: 'What of the invoice is given back, where that was named.' }),
    reason: z.string().nullable(),
    externalId: z.string().nullable().meta({ description: 'The id at the vendor, once it has one.' }),
    requestedAt: instant,
    refundedAt: instant.nullable(),
    failureCode: z
      .string()
      .nullable()
      .meta({ description: "The vendor's reason, or failed_at_bank.", example: null }),
    links: z.object({
      temporal: z
        .url()
        .nullable()
        .meta({ description: 'The process in the Temporal Web UI; none where no vendor was asked by us.' }),
    }),
  })
  .meta({ id: 'Refund' });

export type RefundBody = z.infer<typeof refund>;

export const refundParams = z.strictObject({ refundId: id('ref', 'refund') });

export const refundCursor = idPattern('ref');

export const refundFilters = {
  paymentId: id('pay', 'payment').optional(),
  customerId: id('cus', 'customer').optional(),
};

/** Goes into the audit log, so it is a code and not a text. */
export const reason = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be a lower-case code such as duplicate')
  .meta({ example: 'duplicate' });

const LINES_MAX = 100;

export const newRefund = z
  .strictObject({
    amountMinor: positiveAmount.optional(),
    lines: z
      .array(
        z.strictObject({
          lineId: id('line', 'line of the invoice'),
          amountMinor: positiveAmount
            .optional()
            .meta({ description: 'As usual: all that is left of the line.' }),
        }),
      )
      .min(1)
      .max(LINES_MAX)
      .optional(),
    reason: reason.optional(),
  })
  .refine(({ amountMinor, lines }) => amountMinor === undefined || lines === undefined, {
    path: ['amountMinor'],
    message: 'say how much by amountMinor or by lines, not by both',
  })
  .meta({ id: 'NewRefund', not: { required: ['amountMinor', 'lines'] } });

export const exampleRefund: RefundBody = {
  id: 'ref_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  paymentId: 'pay_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  invoiceId: 'inv_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  customerId: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  status: 'pending',
  amountMinor: 2900,
  currency: 'USD',
  given: null,
  lines: [],
  reason: 'duplicate',
  externalId: null,
  requestedAt: '2026-12-06T09:00:00.000Z',
  refundedAt: null,
  failureCode: null,
  links: {
    temporal:
      'http://127.0.0.1:8233/namespaces/default/workflows/refund%2Fref_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  },
};

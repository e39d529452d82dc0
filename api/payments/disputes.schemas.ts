/** The dispute as callers get it. */
import { z } from 'zod';
import type { DisputeStatus } from '../../domain/payments/dispute.ts';
import { amount, currency, id, idPattern, instant } from '../schemas.ts';

const statuses = { open: true, won: true, lost: true } satisfies Record<DisputeStatus, true>;

const status = z
  .enum(Object.keys(statuses) as [DisputeStatus, ...DisputeStatus[]])
  .meta({ id: 'DisputeStatus' });

export const dispute = z
  .object({
    id: id('dsp', 'dispute'),
    customerId: id('cus', 'customer'),
    invoiceId: id('inv', 'invoice'),
    paymentId: id('pay', 'payment'),
    externalId: z.string().meta({ description: 'The id at the vendor, where the bank is answered.' }),
    status,
    amountMinor: amount,
    currency,
    reason: z.string().meta({ description: "The bank's reason, as a code.", example: 'fraudulent' }),
    openedAt: instant,
    withdrawnAt: instant.nullable().meta({ description: 'The money was taken out of our account.' }),
    reinstatedAt: instant.nullable().meta({ description: 'The money came back.' }),
    closedAt: instant.nullable(),
  })
  .meta({ id: 'Dispute' });

export type DisputeBody = z.infer<typeof dispute>;

export const disputeParams = z.strictObject({ disputeId: id('dsp', 'dispute') });

export const disputeCursor = idPattern('dsp');

export const disputeFilters = {
  customerId: id('cus', 'customer').optional(),
  paymentId: id('pay', 'payment').optional(),
  status: status.optional(),
};

export const exampleDispute: DisputeBody = {
  id: 'dsp_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  customerId: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  invoiceId: 'inv_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  paymentId: 'pay_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  externalId: 'dp_1PqX2eLkdIwHu7ix0aBcDeFg',
  status: 'open',
  amountMinor: 2900,
  currency: 'USD',
  reason: 'fraudulent',
  openedAt: '2026-12-20T09:00:00.000Z',
  withdrawnAt: '2026-12-20T09:00:02.000Z',
  reinstatedAt: null,
  closedAt: null,
};

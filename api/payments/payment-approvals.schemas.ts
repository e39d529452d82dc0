/** A payment that waits for a second person, as callers get it. */
import { z } from 'zod';
import type { PaymentApprovalRow } from '../../db/queries/payments/payment-approvals.ts';
import { approvalStatuses } from '../../domain/payments/manual-payment.ts';
import { amount, currency, exchangeRate, id, instant } from '../schemas.ts';
import { method } from './payments.schemas.ts';

export const approvalStatus = z.enum(approvalStatuses);

export const approvalParams = z.strictObject({ approvalId: id('pap', 'payment approval') });

export const paymentApproval = z
  .object({
    id: id('pap', 'payment approval'),
    status: approvalStatus.meta({
      description: 'asked: nothing is booked. approved: the payment is booked. rejected: it never is.',
    }),
    customerId: id('cus', 'customer'),
    invoiceId: id('inv', 'invoice')
      .nullable()
      .meta({ description: 'Null for money that names no invoice: it pays the oldest unpaid first.' }),
    method,
    chequeNumber: z.string().nullable(),
    reference: z.string(),
    amountMinor: amount,
    currency,
    feeMinor: amount,
    exchangeRate: exchangeRate.nullable(),
    rateSource: z.string().nullable(),
    receivedAt: instant.meta({ description: 'With this date it is booked, whenever it is approved.' }),
    note: z.string().nullable(),
    reason: z.string().meta({ description: 'Of whoever recorded it.' }),
    usdMinor: amount.nullable().meta({
      description:
        'What it was worth in cents of US dollars; null where no exchange rate of the day was known.',
    }),
    askedBy: z.string().meta({ example: 'api_key:key_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b' }),
    askedAt: instant,
    decidedBy: z.string().nullable(),
    decidedAt: instant.nullable(),
    rejection: z.string().nullable().meta({ description: 'Why it was rejected.' }),
    paymentId: id('pay', 'payment').nullable().meta({ description: 'What was booked with it.' }),
  })
  .meta({ id: 'PaymentApproval' });

export type PaymentApprovalBody = z.infer<typeof paymentApproval>;

export function toPaymentApproval(row: PaymentApprovalRow, paymentId: string | null): PaymentApprovalBody {
  return {
    id: row.id,
    status: row.status,
    customerId: row.customerId,
    invoiceId: row.invoiceId,
    method: row.method,
    chequeNumber: row.chequeNumber,
    reference: row.reference,
    amountMinor: row.amountMinor,
    currency: row.currency,
    feeMinor: row.bankFeeMinor,
    exchangeRate: row.exchangeRate,
    rateSource: row.rateSource,
    receivedAt: row.receivedAt.toISOString(),
    note: row.note,
    reason: row.reason,
    usdMinor: row.usdMinor,
    askedBy: row.askedBy,
    askedAt: row.askedAt.toISOString(),
    decidedBy: row.decidedBy,
    decidedAt: row.decidedAt?.toISOString() ?? null,
    rejection: row.rejection,
    paymentId,
  };
}

/** A payment that a person records, and what became of it. */
import { z } from 'zod';
import type { SettleOutcome } from '../../db/queries/payments/settle-payment.ts';
import { invoiceSummary } from '../billing/invoices.schemas.ts';
import {
  amount,
  currency,
  exchangeRate,
  id,
  instantInput,
  longText,
  positiveAmount,
  text,
} from '../schemas.ts';
import { allocation, chequeNumber, method } from './payments.schemas.ts';

export const recordedPayment = z
  .strictObject({
    amountMinor: positiveAmount.meta({
      description: 'What the customer paid, in the smallest unit of its currency (cents, yen, fils).',
    }),
    currency: currency.meta({
      description:
        "As it was paid. Another than the invoice's is converted at the rate of the day the money came; what is within 5 % of what is due pays it in full.",
    }),
    exchangeRate: exchangeRate.optional().meta({
      description:
        "What one unit of this currency is in the invoice's, as on the advice of the bank. As usual: the day's rate. Together with rateSource.",
    }),
    rateSource: text(100)
      .optional()
      .meta({ description: 'Where that rate is from.', example: 'advice of the bank' }),
    feeMinor: positiveAmount.optional().meta({
      description:
        'Of amountMinor: what banks kept. The customer has paid it all the same; it is a cost of yours.',
    }),
    reference: text(200).meta({
      description:
        'What identifies this money: a bank reference, a receipt number. The same money is booked once.',
      example: 'wire 2026-11-21/17',
    }),
    method: method.meta({ description: 'How it came; the receipt names it.' }),
    chequeNumber: chequeNumber.optional().meta({ description: 'Of a cheque only; the receipt names it.' }),
    reason: text(500).meta({
      description: 'Why you record it, for the audit log.',
      example: 'paid in at the branch on Main Street',
    }),
    receivedAt: instantInput.optional().meta({ description: 'As usual: now. Not in the future.' }),
    note: longText(1000).optional(),
  })
  .refine(({ method, chequeNumber }) => chequeNumber === undefined || method === 'cheque', {
    path: ['chequeNumber'],
    message: 'belongs to a cheque: send method cheque, or leave chequeNumber out',
  })
  .refine(({ exchangeRate, rateSource }) => (exchangeRate === undefined) === (rateSource === undefined), {
    path: ['rateSource'],
    message: 'exchangeRate and rateSource belong together: send both, or neither for the rate of the day',
  })
  .meta({
    id: 'RecordedPayment',
    dependentRequired: { exchangeRate: ['rateSource'], rateSource: ['exchangeRate'] },
    anyOf: [{ properties: { method: { const: 'cheque' } } }, { not: { required: ['chequeNumber'] } }],
  });

export type RecordedPaymentBody = z.output<typeof recordedPayment>;

const outcomes = { settled: true, partial: true, credited: true, duplicate: true } satisfies Record<
  SettleOutcome,
  true
>;

export const settlement = z
  .object({
    paymentId: id('pay', 'payment'),
    outcome: z.enum(Object.keys(outcomes) as [SettleOutcome, ...SettleOutcome[]]).meta({
      description:
        'settled: the invoice is paid. partial: a part of it. credited: it needed nothing any more. duplicate: this money was booked before.',
    }),
    invoice: invoiceSummary.meta({ description: 'The invoice that took the money first.' }),
    allocations: z.array(allocation).meta({
      description:
        "Every invoice that was paid with it: what it exceeds the first by pays the customer's others.",
    }),
    creditedMinor: amount.meta({
      description: "What paid no invoice and is the customer's credit, in the invoice's currency.",
    }),
  })
  .meta({ id: 'Settlement' });

export type SettlementBody = z.output<typeof settlement>;

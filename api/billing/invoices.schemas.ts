/** The invoice as callers get it, and the payment that is recorded for it. */
import { z } from 'zod';
import type { SettleOutcome } from '../../db/queries/payments/settle-payment.ts';
import type { InvoiceLineKind, InvoiceStatus } from '../../db/schema/billing.ts';
import {
  amount,
  currency,
  id,
  idPattern,
  instant,
  instantInput,
  longText,
  positiveAmount,
  signedAmount,
  text,
} from '../schemas.ts';

const statuses = { open: true, paid: true, void: true, uncollectible: true } satisfies Record<
  InvoiceStatus,
  true
>;

const lineKinds = {
  plan: true,
  change_credit: true,
  change_charge: true,
  to_balance: true,
} satisfies Record<InvoiceLineKind, true>;

const status = z
  .enum(Object.keys(statuses) as [InvoiceStatus, ...InvoiceStatus[]])
  .meta({ id: 'InvoiceStatus' });

const summaryFields = {
  id: id('inv', 'invoice'),
  number: z.string().meta({ description: 'Gapless per tenant.', example: 'INV-000042' }),
  customerId: id('cus', 'customer'),
  subscriptionId: id('sub', 'subscription'),
  kind: z
    .enum(['period', 'change'])
    .meta({ description: 'A period in advance, or the difference a change of plan or seats makes.' }),
  status,
  currency,
  totalMinor: amount,
  paidMinor: amount,
  dueMinor: amount.meta({ description: 'What is still to be paid; 0 unless it is open.' }),
  refundedMinor: amount,
  disputedMinor: amount.meta({
    description: 'Taken back by the bank of the customer: disputes that were lost.',
  }),
  periodIndex: z.int(),
  periodStartsAt: instant,
  periodEndsAt: instant,
  issuedAt: instant,
  paidAt: instant.nullable(),
  firstFailedAt: instant.nullable().meta({ description: 'First failed charge: the clock of the dunning.' }),
  closedAt: instant.nullable(),
};

export const invoiceSummary = z.object(summaryFields).meta({ id: 'InvoiceSummary' });

export const invoice = z
  .object({
    ...summaryFields,
    billTo: z
      .object({ name: z.string(), email: z.string() })
      .meta({ description: 'As billed; pseudonymised when the personal data is erased.' }),
    lines: z.array(
      z.object({
        id: id('line', 'line'),
        kind: z.enum(Object.keys(lineKinds) as [InvoiceLineKind, ...InvoiceLineKind[]]).meta({
          description:
            'A period; the unused rest of an earlier line, taken back; the new terms for the rest of the period; what is kept as credit.',
        }),
        description: z.string(),
        quantity: z.int(),
        unitMinor: signedAmount,
        amountMinor: signedAmount,
        periodStartsAt: instant,
        periodEndsAt: instant,
        creditsLineId: id('line', 'line').nullable(),
      }),
    ),
  })
  .meta({ id: 'Invoice' });

export type InvoiceSummary = z.infer<typeof invoiceSummary>;
export type InvoiceBody = z.infer<typeof invoice>;

export const invoiceParams = z.strictObject({ invoiceId: id('inv', 'invoice') });

export const invoiceCursor = idPattern('inv');

export const invoiceFilters = {
  customerId: id('cus', 'customer').optional(),
  subscriptionId: id('sub', 'subscription').optional(),
  status: status.optional(),
};

export const recordedPayment = z
  .strictObject({
    amountMinor: positiveAmount,
    currency,
    reference: text(200).meta({
      description:
        'What identifies this money: a bank reference, a receipt number. The same money is booked once.',
      example: 'wire 2026-11-21/17',
    }),
    receivedAt: instantInput.optional().meta({ description: 'As usual: now. Not in the future.' }),
    note: longText(1000).optional(),
  })
  .meta({ id: 'RecordedPayment' });

const outcomes = { settled: true, partial: true, credited: true, duplicate: true } satisfies Record<
  SettleOutcome,
  true
>;

export const settlement = z
  .object({
    paymentId: id('pay', 'payment'),
    outcome: z.enum(Object.keys(outcomes) as [SettleOutcome, ...SettleOutcome[]]).meta({
      description:
        'settled: the invoice is paid (an excess became credit). partial: a part of it. credited: nothing was due, all of it is credit. duplicate: this money was booked before.',
    }),
    invoice: invoiceSummary,
  })
  .meta({ id: 'Settlement' });

export const exampleInvoiceSummary: InvoiceSummary = {
  id: 'inv_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  number: 'INV-000042',
  customerId: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  subscriptionId: 'sub_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  kind: 'period',
  status: 'paid',
  currency: 'USD',
  totalMinor: 2900,
  paidMinor: 2900,
  dueMinor: 0,
  refundedMinor: 0,
  disputedMinor: 0,
  periodIndex: 0,
  periodStartsAt: '2026-12-05T09:00:00.000Z',
  periodEndsAt: '2027-01-05T09:00:00.000Z',
  issuedAt: '2026-12-05T09:00:00.000Z',
  paidAt: '2026-12-05T09:00:02.000Z',
  firstFailedAt: null,
  closedAt: null,
};

export const exampleInvoice: InvoiceBody = {
  ...exampleInvoiceSummary,
  billTo: { name: 'Ada Lovelace', email: 'ada@example.com' },
  lines: [
    {
      id: 'line_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
      kind: 'plan',
      description: 'Pro monthly, 2026-12-05 to 2027-01-05',
      quantity: 1,
      unitMinor: 2900,
      amountMinor: 2900,
      periodStartsAt: '2026-12-05T09:00:00.000Z',
      periodEndsAt: '2027-01-05T09:00:00.000Z',
      creditsLineId: null,
    },
  ],
};

/** The invoice as callers get it. */
import { z } from 'zod';
import type { InvoiceLineKind, InvoiceStatus } from '../../db/schema/billing.ts';
import type { TaxTreatment } from '../../domain/billing/tax.ts';
import { amount, currency, id, idPattern, instant, signedAmount } from '../schemas.ts';
import { taxEngine } from './tax.schemas.ts';

/** A draft is no invoice yet; the API shows it among them. */
export type ShownStatus = InvoiceStatus | 'draft';

const statuses = {
  draft: true,
  open: true,
  paid: true,
  void: true,
  uncollectible: true,
} satisfies Record<ShownStatus, true>;

const lineKinds = {
  plan: true,
  change_credit: true,
  change_charge: true,
  item: true,
  to_balance: true,
} satisfies Record<InvoiceLineKind, true>;

const treatments = {
  taxed: true,
  reverse_charge: true,
  exempt: true,
  export: true,
  untaxed: true,
} satisfies Record<TaxTreatment, true>;

const status = z.enum(Object.keys(statuses) as [ShownStatus, ...ShownStatus[]]).meta({ id: 'InvoiceStatus' });

const summaryFields = {
  id: id('inv', 'invoice'),
  number: z
    .string()
    .nullable()
    .meta({ description: 'Gapless per tenant; a draft has none.', example: 'INV-000042' }),
  customerId: id('cus', 'customer'),
  subscriptionId: id('sub', 'subscription'),
  kind: z.enum(['period', 'change', 'one_off']).meta({
    description:
      'A period in advance, the difference a change of plan or seats makes, or what was drafted by hand.',
  }),
  status,
  currency,
  subtotalMinor: signedAmount.meta({
    description: 'The total without its tax. Of a draft: what its lines come to.',
    example: 2900,
  }),
  taxMinor: signedAmount.meta({
    description:
      'Of the total. Below zero where a change takes back more tax than it brings. A draft has none: it bears the tax of the day on which it is issued.',
    example: 551,
  }),
  totalMinor: amount.meta({ description: 'What is to be paid, tax included.', example: 3451 }),
  paidMinor: amount,
  writtenOffMinor: amount.meta({
    description: 'Of what counts as paid: a small rest that was written off.',
    example: 0,
  }),
  dueMinor: amount.meta({ description: 'What is still to be paid; 0 unless it is open.' }),
  refundedMinor: amount,
  disputedMinor: amount.meta({
    description: 'Taken back by the bank of the customer: disputes that were lost.',
  }),
  periodIndex: z
    .int()
    .nullable()
    .meta({ description: 'The period of the subscription it bills, or in which it was issued.' }),
  periodStartsAt: instant.nullable(),
  periodEndsAt: instant.nullable(),
  issuedAt: instant.nullable().meta({ description: 'Null for a draft, as are the dates beside it.' }),
  dueAt: instant
    .nullable()
    .meta({ description: 'By when it is to be paid; at once where a card is charged.' }),
  paidAt: instant.nullable(),
  firstFailedAt: instant.nullable().meta({ description: 'First failed charge: the clock of the dunning.' }),
  closedAt: instant.nullable(),
};

export const invoiceSummary = z.object(summaryFields).meta({ id: 'InvoiceSummary' });

export const invoice = z
  .object({
    ...summaryFields,
    taxTreatment: z
      .enum(Object.keys(treatments) as [TaxTreatment, ...TaxTreatment[]])
      .nullable()
      .meta({
        description:
          'taxed: by the rates of the place of the customer. reverse_charge: the customer owes the tax. exempt: the customer is. export: out of the country. untaxed: no rate for the place, or no address. Null: there were no tax settings.',
      }),
    taxEngine: taxEngine
      .nullable()
      .meta({ description: 'Who said which tax it bears. Null: there were no tax settings.' }),
    taxInclusive: z.boolean().meta({ description: 'The amounts of the lines contain their tax.' }),
    notes: z.array(z.string()).meta({ description: 'What the invoice says of its tax.' }),
    billTo: z
      .union([
        z.object({
          name: z.string(),
          email: z.string(),
          addressLines: z.array(z.string()),
          taxId: z.union([z.object({ label: z.string(), value: z.string() }), z.null()]),
        }),
        z.null(),
      ])
      .meta({
        description: 'As billed; pseudonymised when the personal data is erased. Null for a draft.',
      }),
    draft: z.union([z.object({ daysUntilDue: z.int(), finalisesAt: instant.nullable() }), z.null()]).meta({
      description:
        'How long the customer has to pay, and when the daily run issues it. Null once it is issued.',
    }),
    lines: z.array(
      z.object({
        id: id('line', 'line'),
        kind: z.enum(Object.keys(lineKinds) as [InvoiceLineKind, ...InvoiceLineKind[]]).meta({
          description:
            'A period; the unused rest of an earlier line, taken back; the new terms for the rest of the period; what was drafted by hand; what is kept as credit.',
        }),
        description: z.string(),
        quantity: z.int(),
        unitMinor: signedAmount,
        amountMinor: signedAmount.meta({ description: 'What is billed: without the discount.' }),
        discountMinor: amount.meta({ description: 'What a coupon took off.' }),
        discountCode: z.string().nullable(),
        periodStartsAt: instant.nullable(),
        periodEndsAt: instant.nullable(),
        creditsLineId: id('line', 'line').nullable(),
        taxCode: z.string().nullable().meta({ description: 'HSN or SAC in India.' }),
        taxes: z.array(
          z.object({
            name: z.string(),
            percent: z.string(),
            jurisdiction: z.string().meta({ description: 'Who gets it.', example: 'IN-29' }),
            baseMinor: signedAmount,
            amountMinor: signedAmount,
          }),
        ),
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

export const exampleInvoiceSummary: InvoiceSummary = {
  id: 'inv_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  number: 'INV-000042',
  customerId: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  subscriptionId: 'sub_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  kind: 'period',
  status: 'paid',
  currency: 'USD',
  subtotalMinor: 2900,
  taxMinor: 551,
  totalMinor: 3451,
  paidMinor: 3451,
  writtenOffMinor: 0,
  dueMinor: 0,
  refundedMinor: 0,
  disputedMinor: 0,
  periodIndex: 0,
  periodStartsAt: '2026-12-05T09:00:00.000Z',
  periodEndsAt: '2027-01-05T09:00:00.000Z',
  issuedAt: '2026-12-05T09:00:00.000Z',
  dueAt: '2026-12-05T09:00:00.000Z',
  paidAt: '2026-12-05T09:00:02.000Z',
  firstFailedAt: null,
  closedAt: null,
};

export const exampleInvoice: InvoiceBody = {
  ...exampleInvoiceSummary,
  taxTreatment: 'taxed',
  taxEngine: 'own_rates',
  taxInclusive: false,
  notes: [],
  billTo: {
    name: 'Ada Lovelace',
    email: 'ada@example.com',
    addressLines: ['Unter den Linden 1', '10117 Berlin', 'Germany'],
    taxId: null,
  },
  draft: null,
  lines: [
    {
      id: 'line_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
      kind: 'plan',
      description: 'Pro monthly, 2026-12-05 to 2027-01-05',
      quantity: 1,
      unitMinor: 2900,
      amountMinor: 2900,
      discountMinor: 0,
      discountCode: null,
      periodStartsAt: '2026-12-05T09:00:00.000Z',
      periodEndsAt: '2027-01-05T09:00:00.000Z',
      creditsLineId: null,
      taxCode: null,
      taxes: [{ name: 'VAT', percent: '19', jurisdiction: 'DE', baseMinor: 2900, amountMinor: 551 }],
    },
  ],
};

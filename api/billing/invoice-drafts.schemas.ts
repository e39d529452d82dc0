/** What is drafted by hand, as callers send it. */
import { z } from 'zod';
import { defaultDaysUntilDue } from '../../domain/billing/invoice-draft.ts';
import { id, instantInput, positiveAmount, text } from '../schemas.ts';
import { exampleInvoice, type InvoiceBody } from './invoices.schemas.ts';

const line = z
  .strictObject({
    description: text(300).meta({
      description: 'What is billed. It stays on the invoice for good: no personal data.',
      example: 'Onboarding workshop',
    }),
    quantity: z.int().min(1).max(1_000_000).default(1),
    unitMinor: positiveAmount,
    taxCode: text(20).optional().meta({ description: 'HSN or SAC in India.' }),
  })
  .transform(({ taxCode = null, ...rest }) => ({ ...rest, taxCode }));

const lines = z.array(line).min(1).max(100);

const daysUntilDue = z
  .int()
  .min(0)
  .max(365)
  .meta({
    description: `How long the customer has to pay, in days from the issue; ${defaultDaysUntilDue} unless it is given.`,
    example: 14,
  });

const finalisesAt = instantInput.meta({
  description: 'The first daily run (10:00 UTC) at or after this instant issues it.',
  example: '2026-12-01T00:00:00Z',
});

export const newDraft = z
  .strictObject({
    subscriptionId: id('sub', 'subscription'),
    lines,
    daysUntilDue: daysUntilDue.default(defaultDaysUntilDue),
    finalisesAt: finalisesAt.optional(),
  })
  .meta({ id: 'NewInvoice' });

export const draftChange = z
  .strictObject({
    lines: lines.optional().meta({ description: 'In place of all lines it has.' }),
    daysUntilDue: daysUntilDue.optional(),
    finalisesAt: finalisesAt.nullable().optional().meta({ description: 'Null: until somebody issues it.' }),
  })
  .meta({ id: 'InvoiceDraftChange' });

const item = {
  id: 'line_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  kind: 'item',
  description: 'Onboarding workshop',
  quantity: 2,
  unitMinor: 45_000,
  amountMinor: 90_000,
  discountMinor: 0,
  discountCode: null,
  periodStartsAt: null,
  periodEndsAt: null,
  creditsLineId: null,
  taxCode: null,
  taxes: [],
} as const satisfies InvoiceBody['lines'][number];

export const exampleDraft: InvoiceBody = {
  ...exampleInvoice,
  number: null,
  kind: 'one_off',
  status: 'draft',
  subtotalMinor: 90_000,
  taxMinor: 0,
  totalMinor: 90_000,
  paidMinor: 0,
  periodIndex: null,
  periodStartsAt: null,
  periodEndsAt: null,
  issuedAt: null,
  dueAt: null,
  paidAt: null,
  taxTreatment: null,
  taxEngine: null,
  billTo: null,
  draft: { daysUntilDue: 14, finalisesAt: '2026-12-01T00:00:00.000Z' },
  lines: [item],
};

/** The same once it is issued. */
export const exampleOneOff: InvoiceBody = {
  ...exampleDraft,
  number: 'INV-000043',
  status: 'open',
  dueMinor: 90_000,
  periodIndex: 0,
  periodStartsAt: '2026-12-01T10:00:00.000Z',
  periodEndsAt: '2026-12-01T10:00:00.000Z',
  issuedAt: '2026-12-01T10:00:00.000Z',
  dueAt: '2026-12-15T10:00:00.000Z',
  billTo: exampleInvoice.billTo,
  draft: null,
  lines: [{ ...item, periodStartsAt: '2026-12-01T10:00:00.000Z', periodEndsAt: '2026-12-01T10:00:00.000Z' }],
};

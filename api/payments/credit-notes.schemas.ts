/** The credit note as callers get it. */
import { z } from 'zod';
import { currency, id, idPattern, instant, signedAmount } from '../schemas.ts';

const summaryFields = {
  id: id('cn', 'credit note'),
  number: z.string().meta({ description: 'Gapless per tenant.', example: 'CN-000042' }),
  customerId: id('cus', 'customer'),
  invoiceId: id('inv', 'invoice'),
  refundId: id('ref', 'refund'),
  reversesId: id('cn', 'credit note')
    .nullable()
    .meta({ description: 'The note it takes back, because its refund did not arrive.', example: null }),
  totalMinor: signedAmount.meta({ description: 'Below zero on a note that takes another one back.' }),
  taxMinor: signedAmount.meta({ description: 'Of the total: the tax of the invoice that is taken back.' }),
  currency,
  issuedAt: instant,
};

export const creditNoteSummary = z.object(summaryFields).meta({ id: 'CreditNoteSummary' });

export const creditNote = z
  .object({
    ...summaryFields,
    lines: z.array(
      z.object({
        invoiceLineId: id('line', 'line of the invoice').nullable(),
        description: z.string(),
        amountMinor: signedAmount,
      }),
    ),
  })
  .meta({ id: 'CreditNote' });

export type CreditNoteSummary = z.infer<typeof creditNoteSummary>;
export type CreditNoteBody = z.infer<typeof creditNote>;

export const creditNoteParams = z.strictObject({ creditNoteId: id('cn', 'credit note') });

export const creditNoteCursor = idPattern('cn');

export const creditNoteFilters = {
  customerId: id('cus', 'customer').optional(),
  invoiceId: id('inv', 'invoice').optional(),
};

export const exampleCreditNote: CreditNoteBody = {
  id: 'cn_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  number: 'CN-000042',
  customerId: 'cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  invoiceId: 'inv_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  refundId: 'ref_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  reversesId: null,
  totalMinor: 900,
  taxMinor: 144,
  currency: 'USD',
  issuedAt: '2026-12-06T09:00:01.000Z',
  lines: [{ invoiceLineId: null, description: 'Refund of invoice INV-000042', amountMinor: 900 }],
};

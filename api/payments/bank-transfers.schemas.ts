/** A transfer that an invoice waits for, as callers get it. */
import { z } from 'zod';
import { countries } from '../../domain/countries.ts';
import { bankNumberForm } from '../../domain/payments/bank-number.ts';
import { bankTransferStatuses } from '../../domain/payments/bank-transfer.ts';
import { amount, currency, id, idPattern, instant, links, text } from '../schemas.ts';

export const transferStatus = z.enum(bankTransferStatuses).meta({
  description:
    'awaiting: nothing has come. partially_paid: a part has. in_review: a proof is to be looked at. on_hold: something is to be cleared up, and the clock stands still. settled: the invoice is paid. expired: nothing came in time. void: the invoice waits for nothing any more.',
});

export const transferReference = z
  .string()
  .regex(/^ADV\d{8}$/)
  .meta({ description: 'By which the transfer finds its invoice.', example: 'ADV48213073' });

const line = z.object({
  key: z.string().meta({ example: 'iban' }),
  label: z.string().meta({ example: 'IBAN' }),
  value: z.string().meta({ description: 'For copying.', example: 'DE89370400440532013000' }),
  shown: z.string().meta({ description: 'For reading.', example: 'DE89 3704 0044 0532 0130 00' }),
  isBold: z.boolean(),
});

export const bankTransfer = z
  .object({
    id: id('btf', 'bank transfer'),
    invoiceId: id('inv', 'invoice'),
    customerId: id('cus', 'customer'),
    status: transferStatus,
    waitingFor: z.string().meta({
      description: 'In words, for operators.',
      example: 'Waiting for the transfer; the customer is asked where it is on Sun 22 Nov 2026 09:00 UTC.',
    }),
    reference: transferReference,
    pageUrl: z.url().meta({ description: 'The page to send the customer to.' }),
    dueMinor: amount.meta({ description: 'What is still to be paid.' }),
    currency,
    method: z.string().meta({ example: 'sepa' }),
    methodName: z.string().meta({ example: 'SEPA transfer' }),
    isInternational: z.boolean(),
    payerCountry: z.string().meta({ example: 'DE' }),
    detailsVersion: z.int().meta({ description: 'Of the bank details that the instructions come from.' }),
    accountId: z.string().meta({ description: 'The account in these details.', example: 'eur-main' }),
    lines: z.array(line).meta({ description: 'What is typed at the bank, in this order.' }),
    warning: z.string().meta({ description: 'Show it in bold.' }),
    epcQr: z.string().nullable().meta({
      description: 'What a QR code for banking apps holds (EPC069-12); null where it is no SEPA transfer.',
    }),
    issuedAt: instant,
    expiresAt: instant,
    askAt: instant.meta({ description: 'When the customer is asked where the money is.' }),
    askedAt: instant.nullable(),
    alertAt: instant.meta({ description: 'When operators are alerted.' }),
    alertedAt: instant.nullable(),
    heldAt: instant.nullable(),
    holdReason: z.string().nullable(),
    confirmationNumber: z.string().nullable().meta({
      description: "The number on the bank's confirmation, as the customer told it.",
    }),
    createdAt: instant,
    links,
  })
  .meta({ id: 'BankTransfer' });

export type BankTransferBody = z.input<typeof bankTransfer>;

export const newBankTransfer = z
  .strictObject({
    country: z
      .enum(countries as [string, ...string[]])
      .optional()
      .meta({
        description:
          "Where the customer pays from. As usual that of the instructions before, and at first the country of the customer's address.",
        example: 'DE',
      }),
  })
  .meta({ id: 'NewBankTransfer' });

export const bankTransferParams = z.strictObject({ bankTransferId: id('btf', 'bank transfer') });
export const bankTransferCursor = idPattern('btf');

const reason = text(500).meta({ description: 'For the audit log.', example: 'the bank has a question' });

export const heldTransfer = z.strictObject({ reason }).meta({ id: 'HeldBankTransfer' });

export const extendedTransfer = z
  .strictObject({
    days: z.int().min(1).max(90).meta({ description: 'So many more.', example: 7 }),
    reason,
  })
  .meta({ id: 'ExtendedBankTransfer' });

export const CONFIRMATION_MAX = 64;

export const confirmedTransfer = z
  .strictObject({
    number: z
      .string()
      .max(CONFIRMATION_MAX)
      .regex(bankNumberForm, 'must be a number of six letters and digits at least, four of them digits')
      .meta({ description: "As it stands on the bank's confirmation.", example: '20261121MMQFMP0N000123' }),
  })
  .meta({ id: 'ConfirmedBankTransfer' });

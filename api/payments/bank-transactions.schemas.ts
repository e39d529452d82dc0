/** Movements on bank accounts, as they are read and searched. */
import { z } from 'zod';
import { bankMovementStatuses } from '../../domain/payments/bank-movement.ts';
import { bankSources } from '../../domain/payments/bank-transaction.ts';
import { pageQuery } from '../pagination.ts';
import { currency, dayInput, id, idPattern, instant, signedAmount, text } from '../schemas.ts';
import { bankDecision } from './bank-decision-body.ts';

const day = z.iso.date().meta({ example: '2026-03-05' });

const status = z.enum(bankMovementStatuses).meta({
  id: 'BankTransactionStatus',
  description:
    'new: not decided yet. pending: seen, and not booked at the bank. matched: all of it pays invoices, or is credit of a customer. partly_matched: a rest is left. suggested, exception and unmatched: somebody has to decide. copy_suspected: another source seems to have told it too; say whether it is a copy. copy: it is one. ignored: no money of a customer. payout: of a payment vendor. reversed: taken back. removed: its source says that it never happened.',
});

const fields = {
  id: id('btx', 'bank transaction'),
  accountId: id('bac', 'bank account'),
  source: z.enum(bankSources),
  externalId: z.string().meta({ description: 'What its source calls it.' }),
  statementId: id('bst', 'bank statement').nullable(),
  status,
  amountMinor: signedAmount.meta({ description: 'Minor units; money out is negative.', example: 49_900 }),
  currency,
  bookedOn: day,
  authorisedOn: day.nullable().meta({ description: 'When it was made, where the source knows it.' }),
  texts: z.array(z.string()),
  payer: z.object({ name: z.string().nullable(), account: z.string().nullable() }),
  bankReference: z
    .string()
    .nullable()
    .meta({ description: "The bank's own number of it: what a customer finds on the confirmation." }),
  allocatedMinor: signedAmount.meta({ description: 'What of it pays invoices, or is credit.' }),
  roundedFrom: z
    .string()
    .nullable()
    .meta({ description: 'An amount with more digits than the currency has, as it was told.' }),
  copyOfId: id('btx', 'bank transaction')
    .nullable()
    .meta({ description: 'The movement of which it is, was or may be a copy.' }),
  copyJudgedAt: instant.nullable().meta({ description: 'When somebody said whether it is one.' }),
  removedAt: instant.nullable().meta({ description: 'When its source said that it never happened.' }),
  createdAt: instant.meta({ description: 'When we heard of it first.' }),
};

export const bankTransaction = z.object(fields).meta({ id: 'BankTransaction' });

export type BankTransactionBody = z.input<typeof bankTransaction>;

const allocation = z
  .object({
    paymentId: id('pay', 'payment'),
    invoiceId: id('inv', 'invoice'),
    decisionId: id('bdc', 'decision'),
    amountMinor: signedAmount.meta({ description: 'Of the movement, in its own currency.' }),
    undoneAt: instant.nullable(),
  })
  .meta({ id: 'BankAllocation' });

export const bankTransactionDetails = z
  .object({
    ...fields,
    decisions: z.array(bankDecision).meta({
      description:
        'The last 20 in the order they were made; the last one that is not undone stands. All of them are read in pages.',
    }),
    allocations: z.array(allocation).meta({ description: 'What of it became which payment.' }),
  })
  .meta({ id: 'BankTransactionDetails' });

export type BankTransactionDetailsBody = z.input<typeof bankTransactionDetails>;

/** A whole number in a query. */
const amountInput = z
  .preprocess(
    (value) => (typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : value),
    signedAmount.optional(),
  )
  .meta({ description: 'Minor units; money out is negative.' });

export const bankTransactionFilters = z.strictObject({
  ...pageQuery(idPattern('btx')),
  accountId: id('bac', 'bank account').optional(),
  statementId: id('bst', 'bank statement').optional(),
  status: status.optional(),
  from: dayInput.optional().meta({ description: 'Booked on that day or later.' }),
  to: dayInput.optional().meta({ description: 'Booked on that day or before.' }),
  amountMinor: amountInput.meta({ description: 'Exactly this amount, in minor units.' }),
  minAmountMinor: amountInput,
  maxAmountMinor: amountInput,
  currency: currency.optional(),
  q: text(200).optional().meta({
    description: "A part of its texts, of the payer's name or of the bank's number, in any case.",
    example: 'acme',
  }),
  format: z
    .enum(['json', 'csv'])
    .optional()
    .meta({ description: 'As usual what the header Accept asks for.' }),
});

export const bankTransactionParams = z.strictObject({ transactionId: id('btx', 'bank transaction') });

export const copyJudgement = z
  .strictObject({
    isCopy: z.boolean().meta({ description: 'true: it is the same money. false: it is money of its own.' }),
  })
  .meta({ id: 'CopyJudgement' });

/** What is decided about movements on bank accounts: by the rules, with suggestions, and by people. */
import { z } from 'zod';
import { bankMovementStatuses } from '../../domain/payments/bank-movement.ts';
import { amount, currency, id, longText, positiveAmount, signedAmount } from '../schemas.ts';

const reason = longText(1000).meta({
  description:
    'Kept with the act until the customer is erased, and in the audit log for good: it is no place for names.',
});

/** A movement names no more invoices, and nobody splits one further. */
const INVOICES_MAX = 50;

export const bankMatchRequest = z
  .strictObject({
    invoices: z
      .array(
        z.strictObject({
          invoiceId: id('inv', 'invoice'),
          amountMinor: positiveAmount.optional().meta({
            description:
              'Of the movement, in its currency; never more than the invoice is due. As usual what it is due, as far as the money goes.',
          }),
        }),
      )
      .max(INVOICES_MAX)
      .default([])
      .meta({
        description:
          'Which invoices it pays, one after the other, each named once. A suggestion is accepted by naming its invoices. Left out where all of it becomes credit.',
      }),
    creditCustomerId: id('cus', 'customer').optional().meta({
      description:
        "Whose credit the rest becomes: it pays the customer's next invoice, or is refunded. Left out, a rest stays with the movement.",
    }),
    convert: z.boolean().optional().meta({
      description:
        "Money in another currency than the invoice's counts at the rate of its day; what is nearly the amount due pays it in full. For one invoice alone, without an amount.",
    }),
    reason: reason.optional(),
  })
  .meta({ id: 'BankMatchRequest' });

export const reasoned = z.strictObject({ reason }).meta({ id: 'BankMovementReason' });

export const bankMatch = z
  .object({
    transactionId: id('btx', 'bank transaction'),
    status: z.enum(bankMovementStatuses),
    amountMinor: signedAmount.meta({ description: 'Money out is negative.' }),
    currency,
    allocatedMinor: amount.meta({ description: 'Of the amount: what pays invoices, or is credit.' }),
    leftMinor: amount.meta({ description: 'What is still to be matched.' }),
    payments: z
      .array(
        z.object({
          paymentId: id('pay', 'payment'),
          invoiceId: id('inv', 'invoice'),
          amountMinor: amount.meta({ description: 'Of the movement, in its currency.' }),
          outcome: z.enum(['settled', 'partial', 'credited', 'duplicate', 'proven']).meta({
            description:
              'settled: the invoice is paid. partial: a part of it. credited: it needed nothing, and the money is credit. proven: it was paid on a proof before, and this is that money.',
          }),
        }),
      )
      .meta({ description: 'What was booked just now.' }),
  })
  .meta({ id: 'BankMatch' });

export type BankMatchBody = z.output<typeof bankMatch>;

export const reconciliation = z
  .object({
    waiting: z.int().min(0).meta({
      description: 'Movements that are decided now, or decided again: also those that wait for somebody.',
    }),
  })
  .meta({ id: 'BankReconciliation' });

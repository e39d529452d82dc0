/** Statement files that were read. */
import { z } from 'zod';
import { bankSources } from '../../domain/payments/bank-transaction.ts';
import { pageQuery } from '../pagination.ts';
import { id, idPattern, instant } from '../schemas.ts';

const count = z.int().min(0);

export const bankStatement = z
  .object({
    id: id('bst', 'bank statement'),
    accountId: id('bac', 'bank account'),
    sha256: z.string().meta({ description: 'Of the file, in hexadecimal digits.' }),
    format: z.enum(bankSources),
    movements: count.meta({ description: 'All that are in the file.' }),
    added: count.meta({ description: 'Those that nobody had told before, from whom on they are looked at.' }),
    suspectedCopies: count.meta({
      description:
        'Of those, what another source of the account, or a CSV that was read with another mapping, seems to have told already. Say of each whether it is a copy.',
    }),
    actor: z.string().meta({ description: 'Who gave it, as in the audit log.' }),
    createdAt: instant,
  })
  .meta({ id: 'BankStatement' });

export type BankStatementBody = z.input<typeof bankStatement>;

const statementFormats = z.enum(['camt', 'ofx', 'mt940', 'csv']);

export const statementQuery = z.strictObject({
  format: statementFormats
    .optional()
    .meta({ description: 'As usual found by what is in the file, never by its name.' }),
  balances: z.enum(['check', 'ignore']).default('check').meta({
    description:
      'ignore reads a file whose balances do not add up, where you know why: some banks leave booked movements out of them. Nothing shows then that no movement is missing.',
  }),
});

export type StatementQuery = z.output<typeof statementQuery>;

export const bankStatementFilters = z.strictObject({
  ...pageQuery(idPattern('bst')),
  accountId: id('bac', 'bank account').optional(),
});

export const bankStatementParams = z.strictObject({ statementId: id('bst', 'bank statement') });

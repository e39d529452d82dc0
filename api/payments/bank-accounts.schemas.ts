/** The tenant's own accounts at banks, and what the columns of their CSV files mean. */
import { z } from 'zod';
import { currency, id, instant, text } from '../schemas.ts';

const column = z.union([text(200), z.int().min(0).max(999)]).meta({
  id: 'CsvColumn',
  description: 'The name in the header line, in any case, or the position, the first being 0.',
  example: 'Buchungstag',
});

const words = z.array(text(40)).min(1).max(20);

const csvAmount = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('signed'), column }),
    z.strictObject({
      kind: z.literal('two_columns'),
      credit: column,
      debit: column,
      debitSign: z
        .literal('minus')
        .optional()
        .meta({ description: 'Where the bank writes every debit with a minus.' }),
    }),
    z.strictObject({
      kind: z.literal('indicator'),
      column,
      indicator: column,
      credit: words.meta({ description: 'Words for money in.', example: ['CR'] }),
      debit: words.meta({ description: 'Words for money out.', example: ['DR'] }),
    }),
  ])
  .meta({
    description:
      'signed: below zero is money out. two_columns: one for money in and one for money out, both without signs, or all debits with a minus (debitSign). indicator: an amount without a sign, and a column that says the direction in one of the words; where it is the column of the amount, the word stands beside the amount.',
  });

const csvMapping = z
  .strictObject({
    delimiter: z
      .string()
      .regex(/^[,;\t|:^~]$/, 'must be one of , ; tab | : ^ ~')
      .optional()
      .meta({ description: 'Found among , ; tab and | when not given.', example: ';' }),
    encoding: text(40).optional().meta({
      description: 'As windows-1252; when not given, UTF-8 or what is not UTF-8.',
      example: 'windows-1252',
    }),
    skipLines: z.int().min(0).max(1000).optional().meta({
      description: 'Lines before the table. Lines before a header that has all names are passed over.',
    }),
    hasHeader: z.boolean().optional().meta({
      description: 'Whether the first row names the columns; as usual where any column is given by name.',
    }),
    columns: z.strictObject({
      date: column,
      amount: csvAmount,
      texts: z.array(column).min(1).max(20),
      currency: column.optional(),
      payerName: column.optional(),
      payerAccount: column.optional(),
      reference: column.optional().meta({ description: 'What the payer finds on the confirmation.' }),
      id: column.optional().meta({ description: "The bank's own name of the movement." }),
      status: z
        .strictObject({
          column,
          booked: words.meta({ description: 'Words for what is booked.', example: ['Completed'] }),
          pending: words
            .optional()
            .meta({ description: 'Words for what is not booked yet.', example: ['Pending'] }),
          leftOut: words.optional().meta({
            description: 'Words for what never was, or is no more.',
            example: ['Failed', 'Reverted'],
          }),
        })
        .optional()
        .meta({
          description:
            'Where a file also has what is not booked: which word in which column says so. A row with another word is refused.',
        }),
    }),
    dateFormat: text(40).meta({
      description:
        'Of YYYY or YY, MM, M, MMM or MMMM (English), DD or D, and what stands between: a year, a month and a day once each.',
      example: 'DD.MM.YYYY',
    }),
    decimalMark: z
      .enum([',', '.'])
      .optional()
      .meta({ description: 'Only where the amounts of a file may be read in two ways.' }),
  })
  .meta({ id: 'CsvMapping' });

const name = text(100).meta({ description: 'How you call it.', example: 'Current account' });
const isReceiving = z.boolean().meta({
  description:
    'Whether customers are told to pay to it. What comes in on another account is never matched by itself.',
});
const mask = text(20).meta({
  description:
    'The end of its number; as usual that of statementAccount. Where there is none, a file of a number with another end is refused.',
  example: '…3000',
});
const statementAccount = text(64).meta({
  description:
    "As its statements name it: the IBAN, or the bank's own number. A file of another account is refused. The first file that names its account sets it.",
  example: 'DE89370400440532013000',
});

export const bankAccount = z
  .object({
    id: id('bac', 'bank account'),
    name,
    currency,
    isReceiving,
    mask: mask.nullable(),
    statementAccount: statementAccount.nullable(),
    csvMapping: z.union([csvMapping, z.null()]),
    connectionId: z
      .string()
      .nullable()
      .meta({ description: 'The connection it is read by; null where files alone tell its movements.' }),
    closedAt: instant.nullable(),
    createdAt: instant,
  })
  .meta({ id: 'BankAccount' });

export type BankAccountBody = z.input<typeof bankAccount>;

export const newBankAccount = z
  .strictObject({
    name,
    currency,
    isReceiving: isReceiving.default(true),
    mask: mask.optional(),
    statementAccount: statementAccount.optional(),
    csvMapping: csvMapping.optional(),
  })
  .meta({ id: 'NewBankAccount' });

export const bankAccountChanges = z
  .strictObject({
    name: name.optional(),
    isReceiving: isReceiving.optional(),
    mask: mask.nullable().optional(),
    statementAccount: statementAccount.nullable().optional(),
    csvMapping: z.union([csvMapping, z.null()]).optional(),
    isClosed: z
      .boolean()
      .optional()
      .meta({ description: 'No statement of a closed account is read; what is known of it stays.' }),
  })
  .meta({ id: 'BankAccountChanges' });

export const bankAccountParams = z.strictObject({ bankAccountId: id('bac', 'bank account') });

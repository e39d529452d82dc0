/** The accounts on which a tenant is paid, as callers send and get them: what is read can be changed and sent back. */
import { z } from 'zod';
import { instant } from '../schemas.ts';

const code = (description: string, example: string) => z.string().meta({ description, example });
const optional = (description: string, example: string) =>
  z.string().nullish().meta({ description, example });

const everyAccount = {
  id: code('Yours, by which it is told apart from the others.', 'eur-main'),
  country: code('Where the account is: ISO 3166-1 alpha-2.', 'DE'),
  currency: code('What it is held in: ISO 4217.', 'EUR'),
  holder: code('As the bank knows the owner.', 'Acme Books GmbH'),
  holderAddress: optional('Wires from abroad ask for it.', 'Unter den Linden 1, 10117 Berlin'),
  bankName: code('Of the bank.', 'Commerzbank'),
  bankAddress: optional('Wires from abroad ask for it.', 'Kaiserplatz, 60311 Frankfurt am Main'),
  bic: optional('Makes it reachable from abroad.', 'COBADEFFXXX'),
};

const account = z
  .discriminatedUnion('scheme', [
    z.strictObject({
      ...everyAccount,
      scheme: z.literal('us'),
      achRoutingNumber: optional('ABA number for ACH transfers; one of the two is needed.', '021000021'),
      wireRoutingNumber: optional('ABA number for wires, where it is another one.', '021000021'),
      accountNumber: code('4 to 17 digits.', '000123456789'),
    }),
    z.strictObject({
      ...everyAccount,
      scheme: z.literal('iban'),
      iban: code('With its check digits; spaces do not matter.', 'DE89 3704 0044 0532 0130 00'),
    }),
    z.strictObject({
      ...everyAccount,
      scheme: z.literal('uk'),
      sortCode: code('6 digits.', '20-00-00'),
      accountNumber: code('8 digits.', '55779911'),
      iban: optional('Where transfers come from abroad.', 'GB33BUKB20201555555555'),
    }),
    z.strictObject({
      ...everyAccount,
      scheme: z.literal('india'),
      ifsc: code('11 characters.', 'HDFC0000001'),
      accountNumber: code('9 to 18 digits.', '50100012345678'),
    }),
    z.strictObject({
      ...everyAccount,
      scheme: z.literal('local'),
      accountNumber: code('As the bank writes it.', '0100001234567'),
      fields: z
        .array(z.strictObject({ label: code('', 'Branch code'), value: code('', '068') }))
        .optional()
        .meta({ description: 'What else banks there ask for, in the order in which it is typed.' }),
    }),
  ])
  .meta({ id: 'ReceivingAccount' });

const internationalWireAccountId = z.string().nullish().meta({
  description:
    'The account, with a BIC, for whoever can pay into no other one: it takes wires in any currency, which the bank converts.',
  example: 'eur-main',
});

/**
 * What is wrong with an account is told together with everything else that is wrong, so its form is checked where its numbers
 * are; the document shows it all the same.
 */
export const newBankDetails = z
  .strictObject({
    expectedVersion: z.int().min(0).max(2_000_000_000).meta({
      description: 'The version that you have read and changed; 0 where there is none yet.',
      example: 1,
    }),
    accounts: z.array(z.unknown()).meta({ items: { $ref: '#/components/schemas/ReceivingAccount' } }),
    internationalWireAccountId,
  })
  .meta({ id: 'NewBankDetails' });

export const bankDetails = z
  .object({
    version: z.int().meta({ description: 'Instructions that customers were given name it.', example: 2 }),
    accounts: z.array(account),
    internationalWireAccountId,
    actor: z.string().meta({ description: 'Who gave it, as in the audit log.' }),
    createdAt: instant,
  })
  .meta({ id: 'BankDetails' });

export type BankDetailsBody = z.input<typeof bankDetails>;

export const detailsVersionParams = z.strictObject({
  version: z
    .string()
    .regex(/^[1-9]\d{0,8}$/)
    .meta({ description: 'A version of the bank details.', example: '1' }),
});

export const exampleAccount = {
  id: 'eur-main',
  country: 'DE',
  currency: 'EUR',
  holder: 'Acme Books GmbH',
  holderAddress: null,
  bankName: 'Commerzbank',
  bankAddress: null,
  bic: 'COBADEFFXXX',
  scheme: 'iban' as const,
  iban: 'DE89370400440532013000',
};

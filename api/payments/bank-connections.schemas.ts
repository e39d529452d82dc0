/** Connections to banks, and links to make or repair one, as callers get them. */
import { z } from 'zod';
import { bankConnectionPolicy, bankConnectionStatuses } from '../../domain/payments/bank-connection.ts';
import { bankFeedFailures, unreadableReasons } from '../../domain/payments/bank-feed.ts';
import { currency, id, instant } from '../schemas.ts';

const problem = z.enum(bankFeedFailures);

export const connectionId = id('bcn', 'bank connection');

const connectedAccount = z.object({
  name: z.string(),
  mask: z.string().nullable().meta({ description: 'The end of its number.', example: '0000' }),
  currency: currency.nullable().meta({ description: 'Null for one that we keep no amounts in.' }),
});

export const bankConnection = z
  .object({
    id: connectionId,
    institutionName: z
      .string()
      .nullable()
      .meta({ description: 'Null until it was asked for.', example: 'First Platypus Bank' }),
    status: z.enum(bankConnectionStatuses).meta({
      description:
        'active: it is read. needs_reauth: the bank wants somebody to sign in again; ask for a link token with this id. revoked: it is over; connect the bank anew. unlinked: ended by you, or because a newer connection reads its accounts.',
    }),
    statusSince: instant,
    problem: problem.nullable().meta({ description: 'Why it could not be read at the last look.' }),
    accounts: z.array(connectedAccount.extend({ id: id('bac', 'bank account'), isReceiving: z.boolean() })),
    consentExpiresAt: instant.nullable().meta({ description: 'When consent must have been given anew.' }),
    disconnectExpectedSince: instant
      .nullable()
      .meta({ description: 'Announced by the bank: it will end within days unless somebody signs in.' }),
    lastSyncedAt: instant.nullable().meta({ description: 'Our last reading that came to its end.' }),
    lastFailedAt: instant.nullable(),
    lastFailure: z.string().nullable(),
    bankReadAt: instant.nullable().meta({ description: 'When Plaid last read the bank itself.' }),
    lastWebhookAt: instant.nullable(),
    unreadable: z
      .array(
        z.object({
          externalId: z.string(),
          reason: z.enum(unreadableReasons),
          currency: z.string(),
          bookedOn: z.string(),
          isDismissed: z.boolean().meta({ description: 'Somebody has dealt with it.' }),
        }),
      )
      .meta({ description: 'Movements that were told and could not be kept; look at them at the bank.' }),
    createdAt: instant,
    links: z.object({ temporal: z.url() }),
  })
  .meta({ id: 'BankConnection' });

export type BankConnectionBody = z.infer<typeof bankConnection>;

export const connectionParams = z.strictObject({ bankConnectionId: connectionId });

export const dismissal = z
  .strictObject({
    externalIds: z
      .array(z.string().min(1).max(200))
      .min(1)
      .max(bankConnectionPolicy.unreadableMax)
      .meta({ description: 'As `unreadable` of the connection names them.' }),
  })
  .meta({ id: 'DismissUnreadable' });

export const newConnection = z
  .strictObject({
    publicToken: z
      .string()
      .regex(/^public-[\w-]{8,200}$/, 'must be the public token that Link has given')
      .meta({
        description: 'What Link has given when the person was through. It is exchanged once.',
        example: 'public-sandbox-5c224a01-8314-4491-a06f-39e193d5cddc',
      }),
  })
  .meta({ id: 'NewBankConnection' });

export const connectionTest = z
  .object({
    bankConnectionId: connectionId,
    isReadable: z.boolean(),
    problem: problem.nullable(),
    message: z.string().nullable().meta({ description: 'What Plaid says is wrong.' }),
    institutionName: z.string().nullable(),
    bankReadAt: instant.nullable(),
    bankFailedAt: instant.nullable(),
    consentExpiresAt: instant.nullable(),
    accounts: z.array(connectedAccount),
    testedAt: instant,
  })
  .meta({ id: 'BankConnectionTest' });

export type ConnectionTestBody = z.infer<typeof connectionTest>;

export const exampleConnection: BankConnectionBody = {
  id: 'bcn_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  institutionName: 'First Platypus Bank',
  status: 'active',
  statusSince: '2026-12-06T09:00:00.000Z',
  problem: null,
  accounts: [
    {
      id: 'bac_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
      name: 'Plaid Checking',
      mask: '0000',
      currency: 'USD',
      isReceiving: true,
    },
  ],
  consentExpiresAt: null,
  disconnectExpectedSince: null,
  lastSyncedAt: '2026-12-06T10:00:00.000Z',
  lastFailedAt: null,
  lastFailure: null,
  bankReadAt: '2026-12-06T07:30:00.000Z',
  lastWebhookAt: '2026-12-06T07:30:04.000Z',
  unreadable: [],
  createdAt: '2026-12-06T09:00:00.000Z',
  links: {
    temporal: 'http://127.0.0.1:8233/namespaces/default/workflows/bank-connection%2FlPNjeW1nR6CDn5okmGQ6',
  },
};

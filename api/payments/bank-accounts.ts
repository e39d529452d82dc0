/** The tenant's own accounts at banks, whose movements find the invoices they pay. */
import { z } from 'zod';
import {
  addBankAccount,
  type BankAccountRow,
  changeBankAccount,
  listBankAccounts,
  readBankAccount,
} from '../../db/queries/payments/bank-accounts.ts';
import { plainAccount, statementAccountMistake } from '../../domain/payments/statement-account.ts';
import { type CsvMapping, mappingMistake } from '../../integrations/statements/csv-mapping.ts';
import { Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import {
  type BankAccountBody,
  bankAccount,
  bankAccountChanges,
  bankAccountParams,
  newBankAccount,
} from './bank-accounts.schemas.ts';

const unusable = { bank_account_unusable: ['statement_account_invalid', 'csv_mapping_invalid'] };

const create = route({
  effect: 'write',
  method: 'post',
  path: '/v1/bank_accounts',
  operationId: 'createBankAccount',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'Name an account of yours at a bank',
  description:
    'Its statement files can be read from then on. For files in CSV it needs a mapping that says what their columns mean. An account that is in use is named once: two of the same number and currency are refused (already_exists).',
  body: newBankAccount,
  example: { name: 'Current account', currency: 'EUR', statementAccount: 'DE89370400440532013000' },
  responses: { 201: { description: 'The account.', schema: bankAccount } },
  problems: ['already_exists', 'bank_account_unusable'],
  reasons: unusable,
  handler: async ({ tx, caller: { tenantId, actor }, now, body }) => {
    const { name, currency, isReceiving } = body;
    const account = { name, currency, isReceiving, ...checked(body) };
    const row = await addBankAccount(tx, { tenantId, account, actor, at: now });
    return { status: 201, body: toBankAccount(row) };
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_accounts',
  operationId: 'listBankAccounts',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'List your accounts at banks',
  responses: {
    200: {
      description: 'All of them, the first one first.',
      schema: z.object({ data: z.array(bankAccount) }),
    },
  },
  handler: async ({ tx }) => ({
    status: 200,
    body: { data: (await listBankAccounts(tx)).map(toBankAccount) },
  }),
});

const get = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_accounts/{bankAccountId}',
  operationId: 'getBankAccount',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'Get an account at a bank',
  params: bankAccountParams,
  responses: { 200: { description: 'The account.', schema: bankAccount } },
  handler: async ({ tx, params: { bankAccountId } }) => ({
    status: 200,
    body: toBankAccount(await readBankAccount(tx, bankAccountId)),
  }),
});

const change = route({
  effect: 'write',
  method: 'patch',
  path: '/v1/bank_accounts/{bankAccountId}',
  operationId: 'changeBankAccount',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'Change or close an account at a bank',
  description: 'What is not named stays; null takes a value away. The currency stays what it is.',
  params: bankAccountParams,
  body: bankAccountChanges,
  example: { isReceiving: false },
  responses: { 200: { description: 'The account.', schema: bankAccount } },
  problems: ['already_exists', 'bank_account_unusable'],
  reasons: unusable,
  handler: async ({ tx, caller: { actor }, now, params: { bankAccountId }, body }) => {
    const { name, isReceiving, isClosed } = body;
    const fields = {
      ...(name !== undefined && { name }),
      ...(isReceiving !== undefined && { isReceiving }),
      ...checked(body),
    };
    const row = await changeBankAccount(tx, { accountId: bankAccountId, fields, isClosed, actor, at: now });
    return { status: 200, body: toBankAccount(row) };
  },
});

export const bankAccountRoutes: readonly Route[] = [create, list, get, change];

type Checked = Partial<Pick<BankAccountRow, 'mask' | 'statementAccount' | 'csvMapping'>>;

/** Throws `bank_account_unusable`. */
function checked({ mask, statementAccount, csvMapping }: z.output<typeof bankAccountChanges>): Checked {
  const plain = statementAccount == null ? statementAccount : plainAccount(statementAccount);
  if (plain === '')
    throw mistake('statementAccount', 'must have letters or digits', 'statement_account_invalid');
  const wrongIban = plain == null ? null : statementAccountMistake(plain);
  if (wrongIban !== null) throw mistake('statementAccount', wrongIban, 'statement_account_invalid');
  const wrongMapping = csvMapping == null ? null : mappingMistake(csvMapping);
  if (wrongMapping !== null) throw mistake('csvMapping', wrongMapping, 'csv_mapping_invalid');
  return {
    ...(mask !== undefined && { mask }),
    ...(plain !== undefined && { statementAccount: plain }),
    ...(csvMapping !== undefined && { csvMapping }),
  };
}

function mistake(field: string, message: string, reason: string): Problem {
  const path = `body.${field}`;
  return new Problem({
    code: 'bank_account_unusable',
    detail: `${field} ${message}.`,
    reason,
    errors: [{ path, message }],
  });
}

function toBankAccount(row: BankAccountRow): BankAccountBody {
  const { id, name, currency, isReceiving, mask, statementAccount, connectionId } = row;
  return {
    id,
    name,
    currency,
    isReceiving,
    mask,
    statementAccount,
    // Nothing is stored but what the schema has let through.
    csvMapping: row.csvMapping as (CsvMapping & BankAccountBody['csvMapping']) | null,
    connectionId,
    closedAt: row.closedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}

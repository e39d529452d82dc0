/** The accounts on which the tenant is paid by bank transfer: one document, of which every version is kept. */
import {
  type BankDetailsRow,
  currentBankDetails,
  findBankDetails,
  putBankDetails,
} from '../../db/queries/payments/bank-details.ts';
import { readTransferConfiguration } from '../../domain/payments/transfer-configuration.ts';
import { notFound, Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import {
  type BankDetailsBody,
  bankDetails,
  detailsVersionParams,
  exampleAccount,
  newBankDetails,
} from './bank-details.schemas.ts';

const example: BankDetailsBody = {
  version: 1,
  accounts: [exampleAccount],
  internationalWireAccountId: 'eur-main',
  actor: 'api_key:key_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
  createdAt: '2026-11-21T09:00:00.000Z',
};

const put = route({
  effect: 'write',
  method: 'put',
  path: '/v1/bank_details',
  operationId: 'putBankDetails',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'Say into which accounts customers pay',
  description:
    'Check digits, lengths and what belongs together are checked, and all mistakes are told at once. Instructions that were given keep the version they came from. The same content again is the same version.',
  body: newBankDetails,
  example: { expectedVersion: 0, accounts: [exampleAccount], internationalWireAccountId: 'eur-main' },
  responses: {
    200: {
      description: 'The bank details as they are now.',
      schema: bankDetails,
      example,
      links: {
        GetBankDetailsVersion: {
          operationId: 'getBankDetailsVersion',
          parameters: { version: '$response.body#/version' },
        },
      },
    },
  },
  problems: ['bank_details_unusable', 'state_conflict'],
  reasons: { state_conflict: ['bank_details_changed'] },
  handler: async ({ tx, caller: { tenantId, actor }, now, body: { expectedVersion, ...content } }) => {
    const read = readTransferConfiguration({ version: expectedVersion + 1, ...content });
    if (!read.ok) throw unusable(read.mistakes);
    const { configuration } = read;
    const row = await putBankDetails(tx, { tenantId, configuration, actor, at: now });
    return { status: 200, body: toBankDetails(row) };
  },
});

const readCurrent = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_details',
  operationId: 'getBankDetails',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'Read into which accounts customers pay',
  responses: { 200: { description: 'The version that stands.', schema: bankDetails, example } },
  problems: ['not_found'],
  handler: async ({ tx }) => {
    const row = await currentBankDetails(tx);
    if (row !== null) return { status: 200, body: toBankDetails(row) };
    throw new Problem({
      code: 'not_found',
      detail: 'No bank details were given yet; send them with PUT.',
      reason: 'bank_details_not_found',
    });
  },
});

const readVersion = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_details/versions/{version}',
  operationId: 'getBankDetailsVersion',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'Read bank details as they were',
  params: detailsVersionParams,
  responses: { 200: { description: 'That version.', schema: bankDetails, example } },
  handler: async ({ tx, params: { version } }) => {
    const row = await findBankDetails(tx, Number(version));
    if (row === null) throw notFound('version of the bank details', version);
    return { status: 200, body: toBankDetails(row) };
  },
});

export const bankDetailsRoutes: readonly Route[] = [put, readCurrent, readVersion];

function unusable(mistakes: readonly { path: string; message: string }[]): Problem {
  const count = mistakes.length === 1 ? 'one mistake' : `${mistakes.length} mistakes`;
  return new Problem({
    code: 'bank_details_unusable',
    detail: `The bank details have ${count}; see errors.`,
    errors: mistakes.map(({ path, message }) => ({
      path: path === '' ? 'body' : `body.${path}`,
      message,
    })),
  });
}

function toBankDetails({ version, configuration, actor, createdAt }: BankDetailsRow): BankDetailsBody {
  const { accounts, internationalWireAccountId } = configuration;
  return {
    version,
    accounts: accounts.map(({ numbers, ...account }) => {
      if (numbers.scheme !== 'local') return { ...account, ...numbers };
      return { ...account, ...numbers, fields: numbers.fields.map((field) => ({ ...field })) };
    }),
    internationalWireAccountId,
    actor,
    createdAt: createdAt.toISOString(),
  };
}

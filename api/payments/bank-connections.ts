/**
 * Connections to banks: made of what Link has given, looked at, tested, and ended.
 *
 * Why it is safe to run twice: a public token is exchanged once, and what it was exchanged for is found by it again: whoever
 * repeats the request, with the same key or another, gets the connection that is there. Where Plaid's answer was lost nobody
 * has the token, and the person connects the bank again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type Tx, withTenant } from '../../db/client.ts';
import type { BankAccountRow } from '../../db/queries/payments/bank-accounts.ts';
import {
  addConnection,
  type BankConnectionRow,
  connectionOfToken,
  dismissUnreadable,
  listConnections,
  lookNow,
  readConnection,
  tokenOf,
  unlinkConnection,
} from '../../db/queries/payments/bank-connections.ts';
import { accountsByConnection } from '../../db/queries/payments/connected-accounts.ts';
import { noHints, saveReading } from '../../db/queries/payments/save-bank-reading.ts';
import { hashOfToken } from '../../db/queries/payments/sealed-token.ts';
import { VendorError } from '../../domain/errors.ts';
import { BankFeedError, type FeedAccount } from '../../domain/payments/bank-feed.ts';
import { bankConnectionWorkflowId } from '../../workflows/payments/bank-connection.contract.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { Problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { emptyBody, idPattern } from '../schemas.ts';
import { workflowUrl } from '../workflow-url.ts';
import {
  type BankConnectionBody,
  bankConnection,
  type ConnectionTestBody,
  connectionParams,
  connectionTest,
  dismissal,
  exampleConnection,
  newConnection,
} from './bank-connections.schemas.ts';
import { refuseWithoutPlaid } from './plaid-configured.ts';

const asking = ['vendor_rejected_request', 'vendor_unavailable', 'rate_limited'] as const;

const create = route({
  effect: 'act',
  method: 'post',
  path: '/v1/bank_connections',
  operationId: 'createBankConnection',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'Connect a bank',
  description:
    'With the public token that Link has given. Its accounts are read from then on, going back as far as the bank tells. An account that is known already, from another connection or from statement files, goes on as the same account, and what moved on it is not counted twice. Customers’ payments are looked for on accounts that they are told to pay to: others say so with PATCH /v1/bank_accounts/{bankAccountId}.',
  body: newConnection,
  responses: {
    201: {
      description: 'The connection. Its accounts may come a moment later.',
      schema: bankConnection,
      example: exampleConnection,
      links: {
        GetBankConnection: {
          operationId: 'getBankConnection',
          parameters: { bankConnectionId: '$response.body#/id' },
        },
      },
    },
  },
  problems: ['state_conflict', 'outcome_unknown', ...asking],
  reasons: { state_conflict: ['plaid_not_configured', 'public_token_unusable', 'bank_connection_taken'] },
  handler: {
    async look({ tx, deps, body: { publicToken } }) {
      const publicTokenHash = hashOfToken(publicToken);
      const known = await connectionOfToken(tx, publicTokenHash);
      if (known === null) refuseWithoutPlaid(deps);
      return { publicTokenHash, known };
    },
    async act({ deps, caller: { tenantId, actor }, now: at, body }, { publicTokenHash, known }) {
      if (known !== null) return known.id;
      const { banks, db } = deps;
      const inTenant = <T>(work: (tx: Tx) => Promise<T>) => withTenant(db, tenantId, work);
      const exchanged = await banks.feed.exchange(body.publicToken);
      if (exchanged === null) {
        const made = await madeMeanwhile(() => inTenant((tx) => connectionOfToken(tx, publicTokenHash)));
        if (made === null) throw unusableToken();
        return made.id;
      }
      const { accessToken, connectionExternalId: externalId } = exchanged;
      const sealedToken = banks.tokenSeal.seal(accessToken, tokenOf({ tenantId, externalId }));
      const made = { tenantId, externalId, sealedToken, publicTokenHash, actor, at };
      const connection = await inTenant((tx) => addConnection(tx, made));
      const asked = connection.askedAt === null ? await askOnce(deps, accessToken) : null;
      if (asked !== null) {
        const read = { reading: null, history: null, asked };
        const about = { connectionId: connection.id, cursor: null, hints: noHints, at };
        await inTenant((tx) => saveReading(tx, { ...about, ...read }));
      }
      return connection.id;
    },
    answer: async ({ tx, deps }, id) => toConnection(tx, deps, await readConnection(tx, id)),
  },
});

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_connections',
  operationId: 'listBankConnections',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'List connections to banks, newest first',
  query: z.strictObject(pageQuery(idPattern('bcn'))),
  responses: {
    200: {
      description: 'A page of connections; unlinked ones, too.',
      schema: pageOf(bankConnection),
      links: {
        GetBankConnection: {
          operationId: 'getBankConnection',
          parameters: { bankConnectionId: '$response.body#/data/0/id' },
        },
      },
    },
  },
  handler: async ({ tx, deps, query: { limit, cursor } }) => {
    const { data, nextCursor } = await page({
      limit,
      fetch: (count) => listConnections(tx, { cursor, limit: count }),
      cursorOf: ({ id }) => id,
      toItem: (row) => row,
    });
    const accounts = await accountsByConnection(
      tx,
      data.map(({ id }) => id),
    );
    const shown = data.map((row) => toBody(deps, row, accounts.get(row.id) ?? []));
    return { status: 200, body: { data: shown, nextCursor } };
  },
});

const one = { description: 'The connection.', schema: bankConnection, example: exampleConnection };

const read = route({
  effect: 'read',
  method: 'get',
  path: '/v1/bank_connections/{bankConnectionId}',
  operationId: 'getBankConnection',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'Read a connection to a bank',
  params: connectionParams,
  responses: { 200: one },
  handler: async ({ tx, deps, params: { bankConnectionId } }) => ({
    status: 200,
    body: await toConnection(tx, deps, await readConnection(tx, bankConnectionId)),
  }),
});

const unlink = route({
  effect: 'write',
  method: 'post',
  path: '/v1/bank_connections/{bankConnectionId}/unlink',
  operationId: 'unlinkBankConnection',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'End a connection to a bank',
  description:
    'It is read no more, here and at Plaid. Its accounts and what moved on them stay, and go on where another connection or a statement file tells of them.',
  params: connectionParams,
  body: emptyBody,
  responses: { 200: { ...one, description: 'The connection, unlinked.' } },
  handler: async ({ tx, deps, caller: { actor }, now, params: { bankConnectionId: connectionId } }) => {
    const row = await unlinkConnection(tx, { connectionId, actor, at: now });
    return { status: 200, body: await toConnection(tx, deps, row) };
  },
});

const sync = route({
  effect: 'write',
  method: 'post',
  path: '/v1/bank_connections/{bankConnectionId}/sync',
  operationId: 'syncBankConnection',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'Read a bank now',
  description:
    'And not only at its next time. Ask for it when somebody has signed in again, so that the connection goes on at once.',
  params: connectionParams,
  body: emptyBody,
  responses: { 202: { ...one, description: 'The connection; what is new is there in a moment.' } },
  problems: ['state_conflict'],
  reasons: { state_conflict: ['bank_connection_unlinked'] },
  handler: async ({ tx, deps, params: { bankConnectionId } }) => {
    const row = await readConnection(tx, bankConnectionId);
    refuseUnlinked(row);
    await lookNow(tx, row);
    return { status: 202, body: await toConnection(tx, deps, row) };
  },
});

const dismiss = route({
  effect: 'write',
  method: 'post',
  path: '/v1/bank_connections/{bankConnectionId}/dismiss_unreadable',
  operationId: 'dismissUnreadableMovements',
  tag: 'Bank transfers',
  scope: 'billing:write',
  summary: 'Say that unreadable movements were dealt with',
  description:
    'Looked at them at the bank, and recorded by hand what was a payment? Then they concern nobody any more, and the health of banks does not count them. They stay listed until the bank takes them back.',
  params: connectionParams,
  body: dismissal,
  responses: { 200: one },
  problems: ['state_conflict'],
  reasons: { state_conflict: ['movement_not_listed'] },
  handler: async ({ tx, deps, caller: { actor }, now: at, params: { bankConnectionId }, body }) => {
    const row = await dismissUnreadable(tx, { connectionId: bankConnectionId, actor, at, ...body });
    return { status: 200, body: await toConnection(tx, deps, row) };
  },
});

const test = route({
  effect: 'act',
  method: 'post',
  path: '/v1/bank_connections/{bankConnectionId}/test',
  operationId: 'testBankConnection',
  tag: 'Bank transfers',
  scope: 'billing:read',
  summary: 'Ask Plaid how a connection fares',
  description: 'Right now, and without reading any movements. What it answers changes nothing.',
  params: connectionParams,
  body: emptyBody,
  responses: { 200: { description: 'What Plaid says.', schema: connectionTest } },
  problems: ['state_conflict', ...asking],
  reasons: { state_conflict: ['plaid_not_configured', 'bank_connection_unlinked'] },
  handler: {
    async look({ tx, deps, params: { bankConnectionId } }) {
      const row = await readConnection(tx, bankConnectionId);
      refuseUnlinked(row);
      refuseWithoutPlaid(deps);
      return row;
    },
    async act({ deps: { banks }, now }, row) {
      const accessToken = banks.tokenSeal.open(row.accessToken ?? '', tokenOf(row));
      return tested(banks.feed, { row, accessToken, testedAt: now.toISOString() });
    },
    answer: async (_context, result) => result,
  },
});

export const bankConnectionRoutes: readonly Route[] = [create, list, read, unlink, sync, dismiss, test];

/** Who exchanges the same token at the same time is about to keep what it has got. */
async function madeMeanwhile<T>(find: () => Promise<T | null>): Promise<T | null> {
  for (let looks = 1; ; looks += 1) {
    const found = await find();
    if (found !== null || looks === LOOKS_MAX) return found;
    await delay(BETWEEN_LOOKS_MS);
  }
}

const LOOKS_MAX = 5;
const BETWEEN_LOOKS_MS = 150;

function unusableToken(): Problem {
  return new Problem({
    code: 'state_conflict',
    reason: 'public_token_unusable',
    detail:
      'Plaid does not take this public token: it is too old, was exchanged already, or its answer was lost. Ask for a link token and connect the bank again.',
  });
}

/** So that the answer names the accounts. What cannot be asked now, the connection's process asks. */
async function askOnce({ banks: { feed }, log }: ApiDependencies, accessToken: string) {
  try {
    return { item: await feed.item(accessToken), accounts: await feed.accounts(accessToken) };
  } catch (error) {
    if (!(error instanceof VendorError)) throw error;
    log.warn({ err: error }, 'a new connection to a bank could not be asked for its accounts');
    return null;
  }
}

function refuseUnlinked({ status }: BankConnectionRow): void {
  if (status !== 'unlinked') return;
  throw new Problem({
    code: 'state_conflict',
    reason: 'bank_connection_unlinked',
    detail: 'This connection was unlinked; ask for a link token and connect the bank anew.',
  });
}

async function tested(
  feed: ApiDependencies['banks']['feed'],
  { row, accessToken, testedAt }: { row: BankConnectionRow; accessToken: string; testedAt: string },
): Promise<ConnectionTestBody> {
  const known = { bankConnectionId: row.id, institutionName: row.institutionName, testedAt };
  try {
    const item = await feed.item(accessToken);
    const accounts = await feed.accounts(accessToken);
    return {
      ...known,
      isReadable: item.problem === null,
      problem: item.problem,
      message: item.problem === null ? null : `Plaid: ${item.problem}`,
      institutionName: item.institutionName,
      bankReadAt: item.lastReadAt,
      bankFailedAt: item.lastFailedAt,
      consentExpiresAt: item.consentExpiresAt,
      accounts: accounts.map(toAccount),
    };
  } catch (error) {
    if (!(error instanceof BankFeedError)) throw error;
    const { reason: problem, message } = error;
    const nothing = { bankReadAt: null, bankFailedAt: null, consentExpiresAt: null, accounts: [] };
    return { ...known, isReadable: false, problem, message, ...nothing };
  }
}

function toAccount({ name, mask, currency }: FeedAccount): ConnectionTestBody['accounts'][number] {
  return { name, mask, currency };
}

async function toConnection(
  tx: Tx,
  deps: ApiDependencies,
  row: BankConnectionRow,
): Promise<BankConnectionBody> {
  const accounts = await accountsByConnection(tx, [row.id]);
  return toBody(deps, row, accounts.get(row.id) ?? []);
}

function toBody(
  deps: ApiDependencies,
  row: BankConnectionRow,
  accounts: readonly BankAccountRow[],
): BankConnectionBody {
  const at = (date: Date | null) => date?.toISOString() ?? null;
  return {
    id: row.id,
    institutionName: row.institutionName,
    status: row.status,
    statusSince: row.statusSince.toISOString(),
    problem: row.problem,
    accounts: accounts.map(({ id, name, mask, currency, isReceiving }) => ({
      id,
      name,
      mask,
      currency,
      isReceiving,
    })),
    consentExpiresAt: at(row.consentExpiresAt),
    disconnectExpectedSince: at(row.disconnectExpectedSince),
    lastSyncedAt: at(row.lastSyncedAt),
    lastFailedAt: at(row.lastFailedAt),
    lastFailure: row.lastFailure,
    bankReadAt: at(row.bankReadAt),
    lastWebhookAt: at(row.lastWebhookAt),
    unreadable: row.unreadable.map(({ externalId, reason, currency, bookedOn, isDismissed = false }) => ({
      externalId,
      reason,
      currency,
      bookedOn,
      isDismissed,
    })),
    createdAt: row.createdAt.toISOString(),
    links: { temporal: workflowUrl(deps, bankConnectionWorkflowId(row.externalId)) },
  };
}

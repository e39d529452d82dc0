/** The Plaid sandbox against Plaid's own OpenAPI document: what it answers and what it sends have the described shapes. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import {
  Configuration,
  CountryCode,
  PlaidApi,
  Products,
  SandboxItemFireWebhookRequestWebhookCodeEnum as WebhookCode,
} from 'plaid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PlaidSandbox, startPlaidSandbox } from '../../integrations/plaid/sandbox.ts';
import { findContract } from '../support/contracts.ts';

const document = findContract({
  vendor: 'Plaid',
  file: 'plaid-2020-09-14-subset.json',
  advice:
    'https://github.com/plaid/plaid-openapi, keep what these tests name, and name its folder in PERENNIAL_CONTRACTS.',
});

describe.skipIf(document === undefined)('the contract with Plaid', () => {
  const credentials = { clientId: 'client', secret: 'a-secret' };
  const received: { webhook_code: string }[] = [];
  let sandbox: PlaidSandbox;
  let listener: Server;
  let api: PlaidApi;
  let webhook: string;
  let violations: (schema: string, value: unknown) => string[];

  beforeAll(async () => {
    violations = checker();
    sandbox = await startPlaidSandbox({ port: 0, ...credentials });
    const headers = { 'PLAID-CLIENT-ID': credentials.clientId, 'PLAID-SECRET': credentials.secret };
    api = new PlaidApi(
      new Configuration({ basePath: sandbox.url, baseOptions: { headers, validateStatus: () => true } }),
    );
    listener = createServer((message, response) => {
      let body = '';
      message.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      message.on('end', () => {
        received.push(JSON.parse(body) as { webhook_code: string });
        response.end();
      });
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => listener.once('listening', resolve));
    webhook = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`;
  });

  afterAll(async () => {
    await sandbox.close();
    await new Promise((resolve) => listener.close(resolve));
  });

  /** An Item with everything a movement can have. */
  function busyItem() {
    const item = sandbox.createItem({
      webhook,
      accounts: [
        { name: 'Checking' },
        { name: 'Girokonto', currency: 'EUR', numbers: { international: { iban: 'DE89', bic: 'COBADEFF' } } },
      ],
    });
    const [pending = ''] = sandbox.addTransactions(item.itemId, [
      {
        amount: '-499.00',
        description: 'WIRE IN ADV48213075',
        merchantName: 'Acme',
        checkNumber: '42',
        authorizedDate: '2026-03-04',
        date: '2026-03-05',
        pending: true,
        paymentMeta: { reference_number: 'TRN1', payer: 'ACME', by_order_of: 'ACME', payment_method: 'WIRE' },
        counterparties: [{ name: 'Acme', type: 'merchant', iban: 'DE89370400440532013000' }],
      },
      { amount: '12.34', description: 'FEE', unofficialCurrency: 'BTC', date: '2026-03-05' },
      { amount: '0.01', description: 'gone', date: '2026-03-05' },
    ]);
    return { ...item, pending };
  }

  const expectShape = (schema: string, data: unknown) => expect(violations(schema, data)).toEqual([]);

  it('holds for a page of movements, in every state of them', async () => {
    const { itemId, accessToken: access_token, pending } = busyItem();
    const options = { include_original_description: true };
    const first = (await api.transactionsSync({ access_token, options })).data;
    expectShape('TransactionsSyncResponse', first);
    expect(first.added).toHaveLength(3);
    sandbox.modifyTransaction(itemId, first.added[1]?.transaction_id ?? '', { amount: '12.35' });
    sandbox.removeTransactions(itemId, [first.added[2]?.transaction_id ?? '']);
    sandbox.postTransaction(itemId, pending);
    const second = (await api.transactionsSync({ access_token, cursor: first.next_cursor })).data;
    expectShape('TransactionsSyncResponse', second);
    expect([second.added, second.modified, second.removed].map(({ length }) => length)).toEqual([1, 1, 2]);
  });

  it('holds for a page of an Item that is not ready, and of one without movements', async () => {
    const notReady = sandbox.createItem({ status: 'NOT_READY' });
    const empty = sandbox.createItem();
    for (const { accessToken: access_token } of [notReady, empty]) {
      expectShape('TransactionsSyncResponse', (await api.transactionsSync({ access_token })).data);
    }
  });

  it('holds for movements between two days', async () => {
    const { accessToken: access_token } = busyItem();
    const { data } = await api.transactionsGet({
      access_token,
      start_date: '2026-03-01',
      end_date: '2026-03-31',
    });
    expectShape('TransactionsGetResponse', data);
    expect(data.total_transactions).toBe(3);
  });

  it('holds for an Item, healthy, in need of a login, and with consent that ends', async () => {
    const { itemId, accessToken: access_token } = busyItem();
    expectShape('ItemGetResponse', (await api.itemGet({ access_token })).data);
    sandbox.requireLogin(itemId);
    sandbox.expireConsent(itemId, '2026-04-01T00:00:00Z');
    const { data } = await api.itemGet({ access_token });
    expectShape('ItemGetResponse', data);
    expect(data.item.error?.error_code).toBe('ITEM_LOGIN_REQUIRED');
  });

  it('holds for accounts and their numbers', async () => {
    const { accessToken: access_token } = busyItem();
    expectShape('AccountsGetResponse', (await api.accountsGet({ access_token })).data);
    const { data } = await api.authGet({ access_token });
    expectShape('AuthGetResponse', data);
    expect([data.numbers.ach, data.numbers.international].map(({ length }) => length)).toEqual([1, 1]);
  });

  it('holds for Link: its token, the exchange, and update mode', async () => {
    const request = {
      client_name: 'Perennial',
      language: 'en',
      country_codes: [CountryCode.Us],
      user: { client_user_id: 'usr_1' },
      webhook,
    };
    const { data } = await api.linkTokenCreate({ ...request, products: [Products.Transactions] });
    expectShape('LinkTokenCreateResponse', data);
    const { publicToken } = sandbox.completeLink(data.link_token);
    const exchanged = (await api.itemPublicTokenExchange({ public_token: publicToken ?? '' })).data;
    expectShape('ItemPublicTokenExchangeResponse', exchanged);
    const update = await api.linkTokenCreate({ ...request, access_token: exchanged.access_token });
    expectShape('LinkTokenCreateResponse', update.data);
  });

  it('holds for the keys of webhooks, in use and expired', async () => {
    const first = sandbox.rotateKey();
    const second = sandbox.rotateKey();
    for (const key_id of [first, second]) {
      expectShape(
        'WebhookVerificationKeyGetResponse',
        (await api.webhookVerificationKeyGet({ key_id })).data,
      );
    }
  });

  it('holds for every error', async () => {
    const { itemId, accessToken: access_token } = busyItem();
    const { next_cursor: foreign } = (await api.transactionsSync({ access_token: busyItem().accessToken }))
      .data;
    const one = { access_token, count: 1 };
    const { next_cursor: inBetween } = (await api.transactionsSync(one)).data;
    sandbox.addTransactions(itemId, [{ amount: '1.00', description: 'x' }]);
    const answers: [string, { status: number; data: unknown }][] = [
      ['INVALID_FIELD', await api.transactionsSync({ access_token, count: 501 })],
      ['INVALID_FIELD', await api.transactionsSync({ access_token, count: 0 })],
      ['INVALID_FIELD', await api.transactionsSync({ access_token, cursor: foreign })],
      ['INVALID_FIELD', await api.transactionsSync({ access_token, cursor: 'garbage' })],
      [
        'TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION',
        await api.transactionsSync({ ...one, cursor: inBetween }),
      ],
      ['MISSING_FIELDS', await api.transactionsSync({} as never)],
      ['UNKNOWN_FIELDS', await api.transactionsSync({ access_token, cursors: '' } as never)],
      ['INVALID_ACCESS_TOKEN', await api.itemGet({ access_token: 'access-sandbox-none' })],
      ['INVALID_PUBLIC_TOKEN', await api.itemPublicTokenExchange({ public_token: 'public-sandbox-none' })],
      ['INVALID_WEBHOOK_VERIFICATION_KEY_ID', await api.webhookVerificationKeyGet({ key_id: 'none' })],
      ['INVALID_API_KEYS', await api.itemGet({ access_token }, { headers: { 'PLAID-SECRET': 'other' } })],
    ];
    sandbox.requireLogin(itemId);
    answers.push(['ITEM_LOGIN_REQUIRED', await api.transactionsSync({ access_token })]);
    sandbox.revokeAccess(itemId);
    answers.push(['ITEM_NOT_FOUND', await api.transactionsSync({ access_token })]);
    const scripted = [
      'PRODUCT_NOT_READY',
      'INSTITUTION_DOWN',
      'TRANSACTIONS_LIMIT',
      'INTERNAL_SERVER_ERROR',
    ] as const;
    for (const error of scripted) {
      sandbox.failNext({ error });
      answers.push([error, await api.itemGet({ access_token })]);
    }
    sandbox.setFaults({
      next: [{ fault: 'rate_limit' }, { fault: 'error_before' }, { fault: 'error_after' }],
    });
    answers.push(['TRANSACTIONS_LIMIT', await api.itemGet({ access_token })]);
    answers.push(['INTERNAL_SERVER_ERROR', await api.itemGet({ access_token })]);
    answers.push(['INTERNAL_SERVER_ERROR', await api.accountsGet({ access_token: busyItem().accessToken })]);
    for (const [error_code, { data }] of answers) {
      expect(data).toMatchObject({ error_code });
      expectShape('PlaidError', data);
    }
    const statuses = new Set(answers.map(([, { status }]) => status));
    expect(statuses).toEqual(new Set([400, 429, 500]));
  });

  it('holds for webhooks', async () => {
    const { itemId, accessToken: access_token } = busyItem();
    received.length = 0;
    await api.transactionsSync({ access_token });
    sandbox.addTransactions(itemId, [{ amount: '1.00', description: 'x' }]);
    const { data } = await api.sandboxItemFireWebhook({
      access_token,
      webhook_code: WebhookCode.SyncUpdatesAvailable,
    });
    expectShape('SandboxItemFireWebhookResponse', data);
    sandbox.requireLogin(itemId);
    sandbox.repairLogin(itemId);
    sandbox.expireConsent(itemId, '2026-04-01T00:00:00Z');
    await sandbox.flushWebhooks();
    const schemas: Record<string, string> = {
      SYNC_UPDATES_AVAILABLE: 'SyncUpdatesAvailableWebhook',
      ERROR: 'ItemErrorWebhook',
      LOGIN_REPAIRED: 'ItemLoginRepairedWebhook',
      PENDING_EXPIRATION: 'PendingExpirationWebhook',
    };
    const codes = received.map(({ webhook_code }) => webhook_code).toSorted();
    expect(codes).toEqual([
      'ERROR',
      'LOGIN_REPAIRED',
      'PENDING_EXPIRATION',
      'SYNC_UPDATES_AVAILABLE',
      'SYNC_UPDATES_AVAILABLE',
    ]);
    for (const body of received) expectShape(schemas[body.webhook_code] ?? '', body);
  });

  it('would notice a field that is missing or wrong (negative control)', async () => {
    const { accessToken: access_token } = busyItem();
    const { data } = await api.transactionsSync({ access_token });
    const { has_more: _, ...rest } = data;
    expect(violations('TransactionsSyncResponse', rest)).toEqual([
      "/ must have required property 'has_more'",
    ]);
    const [added] = data.added;
    const wrong = { ...data, added: [{ ...added, amount: '-499.00' }] };
    expect(violations('TransactionsSyncResponse', wrong)).toContain('/added/0/amount must be number');
  });
});

/** OpenAPI's schemas are nearly JSON Schema; what ajv does not know is not about the shape. */
function checker(): (schema: string, value: unknown) => string[] {
  const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
  addFormats.default(ajv);
  const { components } = JSON.parse(readFileSync(document ?? '', 'utf8')) as { components: object };
  ajv.addSchema({ $id: 'plaid', components });
  return (schema, value) => {
    const validate = ajv.compile({ $ref: `plaid#/components/schemas/${schema}` });
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
  };
}

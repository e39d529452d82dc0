/** The Plaid sandbox as a server: what it keeps, what it refuses, its endpoints for tests, and what is done to it from outside. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Configuration,
  PlaidApi,
  Products,
  SandboxItemFireWebhookRequestWebhookCodeEnum as WebhookCode,
} from 'plaid';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PlaidSandbox, startPlaidSandbox } from '../../integrations/plaid/sandbox.ts';

const credentials = { clientId: 'client-of-this-test', secret: 'secret-of-this-test' };
const nowhere = 'http://127.0.0.1:1/webhooks/plaid';

let plaid: PlaidSandbox;
let api: PlaidApi;

beforeAll(async () => {
  plaid = await startPlaidSandbox({ port: 0, ...credentials });
  api = sdkOf(plaid);
});
beforeEach(() => plaid.reset());
afterAll(() => plaid.close());

function sdkOf({ url }: PlaidSandbox): PlaidApi {
  const headers = { 'PLAID-CLIENT-ID': credentials.clientId, 'PLAID-SECRET': credentials.secret };
  return new PlaidApi(
    new Configuration({ basePath: url, baseOptions: { headers, validateStatus: () => true } }),
  );
}

const today = () => plaid.clock.now().toISOString().slice(0, 10);

/** What the real `/sandbox/public_token/create` is used for. */
async function newAccessToken(override_username?: string): Promise<string> {
  const created = await api.sandboxPublicTokenCreate({
    institution_id: 'ins_109508',
    initial_products: [Products.Transactions],
    options: { webhook: nowhere, ...(override_username !== undefined && { override_username }) },
  });
  const { public_token } = created.data;
  return (await api.itemPublicTokenExchange({ public_token })).data.access_token;
}

describe('who is let in', () => {
  const ask = async (headers: Record<string, string>, body: object) => {
    const response = await fetch(`${plaid.url}/item/get`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return ((await response.json()) as { error_code?: string }).error_code;
  };
  const { clientId: client_id, secret } = credentials;

  it('names itself in headers or in the body', async () => {
    const { accessToken: access_token } = plaid.createItem();
    expect(
      await ask({ 'plaid-client-id': client_id, 'plaid-secret': secret }, { access_token }),
    ).toBeUndefined();
    expect(await ask({}, { access_token, client_id, secret })).toBeUndefined();
    expect(await ask({}, { access_token, client_id })).toBe('MISSING_FIELDS');
    expect(await ask({}, { access_token, client_id, secret: 'other' })).toBe('INVALID_API_KEYS');
    expect(await ask({ 'plaid-client-id': 'other', 'plaid-secret': secret }, {})).toBe('INVALID_API_KEYS');
  });

  it('is told what is wrong with its request', async () => {
    const headers = { 'plaid-client-id': client_id, 'plaid-secret': secret };
    expect(await ask(headers, {})).toBe('MISSING_FIELDS');
    expect(await ask(headers, { access_token: 5 })).toBe('INVALID_FIELD');
    expect(await ask(headers, { access_token: 'x', accesstoken: 'x' })).toBe('UNKNOWN_FIELDS');
    const cut = await fetch(`${plaid.url}/item/get`, { method: 'POST', headers, body: '{' });
    expect(await cut.json()).toMatchObject({ error_code: 'INVALID_BODY' });
    const other = await fetch(`${plaid.url}/item/import`, { method: 'POST', headers, body: '{}' });
    expect([other.status, await other.json()]).toMatchObject([404, { error_code: 'NOT_FOUND' }]);
  });

  it('is told the id of every request', async () => {
    const { accessToken: access_token } = plaid.createItem();
    const { data, headers } = await api.itemGet({ access_token });
    expect(data.request_id).toMatch(/^\w{15}$/);
    expect(headers['plaid-request-id']).toBe(data.request_id);
  });
});

describe('the endpoints for tests', () => {
  it('make an Item without Link', async () => {
    const access_token = await newAccessToken();
    expect((await api.itemGet({ access_token })).data.item).toMatchObject({
      institution_id: 'ins_109508',
      webhook: nowhere,
      products: ['transactions'],
    });
    expect((await api.accountsGet({ access_token })).data.accounts).toHaveLength(2);
  });

  it('add movements to the dynamic user alone, ten at most, of the last fourteen days', async () => {
    const row = {
      date_transacted: today(),
      date_posted: today(),
      amount: -499.01,
      description: 'ADV48213075',
    };
    const access_token = await newAccessToken('user_transactions_dynamic');
    const create = async (token: string, transactions: object[]) => {
      const { data } = await api.sandboxTransactionsCreate({
        access_token: token,
        transactions: transactions as never,
      });
      return (data as { error_code?: string }).error_code;
    };
    expect(
      await create(
        access_token,
        Array.from({ length: 10 }, () => row),
      ),
    ).toBeUndefined();
    expect(
      await create(
        access_token,
        Array.from({ length: 11 }, () => row),
      ),
    ).toBe('INVALID_FIELD');
    expect(await create(access_token, [])).toBe('INVALID_FIELD');
    expect(await create(access_token, [{ ...row, date_posted: '2020-01-01' }])).toBe('INVALID_FIELD');
    expect(await create(access_token, [{ ...row, date_posted: '2999-01-01' }])).toBe('INVALID_FIELD');
    expect(await create(await newAccessToken(), [row])).toBe('SANDBOX_PRODUCT_NOT_ENABLED');
    const { added } = (
      await api.transactionsSync({ access_token, options: { include_original_description: true } })
    ).data;
    expect(added).toHaveLength(10);
    expect(added[0]).toMatchObject({
      amount: -499.01,
      original_description: 'ADV48213075',
      iso_currency_code: 'USD',
    });
  });

  it('fire what is stood in for, and refuse the rest', async () => {
    const access_token = await newAccessToken();
    const ends: Record<string, unknown> = {};
    for (const webhook_code of Object.values(WebhookCode)) {
      const { data } = await api.sandboxItemFireWebhook({ access_token, webhook_code });
      ends[webhook_code] = data.webhook_fired ?? (data as unknown as { error_code: string }).error_code;
    }
    expect(ends).toEqual({
      DEFAULT_UPDATE: true,
      NEW_ACCOUNTS_AVAILABLE: true,
      SMS_MICRODEPOSITS_VERIFICATION: 'SANDBOX_PRODUCT_NOT_ENABLED',
      AUTHORIZATION_GRANTED: 'SANDBOX_PRODUCT_NOT_ENABLED',
      USER_PERMISSION_REVOKED: true,
      USER_ACCOUNT_REVOKED: true,
      PENDING_DISCONNECT: true,
      RECURRING_TRANSACTIONS_UPDATE: true,
      LOGIN_REPAIRED: true,
      SYNC_UPDATES_AVAILABLE: true,
      PRODUCT_READY: 'SANDBOX_PRODUCT_NOT_ENABLED',
      ERROR: 'SANDBOX_PRODUCT_NOT_ENABLED',
    });
    expect(plaid.webhookDeliveries()).toHaveLength(8);
  });

  it('fire nothing where nobody listens', async () => {
    const { accessToken: access_token } = plaid.createItem();
    const fired = await api.sandboxItemFireWebhook({ access_token, webhook_code: WebhookCode.LoginRepaired });
    expect(fired.data).toMatchObject({ error_code: 'SANDBOX_WEBHOOK_INVALID' });
  });

  it('require a login, which movements between days and numbers of accounts need as well', async () => {
    const access_token = await newAccessToken();
    expect((await api.sandboxItemResetLogin({ access_token })).data.reset_login).toBe(true);
    const days = { start_date: '2026-01-01', end_date: '2026-12-31' };
    const answers = [
      await api.transactionsSync({ access_token }),
      await api.transactionsGet({ access_token, ...days }),
      await api.transactionsRefresh({ access_token }),
      await api.authGet({ access_token }),
    ];
    expect(answers.map(({ data }) => (data as { error_code?: string }).error_code)).toEqual(
      Array.from({ length: 4 }, () => 'ITEM_LOGIN_REQUIRED'),
    );
    expect((await api.accountsGet({ access_token })).data.accounts).toHaveLength(2);
  });
});

describe('movements', () => {
  const moved = (amount: string, date: string) => ({ amount, date, description: `on ${date}` });

  it('between two days come newest first, in pages', async () => {
    const { itemId, accessToken: access_token } = plaid.createItem();
    plaid.addTransactions(itemId, [
      moved('1', '2026-03-01'),
      moved('2', '2026-03-03'),
      moved('3', '2026-03-02'),
      moved('4', '2026-02-28'),
    ]);
    const days = { start_date: '2026-03-01', end_date: '2026-03-31' };
    const page = async (offset: number) => {
      const { data } = await api.transactionsGet({ access_token, ...days, options: { count: 2, offset } });
      return [data.total_transactions, ...data.transactions.map(({ amount }) => amount)];
    };
    expect(await page(0)).toEqual([3, 2, 3]);
    expect(await page(2)).toEqual([3, 1]);
  });

  it('between two days are not there before Plaid is ready', async () => {
    const { accessToken: access_token } = plaid.createItem({ status: 'NOT_READY' });
    const days = { start_date: '2026-03-01', end_date: '2026-03-31' };
    expect((await api.transactionsGet({ access_token, ...days })).data).toMatchObject({
      error_code: 'PRODUCT_NOT_READY',
    });
  });

  it('have the text of the bank only for who asks for it', async () => {
    const { itemId, accessToken: access_token } = plaid.createItem();
    plaid.addTransactions(itemId, [{ ...moved('1', '2026-03-01'), name: 'Cleaned' }]);
    const { added } = (await api.transactionsSync({ access_token })).data;
    expect(added[0]).toMatchObject({ name: 'Cleaned' });
    expect(added[0]).not.toHaveProperty('original_description');
  });

  it('of one account are a stream of their own', async () => {
    const { itemId, accessToken: access_token, accounts } = plaid.createItem();
    const [first = '', second = ''] = accounts.map(({ id }) => id);
    plaid.addTransactions(itemId, [
      { ...moved('1', '2026-03-01'), accountId: first },
      { ...moved('2', '2026-03-01'), accountId: second },
    ]);
    const options = { account_id: second };
    const { data } = await api.transactionsSync({ access_token, options });
    expect(data.added.map(({ amount }) => amount)).toEqual([2]);
    expect((await api.transactionsSync({ access_token, cursor: data.next_cursor })).data).toMatchObject({
      error_code: 'INVALID_FIELD',
      error_message: 'cursor not associated with access_token',
    });
  });

  it('that no bank would tell are refused when they are put in', () => {
    const { itemId } = plaid.createItem();
    for (const amount of ['1,5', '', '1e3', '1234567890123.4567']) {
      expect(() => plaid.addTransactions(itemId, [moved(amount, '2026-03-01')])).toThrow();
    }
    expect(() => plaid.addTransactions(itemId, [moved('1', '2026-02-30')])).toThrow();
    expect(() => plaid.removeTransactions(itemId, ['none'])).toThrow('has no transaction none');
    expect(() => plaid.addTransactions('none', [moved('1', '2026-03-01')])).toThrow('No Item none');
  });

  it('that came and went before Plaid looked were never there', async () => {
    const { itemId, accessToken: access_token } = plaid.createItem();
    const later = { later: true };
    const ids = plaid.addTransactions(itemId, [moved('1', '2026-03-01'), moved('2', '2026-03-01')], later);
    plaid.removeTransactions(itemId, [ids[0] ?? ''], later);
    plaid.modifyTransaction(itemId, ids[1] ?? '', { amount: '3' }, later);
    await api.transactionsRefresh({ access_token });
    const { added, modified, removed } = (await api.transactionsSync({ access_token })).data;
    expect([added.map(({ amount }) => amount), modified, removed]).toEqual([[3], [], []]);
  });
});

it('a token for Stripe is given for an account of the Item, and for no other', async () => {
  const { accessToken: access_token, accounts } = plaid.createItem();
  const token = async (account_id: string) =>
    (await api.processorStripeBankAccountTokenCreate({ access_token, account_id })).data;
  expect(await token(accounts[0]?.id ?? '')).toMatchObject({
    stripe_bank_account_token: expect.stringMatching(/^btok_[\da-f]{24}$/),
  });
  expect(await token(plaid.createItem().accounts[0]?.id ?? '')).toMatchObject({
    error_code: 'INVALID_ACCOUNT_ID',
  });
});

it('tokens end: of Link after four hours, of a new Item after half an hour', async () => {
  const request = {
    client_name: 'x',
    language: 'en',
    country_codes: ['US'],
    user: { client_user_id: 'usr_1' },
  };
  const { data } = await api.linkTokenCreate({ ...request, products: [Products.Transactions] } as never);
  const { publicToken } = plaid.createItem();
  plaid.clock.advance(30 * 60);
  const exchanged = await api.itemPublicTokenExchange({ public_token: publicToken ?? '' });
  expect(exchanged.data).toMatchObject({ error_code: 'INVALID_PUBLIC_TOKEN' });
  plaid.clock.advance(4 * 3_600);
  expect(() => plaid.completeLink(data.link_token)).toThrow('is open');
});

it('the record has every request that changed something, and none that only asked', async () => {
  const access_token = await newAccessToken();
  await api.transactionsSync({ access_token });
  await api.itemPublicTokenExchange({ public_token: 'public-sandbox-none' });
  await api.transactionsRefresh({ access_token });
  expect(plaid.effects().map(({ op, outcome, detail }) => [op, outcome, detail])).toEqual([
    ['sandbox.public_token', 'effect', null],
    ['public_token.exchange', 'effect', null],
    ['public_token.exchange', 'refused', 'INVALID_PUBLIC_TOKEN'],
    ['transactions.refresh', 'effect', null],
  ]);
  expect(plaid.calls()).toMatchObject({ 'transactions.sync': 1 });
});

it('goes on where it stopped: Items, logs, cursors, logins and keys are kept', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'plaid-sandbox-'));
  try {
    const first = await startPlaidSandbox({ port: 0, ...credentials, stateDir });
    const { itemId, accessToken: access_token } = first.createItem();
    const key = first.rotateKey();
    first.addTransactions(itemId, [{ amount: '-1', description: 'ADV1' }]);
    const { next_cursor: cursor } = (await sdkOf(first).transactionsSync({ access_token })).data;
    first.requireLogin(itemId);
    const waiting = first.addTransactions(itemId, [{ amount: '-2', description: 'ADV2' }]);
    await first.close();

    const second = await startPlaidSandbox({ port: 0, ...credentials, stateDir });
    const sdk = sdkOf(second);
    expect((await sdk.transactionsSync({ access_token, cursor })).data).toMatchObject({
      error_code: 'ITEM_LOGIN_REQUIRED',
    });
    second.repairLogin(itemId);
    const { added } = (await sdk.transactionsSync({ access_token, cursor })).data;
    expect(added.map(({ transaction_id }) => transaction_id)).toEqual(waiting);
    expect((await sdk.webhookVerificationKeyGet({ key_id: key })).data.key.expired_at).toBeNull();
    await second.close();
  } finally {
    rmSync(stateDir, { recursive: true });
  }
});

describe('the control endpoints', () => {
  const control = async (path: string, body: object = {}) => {
    const response = await fetch(`${plaid.url}/_sandbox/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it('do what the person, the bank and Plaid do', async () => {
    const item = (await control('items', { accounts: [{ name: 'A', currency: 'EUR' }] })).body;
    const { itemId, accessToken: access_token } = item as { itemId: string; accessToken: string };
    const path = (act: string) => `items/${itemId}/${act}`;
    const transactions = [
      { amount: '-1', description: 'ADV1', pending: true },
      { amount: '-2', description: 'ADV2' },
      { amount: '-3', description: 'ADV3' },
    ];
    const { ids } = (await control(path('transactions'), { transactions })).body as { ids: string[] };
    const acts: [string, object?][] = [
      [path(`transactions/${ids[0]}/post`), { change: { amount: '-1.5' } }],
      [path(`transactions/${ids[1]}/modify`), { change: { amount: '-2.5' } }],
      [path(`transactions/${ids[2]}/remove`)],
      [path('require-login')],
      [path('repair-login')],
      [path('status'), { status: 'INITIAL_UPDATE_COMPLETE' }],
      [path('expire-consent'), { at: '2026-04-01T00:00:00Z' }],
      [path('expect-disconnect')],
      [path('change-while-reading'), { times: 0 }],
      ['keys/rotate', { graceSeconds: 5 }],
    ];
    for (const [act, body] of acts) expect([act, (await control(act, body)).status]).toEqual([act, 200]);
    const { data } = await api.transactionsSync({ access_token });
    expect(data.added.map(({ amount, iso_currency_code }) => [amount, iso_currency_code])).toEqual([
      [-1.5, 'EUR'],
      [-2.5, 'EUR'],
    ]);
    expect(data.transactions_update_status).toBe('INITIAL_UPDATE_COMPLETE');

    expect((await control('failures', { error: 'INSTITUTION_DOWN' })).status).toBe(200);
    expect((await api.itemGet({ access_token })).data).toMatchObject({ error_code: 'INSTITUTION_DOWN' });
    const again = (await control(path('connect-again'))).body as { accessToken: string };
    expect((await api.transactionsSync({ access_token: again.accessToken })).data.added).toHaveLength(2);
    expect((await control(path('revoke-access'))).status).toBe(200);
    expect((await api.itemGet({ access_token })).data).toMatchObject({ error_code: 'ITEM_NOT_FOUND' });
  });

  it('complete Link', async () => {
    const user = { client_user_id: 'usr_1' };
    const request = {
      client_name: 'x',
      language: 'en',
      country_codes: ['US'],
      user,
      products: ['transactions'],
    };
    const { link_token } = (await api.linkTokenCreate(request as never)).data;
    const { body } = await control(`link/${link_token}/complete`, { institutionId: 'ins_117650' });
    const { access_token } = (
      await api.itemPublicTokenExchange({ public_token: String(body['publicToken']) })
    ).data;
    expect((await api.itemGet({ access_token })).data.item.institution_name).toBe('Royal Bank of Plaid');
    expect((await control(`link/${link_token}/complete`)).status).toBe(400);
  });

  it.each([
    ['items', { accounts: [] }],
    ['items', { status: 'READY' }],
    ['items/none/transactions', { transactions: [{ amount: '1', description: 'x' }] }],
    ['items/none/require-login', {}],
    ['failures', { error: 'NO_SUCH_ERROR' }],
    ['keys/rotate', { graceSeconds: -1 }],
  ])('say why %s %j makes no sense', async (path, body) => {
    expect(await control(path, body)).toEqual({ status: 400, body: { error: expect.any(String) } });
  });
});

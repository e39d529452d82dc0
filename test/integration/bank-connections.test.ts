/**
 * Connections to banks: a public token is exchanged once, what the feed tells is kept whole or not at all, wherever the reader
 * dies, and an account that is connected anew goes on without anything counted twice.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { addConnection } from '../../db/queries/payments/bank-connections.ts';
import { createTokenSeal } from '../../db/queries/payments/sealed-token.ts';
import { VendorError } from '../../domain/errors.ts';
import type { BankFeed } from '../../domain/payments/bank-feed.ts';
import { type TestTenant, testConfig } from '../support/api.ts';
import { at, type Bank, type BankScene, createBankScene, wire } from './bank-connection-scene.ts';
import { Death, mortalDatabase } from './mortal.ts';

let scene: BankScene;
beforeAll(async () => {
  scene = await createBankScene();
});
afterAll(() => scene.close());

const hoursLater = (hours: number) => new Date(Date.parse(at) + hours * 3_600_000).toISOString();
const exchanges = (itemId: string) =>
  scene.plaid
    .effectsOf(itemId)
    .filter(({ op, outcome }) => op === 'public_token.exchange' && outcome === 'effect');

describe('a bank that is connected', () => {
  it('is there with its accounts, and its token is nowhere in plain text', async () => {
    const tenant = await scene.tenant();
    const bank = await scene.connect(tenant);
    await scene.look(bank);
    const shown = await scene.connection(bank);
    expect(shown).toMatchObject({
      institutionName: 'First Platypus Bank',
      status: 'active',
      problem: null,
      accounts: [
        { name: 'Plaid Checking', mask: '0000', currency: 'USD', isReceiving: false },
        { name: 'Plaid Saving', mask: '1111', isReceiving: false },
      ],
    });
    const tables = [
      'bank_connections',
      'bank_accounts',
      'idempotency_keys',
      'outbox',
      'audit_log',
      'inbox_events',
    ];
    for (const table of tables) {
      const rows = await scene.api.sql(`SELECT * FROM ${table}`);
      expect(JSON.stringify(rows)).not.toContain(bank.accessToken);
    }
    const { data } = await scene.ok(tenant, 'GET', '/v1/bank_connections');
    expect(JSON.stringify([shown, data])).not.toContain(bank.accessToken);
    expect(data).toEqual([shown]);
  });

  it('is listed with its own accounts beside another one', async () => {
    const tenant = await scene.tenant();
    const first = await scene.connect(tenant);
    const payroll = scene.plaid.createItem({ accounts: [{ name: 'Payroll', mask: '4242' }] });
    const shown = [await scene.connection(await scene.add(tenant, payroll)), await scene.connection(first)];
    expect(shown.map(({ accounts }) => accounts.length)).toEqual([1, 2]);
    expect((await scene.ok(tenant, 'GET', '/v1/bank_connections')).data).toEqual(shown);
  });

  it('is connected once, however often the request is repeated, with its key or another, one after the other or at once', async () => {
    const tenant = await scene.tenant();
    const item = scene.plaid.createItem();
    const send = (key: string) =>
      scene.api.request('POST', '/v1/bank_connections', {
        token: tenant.token,
        key,
        body: { publicToken: item.publicToken },
      });
    const key = randomUUID();
    const answers = await Promise.all([send(key), send(key), send(randomUUID())]);
    answers.push(await send(key), await send(randomUUID()));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(exchanges(item.itemId)).toHaveLength(1);
    expect((await scene.ok(tenant, 'GET', '/v1/bank_connections')).data).toHaveLength(1);
  });

  it('whose answer was lost is not there, and who asks again is told to connect it again', async () => {
    const tenant = await scene.tenant();
    const { publicToken, itemId } = scene.plaid.createItem();
    const key = randomUUID();
    const send = () =>
      scene.api.request('POST', '/v1/bank_connections', { token: tenant.token, key, body: { publicToken } });
    scene.plaid.setFaults({ next: [{ fault: 'drop_answer', op: 'public_token.exchange' }] });
    expect(await send()).toMatchObject({ body: { code: 'outcome_unknown' } });
    expect(await send()).toMatchObject({ status: 409, body: { reason: 'public_token_unusable' } });
    expect(exchanges(itemId)).toHaveLength(1);
    expect((await scene.ok(tenant, 'GET', '/v1/bank_connections')).data).toEqual([]);
  });

  it('of another tenant is neither shown nor taken over', async () => {
    const [mine, theirs] = [await scene.tenant(), await scene.tenant()];
    const bank = await scene.connect(theirs);
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/unlink'],
      ['POST', '/sync'],
      ['POST', '/test'],
    ]) {
      const answer = await scene.api.request(method ?? '', `/v1/bank_connections/${bank.id}${path}`, {
        token: mine.token,
        ...(method === 'POST' && { body: {} }),
      });
      expect(answer).toMatchObject({ status: 404 });
    }
    const body = { bankConnectionId: bank.id };
    expect(
      await scene.api.request('POST', '/v1/bank_link_tokens', { token: mine.token, body }),
    ).toMatchObject({
      status: 404,
    });
    const { itemId: externalId } = bank;
    const made = { externalId, sealedToken: 'x.y', actor: 'test', at: new Date(at) };
    const add = ({ tenantId }: TestTenant) =>
      withTenant(scene.api.db, tenantId, (tx) =>
        addConnection(tx, { ...made, tenantId, publicTokenHash: randomUUID() }),
      );
    await expect(add(mine)).rejects.toMatchObject({ reason: 'bank_connection_taken' });
    // Its owner has gone through Link once more.
    expect(await add(theirs)).toMatchObject({ id: bank.id, status: 'active' });
  });

  it.each(['http://a.example', 'https://a.example:83844', 'https://1.2.3.999'])(
    'is not linked by way of %s, and Plaid is not asked',
    async (redirectUrl) => {
      const { token } = await scene.tenant();
      const calls = scene.plaid.calls()['link_token.create'];
      const answer = await scene.api.request('POST', '/v1/bank_link_tokens', {
        token,
        body: { redirectUrl },
      });
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: 'body.redirectUrl' }] } });
      expect(scene.plaid.calls()['link_token.create']).toBe(calls);
    },
  );

  it('tells an account that customers pay to, so that their payments are looked for', async () => {
    const tenant = await scene.tenant();
    await scene.api.sql(
      `INSERT INTO bank_details (tenant_id, version, configuration, actor) VALUES ($1, 1, $2, 'test')`,
      [
        tenant.tenantId,
        JSON.stringify({
          version: 1,
          internationalWireAccountId: null,
          accounts: [
            { id: 'main', currency: 'USD', numbers: { scheme: 'us', accountNumber: '111122220000' } },
          ],
        }),
      ],
    );
    const bank = await scene.connect(tenant);
    await scene.look(bank);
    const { accounts } = await scene.connection(bank);
    expect(
      accounts.map(({ mask, isReceiving }: { mask: string; isReceiving: boolean }) => [mask, isReceiving]),
    ).toEqual([
      ['0000', true],
      ['1111', false],
    ]);
  });

  it('is found again by what it has told itself, whatever number a file or somebody gives the account', async () => {
    const bank = await scene.connect(await scene.tenant());
    const { accounts } = await scene.connection(bank);
    const path = `/v1/bank_accounts/${accounts[0].id}`;
    const changed = await scene.ok(bank.tenant, 'PATCH', path, {
      statementAccount: 'FR1420041010050500013M02606',
    });
    expect(changed).toMatchObject({ mask: '0000', statementAccount: 'FR1420041010050500013M02606' });
  });

  it('goes on with the account that was read from statement files so far', async () => {
    const tenant = await scene.tenant();
    const account = await scene.ok(tenant, 'POST', '/v1/bank_accounts', {
      name: 'Current account',
      currency: 'USD',
      statementAccount: '1111222233330000',
    });
    const bank = await scene.connect(tenant);
    const { accounts } = await scene.connection(bank);
    expect(accounts[0]).toMatchObject({ id: account.id, name: 'Current account', isReceiving: true });
    expect((await scene.ok(tenant, 'GET', '/v1/bank_accounts')).data).toHaveLength(2);
  });
});

describe('a reading', () => {
  /** More than two pages, whatever is told of each. */
  const many = () =>
    Array.from({ length: 1_100 }, (_, index) => wire(`${index + 1}.00`, `DEPOSIT ${index + 1}`));
  const count = async ({ tenant: { tenantId } }: Bank) => {
    const [row] = await scene.api.sql(
      'SELECT count(*)::int AS n, count(DISTINCT external_id)::int AS names FROM bank_transactions WHERE tenant_id = $1',
      [tenantId],
    );
    return row;
  };
  const cursorOf = async ({ id }: Bank) =>
    (await scene.api.sql('SELECT cursor FROM bank_connections WHERE id = $1', [id]))[0].cursor;

  it('of three pages keeps nothing where it dies after the second, and all of them the next time', async () => {
    const bank = await scene.connect(await scene.tenant());
    scene.plaid.addTransactions(bank.itemId, many());
    let pages = 0;
    const dying: BankFeed = {
      ...scene.banks.feed,
      sync: (input) => {
        pages += 1;
        if (pages === 3) throw new Death('before page 3');
        return scene.banks.feed.sync(input);
      },
    };
    const banks = { ...scene.banks, feed: dying };
    await expect(scene.look(bank, { banks })).rejects.toThrow(Death);
    expect(await count(bank)).toEqual({ n: 0, names: 0 });
    expect(await cursorOf(bank)).toBeNull();

    await scene.look(bank);
    expect(await count(bank)).toEqual({ n: 1_100, names: 1_100 });
    const cursor = await cursorOf(bank);
    await scene.look(bank);
    expect(await count(bank)).toEqual({ n: 1_100, names: 1_100 });
    expect(await cursorOf(bank)).toBe(cursor);
  });

  it('that dies before or after any commit is whole after the next one, and nothing is in it twice', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      const bank = await scene.connect(await scene.tenant());
      scene.plaid.addTransactions(bank.itemId, [wire('10.00', 'A'), wire('10.00', 'A'), wire('30.00', 'B')]);
      const outcome = await scene
        .look(bank, { db: mortalDatabase(scene.api.db, dieAt) })
        .catch((error) => error);
      const before = await count(bank);
      expect([0, 3]).toContain(before.n);
      expect((await cursorOf(bank)) === null).toBe(before.n === 0);
      await scene.look(bank);
      expect(await count(bank)).toEqual({ n: 3, names: 3 });
      if (!(outcome instanceof Death)) break;
      expect(dieAt).toBeLessThan(50);
    }
  });

  it('under which the log changes begins again at its first cursor, and is whole', async () => {
    const bank = await scene.connect(await scene.tenant());
    scene.plaid.addTransactions(bank.itemId, many());
    scene.plaid.changeWhileReading(bank.itemId, 3);
    const calls = scene.plaid.calls()['transactions.sync'] ?? 0;
    await scene.look(bank);
    expect(await count(bank)).toEqual({ n: 1_100, names: 1_100 });
    expect((scene.plaid.calls()['transactions.sync'] ?? 0) - calls).toBeGreaterThan(3);
  });

  it('from a cursor that the feed does not know begins at the beginning, and doubles nothing', async () => {
    const bank = await scene.connect(await scene.tenant());
    scene.plaid.addTransactions(bank.itemId, [wire('10.00', 'A'), wire('20.00', 'B')]);
    await scene.look(bank);
    await scene.api.sql("UPDATE bank_connections SET cursor = 'bm90aGluZw==' WHERE id = $1", [bank.id]);
    await scene.look(bank);
    expect(await count(bank)).toEqual({ n: 2, names: 2 });
    expect(await cursorOf(bank)).not.toBe('bm90aGluZw==');
  });

  it('from the beginning takes away what was pending and has gone meanwhile, which nobody tells any more', async () => {
    const bank = await scene.connect(await scene.tenant());
    const [pending = ''] = scene.plaid.addTransactions(bank.itemId, [
      { ...wire('10.00', 'A'), pending: true },
      wire('20.00', 'B'),
      { ...wire('30.00', 'C'), pending: true },
    ]);
    await scene.look(bank);
    scene.plaid.removeTransactions(bank.itemId, [pending]);
    await scene.api.sql("UPDATE bank_connections SET cursor = 'bm90aGluZw==' WHERE id = $1", [bank.id]);
    await scene.look(bank);
    expect(await scene.movements(bank.tenant)).toEqual([
      '2026-03-04 1000 USD removed',
      '2026-03-04 2000 USD new',
      '2026-03-04 3000 USD pending',
    ]);
  });

  it('that is longer than what the feed answers in a minute comes to its end', async () => {
    const bank = await scene.connect(await scene.tenant());
    scene.plaid.addTransactions(bank.itemId, many());
    scene.plaid.failNext({ op: 'transactions.sync', error: 'TRANSACTIONS_LIMIT', after: 1 });
    const calls = scene.plaid.calls()['transactions.sync'] ?? 0;
    await scene.look(bank);
    expect(await count(bank)).toEqual({ n: 1_100, names: 1_100 });
    expect((scene.plaid.calls()['transactions.sync'] ?? 0) - calls).toBe(4);
  });

  it('that succeeds when it is tried again is as old as that try', async () => {
    const bank = await scene.connect(await scene.tenant());
    expect(await scene.look(bank, { triedAt: hoursLater(20) })).toMatchObject({ lookAt: hoursLater(21) });
    expect(await scene.connection(bank)).toMatchObject({ lastSyncedAt: hoursLater(20) });
  });

  it('waits for a bank that the feed has not read yet', async () => {
    const bank = await scene.connect(await scene.tenant());
    scene.plaid.setUpdateStatus(bank.itemId, 'NOT_READY');
    scene.plaid.addTransactions(bank.itemId, [wire('10.00', 'A')]);
    expect(await scene.look(bank)).toEqual({ status: 'active', lookAt: '2026-03-05T10:10:00.000Z' });
    expect(await scene.connection(bank)).toMatchObject({ problem: 'not_ready', lastSyncedAt: null });
    scene.plaid.setUpdateStatus(bank.itemId, 'HISTORICAL_UPDATE_COMPLETE');
    expect(await scene.look(bank)).toEqual({ status: 'active', lookAt: '2026-03-05T11:00:00.000Z' });
    expect(await scene.connection(bank)).toMatchObject({ problem: null, lastSyncedAt: at });
    expect(await scene.movements(bank.tenant)).toEqual(['2026-03-04 1000 USD new']);
  });

  it('follows a movement that is pending, booked, changed and taken away', async () => {
    const bank = await scene.connect(await scene.tenant());
    const { itemId, tenant } = bank;
    const [pending = '', other = ''] = scene.plaid.addTransactions(itemId, [
      { ...wire('10.00', 'A'), pending: true },
      wire('20.00', 'B'),
    ]);
    await scene.look(bank);
    expect(await scene.movements(tenant)).toEqual(['2026-03-04 1000 USD pending', '2026-03-04 2000 USD new']);
    scene.plaid.postTransaction(itemId, pending, { date: '2026-03-05' });
    scene.plaid.modifyTransaction(itemId, other, { amount: '-21.00' });
    await scene.look(bank);
    expect(await scene.movements(tenant)).toEqual([
      '2026-03-04 1000 USD removed',
      '2026-03-04 2100 USD new',
      '2026-03-05 1000 USD new',
    ]);
    scene.plaid.removeTransactions(itemId, [other]);
    await scene.look(bank);
    expect(await scene.movements(tenant)).toContain('2026-03-04 2100 USD removed');
  });

  it('lists what it cannot keep and tells the operators once, and forgets it when it is gone', async () => {
    const bank = await scene.connect(await scene.tenant());
    const [, coin = ''] = scene.plaid.addTransactions(bank.itemId, [
      wire('10.00', 'A'),
      { ...wire('1.00', 'COIN'), unofficialCurrency: 'DOGE' },
    ]);
    await scene.look(bank);
    await scene.api.sql('UPDATE bank_connections SET cursor = NULL WHERE id = $1', [bank.id]);
    await scene.look(bank);
    expect(await scene.connection(bank)).toMatchObject({
      unreadable: [
        { externalId: coin, reason: 'currency_unknown', currency: 'DOGE', bookedOn: '2026-03-04' },
      ],
    });
    expect(await scene.movements(bank.tenant)).toEqual(['2026-03-04 1000 USD new']);
    expect(await scene.mails(bank.tenant)).toEqual(['A movement at First Platypus Bank could not be read']);
    scene.plaid.removeTransactions(bank.itemId, [coin]);
    await scene.look(bank);
    expect(await scene.connection(bank)).toMatchObject({ unreadable: [] });
  });

  it('concerns nobody any more about what somebody has dealt with, even when it is told again', async () => {
    const bank = await scene.connect(await scene.tenant());
    const coins = scene.plaid.addTransactions(bank.itemId, [
      { ...wire('1.00', 'COIN'), unofficialCurrency: 'DOGE' },
      { ...wire('2.00', 'COIN'), unofficialCurrency: 'DOGE' },
    ]);
    await scene.look(bank, { at: new Date().toISOString() });
    const concerns = async () => (await scene.ok(bank.tenant, 'GET', '/v1/bank/health')).reasons.length;
    const dismiss = (externalIds: string[]) =>
      scene.api.request('POST', `/v1/bank_connections/${bank.id}/dismiss_unreadable`, {
        token: bank.tenant.token,
        body: { externalIds },
      });
    expect(await dismiss(['nobodys', ...coins])).toMatchObject({
      status: 409,
      body: { reason: 'movement_not_listed', detail: expect.stringContaining('nobodys') },
    });
    expect(await dismiss(coins.slice(0, 1))).toMatchObject({
      status: 200,
      body: { unreadable: [{ isDismissed: true }, { isDismissed: false }] },
    });
    expect(await concerns()).toBe(1);
    expect(await dismiss(coins)).toMatchObject({ status: 200 });
    expect(await concerns()).toBe(0);
    await scene.api.sql('UPDATE bank_connections SET cursor = NULL WHERE id = $1', [bank.id]);
    await scene.look(bank, { at: new Date().toISOString() });
    expect((await scene.connection(bank)).unreadable).toHaveLength(2);
    expect(await concerns()).toBe(0);
    expect(await scene.mails(bank.tenant)).toHaveLength(1);
  });

  it.each([
    ['INSTITUTION_DOWN', 'vendor_unavailable', 'bank_unavailable'],
    ['INTERNAL_SERVER_ERROR', 'vendor_unavailable', null],
    ['TRANSACTIONS_LIMIT', 'rate_limited', null],
  ] as const)(
    'that meets %s is tried again after a while of our own, from the same cursor',
    async (error, code, problem) => {
      const bank = await scene.connect(await scene.tenant());
      scene.plaid.addTransactions(bank.itemId, [wire('10.00', 'A')]);
      await scene.look(bank);
      const cursor = await cursorOf(bank);
      scene.plaid.addTransactions(bank.itemId, [wire('20.00', 'B')]);
      scene.plaid.failNext({ op: 'transactions.sync', error });
      const failure = await scene.look(bank, { at: hoursLater(1) }).catch((thrown) => thrown);
      expect(failure).toBeInstanceOf(VendorError);
      expect(failure).toMatchObject({ code });
      expect(failure.retryAfterMs).toBeGreaterThanOrEqual(1_000);
      expect(await cursorOf(bank)).toBe(cursor);
      expect(await scene.connection(bank)).toMatchObject({
        status: 'active',
        problem,
        lastFailedAt: hoursLater(1),
      });
      const { reasons, status } = await scene.ok(bank.tenant, 'GET', '/v1/bank/health');
      expect(status).toBe('degraded');
      expect(reasons.map(({ concern }: { concern: string }) => concern)).toContain('failing');
      await scene.look(bank, { at: hoursLater(2) });
      expect(await count(bank)).toEqual({ n: 2, names: 2 });
      expect(await scene.mails(bank.tenant)).toEqual([]);
    },
  );

  it('that the feed refuses for good fails nobody’s process, and is tried again in an hour', async () => {
    const bank = await scene.connect(await scene.tenant());
    await scene.look(bank);
    scene.plaid.failNext({ op: 'transactions.sync', error: 'INVALID_API_KEYS' });
    expect(await scene.look(bank)).toEqual({ status: 'active', lookAt: hoursLater(1) });
    expect((await scene.connection(bank)).lastFailure).toContain('INVALID_API_KEYS');
  });

  it('seals the token anew when another key is active', async () => {
    const bank = await scene.connect(await scene.tenant());
    const keys = new Map([['next', new Uint8Array(32).fill(7)], ...testConfig.encryption.keys]);
    const tokenSeal = createTokenSeal({ activeKeyId: 'next', keys });
    await scene.look(bank, { banks: { ...scene.banks, tokenSeal } });
    const [row] = await scene.api.sql('SELECT access_token FROM bank_connections WHERE id = $1', [bank.id]);
    expect(row.access_token).toMatch(/^next:/);
    const alone = createTokenSeal({ activeKeyId: 'next', keys: new Map([...keys].slice(0, 1)) });
    await scene.look(bank, { banks: { ...scene.banks, tokenSeal: alone } });
  });
});

describe('a bank that wants a new login', () => {
  it('is told to the operators once, and read on from the old cursor once somebody has signed in', async () => {
    const bank = await scene.connect(await scene.tenant());
    const { itemId, tenant } = bank;
    scene.plaid.addTransactions(itemId, [wire('10.00', 'A')]);
    await scene.look(bank);
    scene.plaid.requireLogin(itemId);
    await scene.plaid.flushWebhooks();
    expect(await scene.look(bank)).toEqual({ status: 'needs_reauth', lookAt: hoursLater(24) });
    expect(await scene.look(bank, { at: hoursLater(24) })).toMatchObject({ status: 'needs_reauth' });
    expect(await scene.mails(tenant)).toEqual(['First Platypus Bank wants a new login']);
    scene.plaid.addTransactions(itemId, [wire('20.00', 'B')]);

    const { linkToken, bankConnectionId } = await scene.ok(tenant, 'POST', '/v1/bank_link_tokens', {
      bankConnectionId: bank.id,
    });
    expect(bankConnectionId).toBe(bank.id);
    scene.plaid.completeLink(linkToken);
    await scene.ok(tenant, 'POST', `/v1/bank_connections/${bank.id}/sync`, {});
    expect(await scene.look(bank, { at: hoursLater(30) })).toEqual({
      status: 'active',
      lookAt: hoursLater(31),
    });
    expect(await scene.movements(tenant)).toEqual(['2026-03-04 1000 USD new', '2026-03-04 2000 USD new']);
    expect(await scene.mails(tenant)).toHaveLength(1);

    scene.plaid.requireLogin(itemId);
    await scene.look(bank, { at: hoursLater(40) });
    expect(await scene.mails(tenant)).toHaveLength(2);
  });

  it('and then takes access back is over: nobody asks it any more, and no link repairs it', async () => {
    const bank = await scene.connect(await scene.tenant());
    await scene.look(bank);
    scene.plaid.revokeAccess(bank.itemId);
    await scene.plaid.flushWebhooks();
    expect(await scene.look(bank)).toEqual({ status: 'revoked', lookAt: null });
    expect(await scene.mails(bank.tenant)).toEqual(['The connection to First Platypus Bank has ended']);
    const answer = await scene.api.request('POST', '/v1/bank_link_tokens', {
      token: bank.tenant.token,
      body: { bankConnectionId: bank.id },
    });
    expect(answer).toMatchObject({ status: 409, body: { reason: 'bank_connection_over' } });
    expect(await scene.ok(bank.tenant, 'POST', `/v1/bank_connections/${bank.id}/test`, {})).toMatchObject({
      isReadable: false,
      problem: 'access_revoked',
    });
  });

  it.each([
    [
      'ends consent on a day',
      (bank: Bank) => scene.plaid.expireConsent(bank.itemId, '2026-03-20T00:00:00Z'),
      'Consent to read First Platypus Bank ends on 2026-03-20',
      { consentExpiresAt: '2026-03-20T00:00:00.000Z' },
    ],
    [
      'announces to end the connection',
      (bank: Bank) => scene.plaid.expectDisconnect(bank.itemId),
      'First Platypus Bank will end the connection within days',
      { disconnectExpectedSince: at },
    ],
  ])('or %s has the operators told once for each announcement', async (_, announce, title, shown) => {
    const bank = await scene.connect(await scene.tenant());
    await scene.look(bank);
    for (let times = 0; times < 2; times += 1) {
      announce(bank);
      await scene.plaid.flushWebhooks();
      await scene.look(bank);
    }
    expect(await scene.mails(bank.tenant)).toEqual([title]);
    expect(await scene.connection(bank)).toMatchObject({ status: 'active', ...shown });
  });
});

describe('a bank that is connected anew', () => {
  const again = (bank: Bank) => scene.add(bank.tenant, scene.plaid.connectAgain(bank.itemId));

  it('goes on with the same accounts and movements, whatever was decided about them, and the old connection ends', async () => {
    const bank = await scene.connect(await scene.tenant());
    const { tenant, itemId } = bank;
    scene.plaid.addTransactions(itemId, [wire('10.00', 'A'), wire('10.00', 'A'), wire('30.00', 'B')]);
    await scene.look(bank);
    const rows = () =>
      scene.api.sql('SELECT id, account_id, status FROM bank_transactions WHERE tenant_id = $1 ORDER BY id', [
        tenant.tenantId,
      ]);
    await scene.api.sql(
      "UPDATE bank_transactions SET status = 'ignored' WHERE tenant_id = $1 AND amount_minor = 3000",
      [tenant.tenantId],
    );
    const before = await rows();

    const next = await again(bank);
    expect(await scene.connection(bank)).toMatchObject({ status: 'unlinked', accounts: [] });
    // One that is equal to two that are known, and is the third.
    scene.plaid.addTransactions(next.itemId, [wire('10.00', 'A')]);
    await scene.look(next);
    const after = await rows();
    expect(after.slice(0, 3)).toEqual(before);
    expect(after).toHaveLength(4);
    expect((await scene.ok(tenant, 'GET', '/v1/bank_accounts')).data).toHaveLength(2);

    expect(await scene.look(bank)).toEqual({ status: 'unlinked', lookAt: null });
    expect(scene.plaid.effectsOf(itemId).map(({ op }) => op)).toContain('item.remove');
    await scene.look(next);
    expect(await rows()).toEqual(after);
  });

  it('has a person judge what it tells in other words, and forgets what was pending and never came', async () => {
    const bank = await scene.connect(await scene.tenant());
    const [booked = ''] = scene.plaid.addTransactions(bank.itemId, [
      wire('10.00', 'ACME'),
      { ...wire('20.00', 'B'), pending: true },
    ]);
    await scene.look(bank);
    const item = scene.plaid.connectAgain(bank.itemId);
    expect(booked).not.toBe('');
    const next = await scene.add(bank.tenant, item);
    const told = await scene.banks.feed.sync({ accessToken: item.accessToken, cursor: null });
    const nameOf = (amountMinor: number) =>
      told.added.find((each) => each.amountMinor === amountMinor)?.externalId ?? '';
    scene.plaid.modifyTransaction(item.itemId, nameOf(1_000), { description: 'ACME INC' });
    scene.plaid.removeTransactions(item.itemId, [nameOf(2_000)]);
    await scene.look(next);
    expect(await scene.movements(bank.tenant)).toEqual([
      '2026-03-04 1000 USD copy_suspected',
      '2026-03-04 1000 USD new',
      '2026-03-04 2000 USD removed',
    ]);
  });

  it('tells its history later than what is recent, and that is known, too', async () => {
    const bank = await scene.connect(await scene.tenant());
    scene.plaid.addTransactions(bank.itemId, [wire('10.00', 'A', '2025-12-01'), wire('30.00', 'B')]);
    await scene.look(bank);
    const item = scene.plaid.createItem({
      accounts: bank.accounts.map(({ name, mask, persistentId }) => ({ name, mask, persistentId })),
    });
    scene.plaid.addTransactions(item.itemId, [wire('30.00', 'B')]);
    const next = await scene.add(bank.tenant, item);
    await scene.look(next);
    scene.plaid.addTransactions(item.itemId, [wire('10.00', 'A', '2025-12-01')]);
    await scene.look(next);
    expect(await scene.movements(bank.tenant)).toEqual([
      '2025-12-01 1000 USD new',
      '2026-03-04 3000 USD new',
    ]);
  });

  it('while the old connection is still read keeps its accounts, and what the old one tells of them is passed over', async () => {
    const bank = await scene.connect(await scene.tenant());
    scene.plaid.addTransactions(bank.itemId, [wire('10.00', 'A')]);
    await scene.look(bank);
    const [first] = bank.accounts;
    const item = scene.plaid.createItem({
      accounts: [{ name: 'Plaid Checking', mask: '0000', persistentId: first?.persistentId }],
    });
    const next = await scene.add(bank.tenant, item);
    expect(await scene.connection(bank)).toMatchObject({ status: 'active', accounts: [{ mask: '1111' }] });
    scene.plaid.addTransactions(item.itemId, [wire('10.00', 'A'), wire('20.00', 'B')]);
    scene.plaid.addTransactions(bank.itemId, [wire('20.00', 'B')]);
    await scene.look(bank);
    await scene.look(next);
    await scene.look(bank);
    expect(await scene.connection(bank)).toMatchObject({ unreadable: [], accounts: [{ mask: '1111' }] });
    expect(await scene.movements(bank.tenant)).toEqual([
      '2026-03-04 1000 USD new',
      '2026-03-04 2000 USD new',
    ]);
  });
});

it('an account that comes back to an older connection has its history read, and what goes meanwhile goes', async () => {
  const bank = await scene.connect(await scene.tenant());
  const [, saving] = bank.accounts;
  const [, pending = ''] = scene.plaid.addTransactions(bank.itemId, [
    wire('10.00', 'A'),
    { ...wire('30.00', 'C'), accountId: saving?.id, pending: true },
  ]);
  await scene.look(bank);
  const item = scene.plaid.createItem({
    accounts: [{ name: 'Plaid Checking', mask: '0000', persistentId: bank.accounts[0]?.persistentId }],
  });
  const next = await scene.add(bank.tenant, item);
  scene.plaid.addTransactions(bank.itemId, [wire('20.00', 'B')]);
  await scene.look(bank);
  await scene.look(next);
  expect(await scene.movements(bank.tenant)).toEqual([
    '2026-03-04 1000 USD new',
    '2026-03-04 3000 USD pending',
  ]);
  await scene.ok(bank.tenant, 'POST', `/v1/bank_connections/${next.id}/unlink`, {});
  const feed: BankFeed = {
    ...scene.banks.feed,
    sync: (input) => {
      if (input.cursor === null) scene.plaid.removeTransactions(bank.itemId, [pending]);
      return scene.banks.feed.sync(input);
    },
  };
  await scene.look(bank, { at: hoursLater(24), banks: { ...scene.banks, feed } });
  await scene.look(bank, { at: hoursLater(25) });
  expect(await scene.movements(bank.tenant)).toEqual([
    '2026-03-04 1000 USD new',
    '2026-03-04 2000 USD new',
    '2026-03-04 3000 USD removed',
  ]);
});

describe('a connection that is unlinked', () => {
  it('is ended at Plaid once, its token is forgotten, and its accounts and movements stay', async () => {
    const bank = await scene.connect(await scene.tenant());
    scene.plaid.addTransactions(bank.itemId, [wire('10.00', 'A')]);
    await scene.look(bank);
    const path = `/v1/bank_connections/${bank.id}`;
    const unlinked = await scene.ok(bank.tenant, 'POST', `${path}/unlink`, {});
    expect(unlinked).toMatchObject({ status: 'unlinked', accounts: [{ mask: '0000' }, { mask: '1111' }] });
    scene.plaid.setFaults({ next: [{ fault: 'error_after', op: 'item.remove' }] });
    await expect(scene.look(bank)).rejects.toBeInstanceOf(VendorError);
    expect(await scene.look(bank)).toEqual({ status: 'unlinked', lookAt: null });
    const [row] = await scene.api.sql('SELECT access_token FROM bank_connections WHERE id = $1', [bank.id]);
    expect(row.access_token).toBeNull();
    expect(await scene.look(bank)).toEqual({ status: 'unlinked', lookAt: null });
    const removals = scene.plaid.effectsOf(bank.itemId).filter(({ op }) => op === 'item.remove');
    expect(removals).toHaveLength(1);
    expect(await scene.movements(bank.tenant)).toEqual(['2026-03-04 1000 USD new']);
    for (const act of ['sync', 'test']) {
      const answer = await scene.api.request('POST', `${path}/${act}`, {
        token: bank.tenant.token,
        body: {},
      });
      expect(answer).toMatchObject({ status: 409, body: { reason: 'bank_connection_unlinked' } });
    }
    await scene.ok(bank.tenant, 'POST', `${path}/unlink`, {});
    expect(await scene.ok(bank.tenant, 'GET', '/v1/bank/health')).toMatchObject({
      status: 'ok',
      connections: [],
    });
  });
});

it('an announced end is told even where the look that it causes is refused', async () => {
  const bank = await scene.connect(await scene.tenant());
  await scene.look(bank);
  scene.plaid.expectDisconnect(bank.itemId);
  await scene.plaid.flushWebhooks();
  scene.plaid.failNext({ op: 'transactions.sync', error: 'INVALID_API_KEYS' });
  await scene.look(bank);
  expect(await scene.connection(bank)).toMatchObject({ status: 'active', disconnectExpectedSince: at });
  await scene.look(bank, { at: hoursLater(1) });
  expect(await scene.connection(bank)).toMatchObject({ disconnectExpectedSince: at, lastFailedAt: at });
  expect(await scene.mails(bank.tenant)).toEqual(['First Platypus Bank will end the connection within days']);
});

describe('the health of banks', () => {
  it('is ok while all is read, and says what waits', async () => {
    const bank = await scene.connect(await scene.tenant());
    scene.plaid.addTransactions(bank.itemId, [wire('10.00', 'A', '2026-03-01'), wire('20.00', 'B')]);
    await scene.look(bank, { at: new Date().toISOString() });
    expect(await scene.ok(bank.tenant, 'GET', '/v1/bank/health')).toMatchObject({
      status: 'ok',
      reasons: [],
      waitingMovements: 2,
      oldestWaitingOn: '2026-03-01',
      connections: [{ id: bank.id, status: 'active', concerns: [], waitingMovements: 2 }],
    });
    expect(await scene.ok(bank.tenant, 'POST', `/v1/bank_connections/${bank.id}/test`, {})).toMatchObject({
      isReadable: true,
      problem: null,
      institutionName: 'First Platypus Bank',
      accounts: [{ mask: '0000' }, { mask: '1111' }],
    });
  });

  it('says why it is not', async () => {
    const bank = await scene.connect(await scene.tenant());
    await scene.look(bank, { at: new Date(Date.now() - 7 * 3_600_000).toISOString() });
    const reasons = async () =>
      (await scene.ok(bank.tenant, 'GET', '/v1/bank/health')).reasons.map(
        ({ concern }: { concern: string }) => concern,
      );
    expect(await reasons()).toEqual(['stale']);
    scene.plaid.requireLogin(bank.itemId);
    await scene.look(bank);
    expect(await reasons()).toEqual(['needs_reauth']);
  });
});

describe('where Plaid is not set up in production', () => {
  it('no bank is connected, the answer says what to set, and no webhook is believed', async () => {
    const off = await createBankScene({
      config: { ...testConfig, plaid: { ...testConfig.plaid, enabled: false } },
    });
    const tenant = await off.tenant();
    const before = await off.api.rowCounts();
    for (const [path, body] of [
      ['/v1/bank_link_tokens', {}],
      ['/v1/bank_connections', { publicToken: 'public-sandbox-12345678' }],
    ] as const) {
      const answer = await off.api.request('POST', path, { token: tenant.token, body });
      expect(answer).toMatchObject({
        status: 409,
        body: { reason: 'plaid_not_configured', detail: expect.stringContaining('PLAID_CLIENT_ID') },
      });
    }
    const told = await off.api.request('POST', '/webhooks/plaid', { key: null, body: '{}' });
    expect(told).toMatchObject({ status: 400, body: { code: 'invalid_signature' } });
    expect(await off.api.rowCounts()).toEqual(before);
    await off.close();
  });
});

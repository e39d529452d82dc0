/** Into which accounts customers pay: every mistake is told at once, and every version is kept. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, startTestApi, type TestApi, type TestTenant } from '../support/api.ts';
import { eur, usd } from '../support/receiving-accounts.ts';

let api: TestApi;
let tenant: TestTenant;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

const put = (body: unknown, { token } = tenant, key = randomUUID()) =>
  api.request('PUT', '/v1/bank_details', { token, body, key });
const get = (path = '', { token } = tenant) => api.request('GET', `/v1/bank_details${path}`, { token });

describe('bank details', () => {
  it('are read as they were sent, each version for ever, with who gave it', async () => {
    tenant = await api.tenant();
    expect(await get()).toMatchObject({ status: 404, body: { reason: 'bank_details_not_found' } });
    const first = await put({ expectedVersion: 0, accounts: [usd] });
    expect(first).toMatchObject({ status: 200, body: { version: 1, accounts: [usd] } });
    const second = await put({
      expectedVersion: 1,
      accounts: [usd, eur],
      internationalWireAccountId: 'usd-main',
    });
    expect(second.body).toMatchObject({
      version: 2,
      accounts: [usd, eur],
      internationalWireAccountId: 'usd-main',
    });
    expect((await get()).body).toEqual(second.body);
    expect((await get('/versions/1')).body).toEqual(first.body);
    expect((await get('/versions/3')).status).toBe(404);
    const { body } = await api.request('GET', '/v1/audit_log', { token: tenant.token });
    const changes = body.data.filter(({ action }: Json) => action === 'bank_details.changed');
    expect(changes.map(({ details }: Json) => details)).toEqual([
      { version: 2, accounts: ['usd-main', 'eur-main'] },
      { version: 1, accounts: ['usd-main'] },
    ]);
    expect(JSON.stringify(changes)).not.toContain(usd.accountNumber);
  });

  it('that are read can be sent back as they are: the same content is the same version', async () => {
    tenant = await api.tenant();
    const kenyan = {
      id: 'kes',
      country: 'KE',
      currency: 'USD',
      holder: 'Acme',
      bankName: 'Equity',
      scheme: 'local',
      accountNumber: '0100001234567',
      fields: [{ label: 'Branch code', value: '068' }],
    };
    await put({ expectedVersion: 0, accounts: [eur, kenyan] });
    const { accounts, internationalWireAccountId, version } = (await get()).body;
    const content = { accounts, internationalWireAccountId };
    for (const expectedVersion of [version, 0, 7]) {
      expect((await put({ expectedVersion, ...content })).body.version).toBe(1);
    }
    const spaced = { ...eur, iban: 'de89 3704 0044 0532 0130 00' };
    expect((await put({ expectedVersion: 1, accounts: [spaced, kenyan] })).body.version).toBe(1);
    expect((await put({ expectedVersion: 1, accounts: [kenyan, eur] })).body.version).toBe(2);
  });

  it('that somebody else has changed meanwhile are refused, also when both are sent at once', async () => {
    tenant = await api.tenant();
    await put({ expectedVersion: 0, accounts: [usd] });
    const answers = await Promise.all(
      ['A', 'B', 'C'].map((holder) => put({ expectedVersion: 1, accounts: [{ ...usd, holder }] })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({
      code: 'state_conflict',
      reason: 'bank_details_changed',
      detail: expect.stringContaining('version 2'),
    });
    for (const expectedVersion of [0, 1, 3]) {
      expect((await put({ expectedVersion, accounts: [eur] })).status).toBe(409);
    }
  });

  it('with mistakes are told all of them with their places, and nothing is kept', async () => {
    tenant = await api.tenant();
    const before = await api.rowCounts(tenant.tenantId);
    const { status, body } = await put({
      expectedVersion: 0,
      accounts: [
        { ...usd, achRoutingNumber: '021000022', accountNumber: '', nickname: 'x' },
        { ...eur, iban: 'DE89370400440532013001', bic: 'COBA' },
        'no account',
      ],
      internationalWireAccountId: 'none',
    });
    expect([status, body.code]).toEqual([422, 'bank_details_unusable']);
    expect(body.errors.map(({ path }: Json) => path)).toEqual(
      expect.arrayContaining([
        'body.accounts.0.achRoutingNumber',
        'body.accounts.0.accountNumber',
        'body.accounts.0.nickname',
        'body.accounts.1.iban',
        'body.accounts.1.bic',
        'body.accounts.2',
        'body.internationalWireAccountId',
      ]),
    );
    expect(JSON.stringify(body)).not.toContain('DE89370400440532013001');
    const after = await api.rowCounts(tenant.tenantId);
    expect({ ...after, idempotency_keys: 0 }).toEqual({ ...before, idempotency_keys: 0 });
  });

  it.each([
    [{ accounts: [usd] }],
    [{ expectedVersion: -1, accounts: [usd] }],
    [{ expectedVersion: 0.5, accounts: [usd] }],
    [{ expectedVersion: 0, accounts: 'all' }],
    [{ expectedVersion: 0, accounts: [usd], more: 1 }],
  ])('of another form are refused: %j', async (body) => {
    tenant = await api.tenant();
    expect(await put(body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it('of another tenant are not seen', async () => {
    tenant = await api.tenant();
    await put({ expectedVersion: 0, accounts: [usd] });
    const other = await api.tenant();
    expect((await get('', other)).status).toBe(404);
    expect((await get('/versions/1', other)).status).toBe(404);
    expect((await put({ expectedVersion: 0, accounts: [eur] }, other)).body.version).toBe(1);
    expect((await get()).body.accounts).toMatchObject([usd]);
  });
});

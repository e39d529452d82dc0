/** What an Idempotency-Key promises: whatever is repeated, and however often, happens once. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi, type TestTenant } from '../support/api.ts';

let api: TestApi;
let tenant: TestTenant;

beforeAll(async () => {
  api = await startTestApi();
  tenant = await api.tenant();
});
afterAll(() => api.close());

const ada = { email: 'ada@example.com', name: 'Ada Lovelace', currency: 'USD' };

function createCustomer(key: string | null, body: object = ada, token = tenant.token) {
  return api.request('POST', '/v1/customers', { token, key, body });
}

describe('a repeated request', () => {
  it('gets the same answer, marked as repeated, and creates nothing more', async () => {
    const key = randomUUID();
    const first = await createCustomer(key);
    const before = await api.rowCounts(tenant.tenantId);
    const second = await createCustomer(key);

    expect(first.status).toBe(201);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(second).toMatchObject({ status: 201, body: first.body });
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(await api.rowCounts(tenant.tenantId)).toEqual(before);
  });

  it('is the same whatever the order of its fields', async () => {
    const key = randomUUID();
    const first = await createCustomer(key);
    const second = await createCustomer(key, {
      currency: 'USD',
      name: 'Ada Lovelace',
      email: 'ada@example.com',
    });
    expect(second).toMatchObject({ status: 201, body: { id: first.body.id } });
  });

  it('sent ten times at once creates one row, and all ten get it', async () => {
    const key = randomUUID();
    const before = await api.rowCounts(tenant.tenantId);
    const answers = await Promise.all(Array.from({ length: 10 }, () => createCustomer(key)));
    const after = await api.rowCounts(tenant.tenantId);

    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(201));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(9);
    expect((after['customers'] ?? 0) - (before['customers'] ?? 0)).toBe(1);
    expect((after['audit_log'] ?? 0) - (before['audit_log'] ?? 0)).toBe(1);
  });
});

describe('a key', () => {
  it('is required for everything that creates or acts', async () => {
    const answer = await createCustomer(null);
    expect(answer).toMatchObject({ status: 400, body: { code: 'idempotency_key_required' } });
  });

  it.each(['with space', 'x'.repeat(256), 'ümlaut'])('of the form %j is refused', async (key) => {
    const answer = await createCustomer(key);
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it('that stands for another body, or another operation, is refused', async () => {
    const key = randomUUID();
    await createCustomer(key);
    const otherBody = await createCustomer(key, { ...ada, name: 'Someone else' });
    expect(otherBody).toMatchObject({ status: 409, body: { code: 'idempotency_key_reused' } });
    const otherOperation = await api.request('POST', '/v1/api_keys', {
      token: tenant.token,
      key,
      body: { name: 'x', scopes: ['billing:read'] },
    });
    expect(otherOperation).toMatchObject({ status: 409, body: { code: 'idempotency_key_reused' } });
  });

  it('belongs to its tenant: another tenant may use the same', async () => {
    const other = await api.tenant();
    const key = randomUUID();
    const first = await createCustomer(key);
    const second = await createCustomer(key, ada, other.token);
    expect(second.status).toBe(201);
    expect(second.body.id).not.toBe(first.body.id);
  });

  it('of a refused request is free for the corrected one', async () => {
    const key = randomUUID();
    const externalRef = randomUUID();
    await createCustomer(randomUUID(), { ...ada, externalRef });
    const taken = await createCustomer(key, { ...ada, externalRef });
    expect(taken).toMatchObject({ status: 409, body: { code: 'already_exists' } });
    const corrected = await createCustomer(key, { ...ada, externalRef: randomUUID() });
    expect(corrected.status).toBe(201);
    expect(corrected.headers.get('idempotency-replayed')).toBeNull();
  });
});

describe('what is kept of an answer', () => {
  it('holds no personal data of a customer, and the repeated answer is whole nevertheless', async () => {
    const key = randomUUID();
    const { body } = await createCustomer(key, { ...ada, email: 'grace@example.com', name: 'Grace Hopper' });
    const [row] = await api.sql('SELECT * FROM idempotency_keys WHERE key = $1', [key]);
    expect(JSON.stringify(row)).not.toMatch(/grace|hopper/i);
    expect(
      (await createCustomer(key, { ...ada, email: 'grace@example.com', name: 'Grace Hopper' })).body,
    ).toEqual(body);
  });

  it('holds no API key: its token is shown once', async () => {
    const key = randomUUID();
    const request = { token: tenant.token, key, body: { name: 'Service', scopes: ['billing:read'] } };
    const first = await api.request('POST', '/v1/api_keys', request);
    const second = await api.request('POST', '/v1/api_keys', request);

    expect(first.body.token).toMatch(/^pk_key_[0-9a-f]{32}\.[\w-]{43}$/);
    expect(second).toMatchObject({ status: 201, body: { ...first.body, token: null } });
    const secret = first.body.token.split('.')[1];
    const dump = JSON.stringify([
      await api.sql('SELECT * FROM idempotency_keys'),
      await api.sql('SELECT * FROM api_keys'),
      await api.sql('SELECT * FROM audit_log'),
    ]);
    expect(dump).not.toContain(secret);
  });
});

describe('a write that is cut off', () => {
  it('before its commit has left nothing, not even its key; repeated, it happens once', async () => {
    const key = randomUUID();
    const before = await api.rowCounts(tenant.tenantId);
    // The last statement of the transaction fails, as a connection that breaks there would make it.
    await api.sql(`
      CREATE FUNCTION break_here() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'terminating connection' USING ERRCODE = 'admin_shutdown'; END $$;
      CREATE TRIGGER break_here BEFORE UPDATE ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION break_here()`);
    const broken = await createCustomer(key);
    await api.sql('DROP TRIGGER break_here ON idempotency_keys; DROP FUNCTION break_here()');

    expect(broken).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
    expect(broken.headers.get('retry-after')).toBe('2');
    expect(await api.rowCounts(tenant.tenantId)).toEqual(before);
    const repeated = await createCustomer(key);
    expect(repeated.status).toBe(201);
    expect((await api.rowCounts(tenant.tenantId))['customers']).toBe((before['customers'] ?? 0) + 1);
  });
});

/** What every operation of the API has in common: media types, limits, problems, headers, documents. */
import { gzipSync } from 'node:zlib';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, startTestApi, type TestApi, type TestTenant } from '../support/api.ts';

let api: TestApi;
let tenant: TestTenant;

beforeAll(async () => {
  api = await startTestApi();
  tenant = await api.tenant();
});
afterAll(() => api.close());

const customer = { email: 'ada@example.com', name: 'Ada', currency: 'USD' };

describe('requests that do not fit', () => {
  it('a path that names nothing is a 404 problem, with or without a key', async () => {
    for (const token of [null, tenant.token]) {
      const answer = await api.request('GET', '/v1/nothing', { token });
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found', status: 404 } });
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
    }
  });

  it('an id that cannot be one is 404 and not a mistake of the form', async () => {
    const answer = await api.request('GET', '/v1/customers/cus_x', { token: tenant.token });
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  it('a path that is no valid URL path is 400', async () => {
    const answer = await api.request('GET', '/v1/customers/%E0%A4%A', { token: tenant.token });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it.each(['DELETE', 'PUT', 'OPTIONS'])('%s on a list is 405 and names what is allowed', async (method) => {
    const answer = await api.request(method, '/v1/customers', { token: tenant.token });
    expect(answer).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } });
    expect(answer.headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'POST']);
  });

  it('a body that is no JSON is 400', async () => {
    const answer = await api.request('POST', '/v1/customers', { token: tenant.token, body: '{"email":' });
    expect(answer).toMatchObject({ status: 400, body: { code: 'malformed_json' } });
  });

  it('a body that is JSON but no object is 400', async () => {
    for (const body of ['[]', '"text"', '17', 'null']) {
      const answer = await api.request('POST', '/v1/customers', { token: tenant.token, body });
      expect(answer.status).toBe(400);
    }
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml'])(
    'a body of type %s is 415',
    async (type) => {
      const answer = await api.request('POST', '/v1/customers', {
        token: tenant.token,
        body: JSON.stringify(customer),
        headers: { 'content-type': type },
      });
      expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
    },
  );

  it('a body of more than 1 MiB is 413, one of less is looked at', async () => {
    const withName = (bytes: number) => JSON.stringify({ ...customer, name: 'x'.repeat(bytes) });
    const large = await api.request('POST', '/v1/customers', {
      token: tenant.token,
      body: withName(1024 * 1024),
    });
    expect(large).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
    const smaller = await api.request('POST', '/v1/customers', {
      token: tenant.token,
      body: withName(1000 * 1024),
    });
    expect(smaller).toMatchObject({ status: 400, body: { errors: [{ path: 'body.name' }] } });
  });

  it.each(['gzip', 'deflate', 'br'])('a body that is no %s although it says so is 400', async (encoding) => {
    for (const body of [JSON.stringify(customer), gzipSync(JSON.stringify(customer)).subarray(0, 20)]) {
      const answer = await api.request('POST', '/v1/customers', {
        token: tenant.token,
        body,
        headers: { 'content-encoding': encoding },
      });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    }
  });

  it('a compressed body is read, up to 1 MiB of what was compressed', async () => {
    const send = (body: object) =>
      api.request('POST', '/v1/customers', {
        token: tenant.token,
        body: gzipSync(JSON.stringify(body)),
        headers: { 'content-encoding': 'gzip' },
      });
    expect(await send(customer)).toMatchObject({ status: 201 });
    const bomb = { ...customer, name: 'x'.repeat(1024 * 1024) };
    expect(await send(bomb)).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
  });

  it('a body compressed in a way nobody reads is 415', async () => {
    const answer = await api.request('POST', '/v1/customers', {
      token: tenant.token,
      body: customer,
      headers: { 'content-encoding': 'compress' },
    });
    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
  });

  it('a stranger cannot make us read a large body', async () => {
    const answer = await api.request('POST', '/v1/customers', { body: 'x'.repeat(2 * 1024 * 1024) });
    expect(answer.status).toBe(401);
  });

  it('every mistake of a request is named at once, with its place', async () => {
    const answer = await api.request('POST', '/v1/customers?limit=3', {
      token: tenant.token,
      body: { email: 'nobody', name: '', currency: 'usd', surprise: 1 },
    });
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
      'body.currency',
      'body.email',
      'body.name',
      'body.surprise',
      'query.limit',
    ]);
  });

  it.each(['0', '101', '-1', '1.5', 'many', ''])('a page size of %j is refused', async (limit) => {
    const answer = await api.request('GET', `/v1/customers?limit=${limit}`, { token: tenant.token });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: 'query.limit' }] } });
  });

  it.each(['cus_1', 'sub_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b', "' or 1=1"])(
    'a cursor %j is refused',
    async (cursor) => {
      const answer = await api.request('GET', `/v1/customers?cursor=${encodeURIComponent(cursor)}`, {
        token: tenant.token,
      });
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: 'query.cursor' }] } });
    },
  );

  it('a parameter given twice is refused', async () => {
    const answer = await api.request('GET', '/v1/customers?limit=1&limit=2', { token: tenant.token });
    expect(answer.status).toBe(400);
  });
});

describe('answers', () => {
  it('carry security headers and no trace of what serves them', async () => {
    const { headers } = await api.request('GET', '/v1/customers', { token: tenant.token });
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it("carry the caller's request id where it is a plain one, else one of ours", async () => {
    const given = await api.request('GET', '/healthz', { headers: { 'x-request-id': 'order-17' } });
    expect(given.headers.get('x-request-id')).toBe('order-17');
    const odd = await api.request('GET', '/healthz', { headers: { 'x-request-id': 'a b' } });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('a 401 says how to authenticate', async () => {
    const { status, headers } = await api.request('GET', '/v1/customers');
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe('Bearer');
  });
});

describe('documents', () => {
  it('the OpenAPI document is a valid one of version 3.1', async () => {
    const result = await new Validator().validate(structuredClone(api.document));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(api.document.openapi).toBe('3.1.0');
  });

  it('every operation under /v1 has an id of its own, a scope, security, and a problem for each of its refusals', () => {
    const operations = operationsOf(api.document).filter(({ path }) => path.startsWith('/v1/'));
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
    for (const { operation } of operations) {
      expect(operation['x-scope']).toMatch(/^(billing|operations|reports|tenants):(read|write)$/);
      expect(operation.security).toEqual([{ apiKey: [] }]);
      expect(Object.keys(operation.responses)).toEqual(
        expect.arrayContaining(['400', '401', '403', '500', '503']),
      );
    }
  });

  it('paths are in snake case, and POST and PUT that change something ask for an Idempotency-Key', () => {
    for (const { path, method, operation } of operationsOf(api.document)) {
      expect(path).toMatch(/^(\/([a-z0-9_.]+|\{[a-zA-Z]+\}))+$/);
      const keyed = (operation.parameters ?? []).some(({ name }: Json) => name === 'Idempotency-Key');
      const changes = ['post', 'put'].includes(method) && operation['x-effect'] !== 'read';
      expect([path, keyed]).toEqual([path, path.startsWith('/v1/') && changes]);
    }
  });

  it('every link leads to an operation and fills parameters it has', () => {
    const operations = operationsOf(api.document);
    const byId = new Map(operations.map((each) => [each.operation.operationId, each.operation]));
    const links = operations.flatMap(({ operation }) =>
      Object.values(operation.responses).flatMap((response: Json) => Object.values(response.links ?? {})),
    ) as Json[];
    expect(links.length).toBeGreaterThan(10);
    for (const { operationId, parameters = {} } of links) {
      const names = byId.get(operationId).parameters?.map(({ name }: Json) => name) ?? [];
      expect(names).toEqual(expect.arrayContaining(Object.keys(parameters)));
    }
  });

  it('every example is as its schema says', async () => {
    const { Ajv2020 } = await import('ajv/dist/2020.js');
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(api.document, 'openapi');
    const wrong = mediaTypesOf(api.document).flatMap(({ where, media }) => {
      if (media.example === undefined) return [];
      const schema = JSON.parse(JSON.stringify(media.schema).replaceAll('"#/', '"openapi#/'));
      const validate = ajv.compile(schema);
      return validate(media.example) ? [] : [`${where}: ${ajv.errorsText(validate.errors)}`];
    });
    expect(wrong).toEqual([]);
  });

  it('the reference page and all it loads come from this machine', async () => {
    const page = await api.request('GET', '/docs');
    expect(page.status).toBe(200);
    const sources = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source);
    expect(sources).toHaveLength(4);
    for (const source of sources) {
      expect(source).toMatch(/^\/docs\//);
      expect((await api.request('GET', source)).status).toBe(200);
    }
  });
});

describe('health', () => {
  it('the process is healthy while Temporal is away, and not ready, and says why', async () => {
    expect(await api.request('GET', '/healthz')).toMatchObject({ status: 200, body: { ok: true } });
    const { status, body } = await api.request('GET', '/readyz');
    expect(status).toBe(503);
    expect(body).toMatchObject({
      ready: false,
      checks: {
        database: { ok: true },
        migrations: { ok: true },
        temporal: { ok: false },
        workers: { ok: false },
      },
    });
  });

  it('a migration that was not applied is named', async () => {
    const [last] = await api.sql(
      'DELETE FROM drizzle.__drizzle_migrations WHERE id = (SELECT max(id) FROM drizzle.__drizzle_migrations) RETURNING *',
    );
    const { body } = await api.request('GET', '/readyz');
    await api.sql('INSERT INTO drizzle.__drizzle_migrations (id, hash, created_at) VALUES ($1, $2, $3)', [
      last.id,
      last.hash,
      last.created_at,
    ]);
    expect(body.checks.migrations).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/^not applied: \d{4}_/),
    });
  });

  it('a job that has not succeeded for two intervals is listed', async () => {
    await api.request('GET', '/readyz');
    expect((await api.request('GET', '/readyz')).body.overdueSchedules).toEqual([]);
    await api.sql(
      "UPDATE schedule_runs SET first_seen_at = now() - interval '3 hours' WHERE name = 'missed-webhooks'",
    );
    const { body } = await api.request('GET', '/readyz');
    expect(body.overdueSchedules).toEqual([
      { schedule: 'missed-webhooks', lastSuccessAt: null, everySeconds: 3600 },
    ]);
  });
});

type Operation = { path: string; method: string; operation: Json };

function operationsOf(document: Json): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Json).map(([method, operation]) => ({
      path,
      method,
      operation: operation as Json,
    })),
  );
}

function mediaTypesOf(document: Json): { where: string; media: Json }[] {
  return operationsOf(document).flatMap(({ path, method, operation }) => [
    ...Object.values(operation.requestBody?.content ?? {}).map((media) => ({
      where: `${method} ${path}`,
      media,
    })),
    ...Object.entries(operation.responses).flatMap(([status, response]) =>
      Object.values((response as Json).content ?? {}).map((media) => ({
        where: `${method} ${path} ${status}`,
        media,
      })),
    ),
  ]);
}

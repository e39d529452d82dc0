/**
 * The API in this process on a port and a database of its own. Every answer a test gets is checked against the OpenAPI
 * document the API serves: a status or a body that is not declared fails the test that met it.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Client } from '@temporalio/client';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formatsPlugin from 'ajv-formats';
import pg from 'pg';
import { createApi } from '../../api/app.ts';
import { scopes } from '../../api/scopes.ts';
import { type Config, loadConfig } from '../../config/env.ts';
import { createLogger, type Logger } from '../../config/logger.ts';
import { createDatabase, type Database, withTenant } from '../../db/client.ts';
import type { PlanRow } from '../../db/queries/billing/subscriptions.ts';
import { createApiKey } from '../../db/queries/tenants/api-keys.ts';
import { createPlans, createTenant, type SeedPlan } from '../../db/seed/tenant.ts';
import type { TaxEngine } from '../../domain/billing/tax-engine.ts';
import type { ObjectStorage } from '../../domain/operations/object-storage.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import { ensureNamespace } from '../../temporal/namespace.ts';
import { createTestDatabase } from './database.ts';
import { noBanks, testBanks } from './plaid.ts';
import { temporalAddress } from './services.ts';
import { createTestStorage } from './storage.ts';
import { noTaxEngine } from './tax-engine.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests read the fields they assert.
export type Json = any;

export type TestAnswer = { status: number; body: Json; headers: Headers };

export type RequestOptions = {
  token?: string | null;
  body?: unknown;
  /** A fresh one for POST and PUT unless given; null sends none. */
  key?: string | null;
  headers?: Record<string, string>;
};

export type TestTenant = { tenantId: string; token: string; plans: Record<string, PlanRow> };

export type TestApi = {
  url: string;
  db: Database;
  /** What `/openapi.json` says. */
  document: Json;
  /** A tenant with the default policies, plans and a key that may do everything. */
  tenant(options?: { demoDaySeconds?: number; timeZone?: string }): Promise<TestTenant>;
  /** A key of a tenant with these scopes. */
  key(tenantId: string, scopes: readonly string[], expiresAt?: Date): Promise<{ id: string; token: string }>;
  request(method: string, path: string, options?: RequestOptions): Promise<TestAnswer>;
  /** How many rows every table has, as the owner of the database sees them; of one tenant where its id is given. */
  rowCounts(tenantId?: string): Promise<Record<string, number>>;
  /** A statement as the owner of the database. */
  sql(statement: string, values?: unknown[]): Promise<Json[]>;
  close(): Promise<void>;
};

export const testConfig = loadConfig({ NODE_ENV: 'test' });

/** Without a client the API's Temporal is a port where nobody listens. */
export async function startTestApi({
  temporal,
  taxEngine = noTaxEngine,
  plaidUrl,
  storage = createTestStorage(),
  config = testConfig,
  clock = () => new Date(),
  log = createLogger({ name: 'test-api', level: 'silent' }),
}: {
  temporal?: Client;
  taxEngine?: TaxEngine;
  /** Where Plaid listens; without, nobody does. */
  plaidUrl?: string;
  storage?: ObjectStorage;
  config?: Config;
  clock?: () => Date;
  log?: Logger;
} = {}): Promise<TestApi> {
  const database = await createTestDatabase();
  const admin = new pg.Pool({ connectionString: database.adminUrl, max: 2 });
  admin.on('error', () => {});
  const db = createDatabase({ url: database.url });
  const client = temporal ?? nowhere();
  const server = createApi({
    db,
    temporal: client,
    taxEngine,
    ...(plaidUrl === undefined ? noBanks : testBanks(plaidUrl)),
    storage,
    log,
    config,
    clock,
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A connection that is closed for idleness just when the next request is sent would fail a test on a busy machine.
  server.keepAliveTimeout = 0;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Json;
  const check = answerChecker(document);

  return {
    url,
    db,
    document,
    tenant: (options = {}) => newTenant(db, options),
    key: (tenantId, keyScopes, expiresAt) =>
      withTenant(db, tenantId, async (tx) => {
        const made = await createApiKey(tx, {
          tenantId,
          name: 'test',
          scopes: [...keyScopes],
          expiresAt: expiresAt ?? null,
        });
        return { id: made.apiKey.id, token: made.token };
      }),
    async request(method, path, options = {}) {
      const response = await fetch(`${url}${path}`, requestInit(method, options));
      const text = await textOf(response);
      const isJson = response.headers.get('content-type')?.includes('json') ?? false;
      const answer = {
        status: response.status,
        body: isJson ? JSON.parse(text) : text,
        headers: response.headers,
      };
      check(method, path, answer);
      return answer;
    },
    rowCounts: (tenantId) => countRows(admin, tenantId),
    sql: async (statement, values = []) => (await admin.query(statement, values)).rows,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await db.close();
      await admin.end();
      await database.drop();
    },
  };
}

/** A client of the dev server with a namespace of its own, for tests that want processes to start. */
export async function openTemporal(): Promise<Client> {
  const client = createTemporalClient({
    target: { address: temporalAddress(), namespace: `test-${randomUUID()}`, credentials: {} },
    dataConverter: createDataConverter(testConfig.encryption),
  });
  await ensureNamespace({ client, log: createLogger({ name: 'test', level: 'silent' }) });
  return client;
}

/** Plans of every shape a test asks for. */
const testPlans: readonly SeedPlan[] = [
  plan({ code: 'pro-monthly', name: 'Pro monthly', priceMinor: 2900 }),
  plan({ code: 'team-monthly', name: 'Team monthly', priceMinor: 9900 }),
  plan({ code: 'pro-euro', name: 'Pro in euro', currency: 'EUR' }),
  plan({ code: 'free', name: 'Free', priceMinor: 0, policy: { trialDays: 0 } }),
  plan({ code: 'other-monthly', name: 'Other', family: 'other' }),
];

function plan(differs: Partial<SeedPlan> & Pick<SeedPlan, 'code' | 'name'>): SeedPlan {
  return {
    family: 'books',
    rank: 1,
    priceMinor: 2900,
    currency: 'USD',
    interval: { unit: 'month', count: 1 },
    ...differs,
  };
}

async function newTenant(
  db: Database,
  options: { demoDaySeconds?: number; timeZone?: string },
): Promise<TestTenant> {
  const tenantId = await createTenant(db, { name: 'Acme Books', ...options });
  const rows = await createPlans(db, tenantId, testPlans);
  const { token } = await withTenant(db, tenantId, (tx) =>
    createApiKey(tx, { tenantId, name: 'all', scopes: [...scopes], expiresAt: null }),
  );
  return { tenantId, token, plans: Object.fromEntries(rows.map((row) => [row.code, row])) };
}

function nowhere(): Client {
  return createTemporalClient({
    target: { address: '127.0.0.1:1', namespace: 'nowhere', credentials: {} },
    dataConverter: createDataConverter(testConfig.encryption),
  });
}

/** Of a file that is no text, one character for each byte. */
async function textOf(response: Response): Promise<string> {
  if (response.headers.get('content-type') !== 'application/octet-stream') return response.text();
  return Buffer.from(await response.arrayBuffer()).toString('latin1');
}

function requestInit(method: string, { token, body, key, headers = {} }: RequestOptions): RequestInit {
  const needsKey = key !== undefined || method === 'POST' || method === 'PUT';
  const sent = key === undefined ? randomUUID() : key;
  return {
    method,
    redirect: 'manual',
    headers: {
      ...(token != null && { authorization: `Bearer ${token}` }),
      ...(needsKey && sent !== null && { 'idempotency-key': sent }),
      ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && {
      body:
        typeof body === 'string' || body instanceof Uint8Array || body instanceof FormData
          ? (body as NonNullable<RequestInit['body']>)
          : JSON.stringify(body),
    }),
  };
}

type Checker = (method: string, path: string, answer: TestAnswer) => void;

/** Throws where an answer of a declared operation is not as declared. */
function answerChecker(document: Json): Checker {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formatsPlugin.default(ajv);
  ajv.addSchema(document, 'openapi');
  const paths = Object.keys(document.paths).map((path) => ({
    path,
    pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
  }));
  return (method, target, { status, body, headers }) => {
    const path = paths.find(({ pattern }) => pattern.test(target.split('?')[0] ?? ''))?.path;
    const operation = path === undefined ? undefined : document.paths[path][method.toLowerCase()];
    if (path === undefined || operation === undefined) return;
    const where = `${method} ${path} answered ${status}`;
    const declared = operation.responses[String(status)];
    if (declared === undefined)
      throw new Error(`${where}, which its description does not know: ${JSON.stringify(body)}`);
    const mediaType = headers.get('content-type')?.split(';')[0] ?? '';
    if (declared.content[mediaType] === undefined)
      throw new Error(`${where} as ${mediaType}, which is not declared`);
    const pointer = [
      'paths',
      path,
      method.toLowerCase(),
      'responses',
      String(status),
      'content',
      mediaType,
      'schema',
    ];
    const validate = ajv.getSchema(
      `openapi#/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`,
    );
    if (validate === undefined) throw new Error(`${where}: no schema`);
    if (!validate(body))
      throw new Error(`${where} with a body that is not as declared: ${ajv.errorsText(validate.errors)}`);
    const isUnnamed = body?.code === 'state_conflict' && !declared.description.includes(`\`${body.reason}\``);
    if (operation.tags.includes('Coins') && isUnnamed)
      throw new Error(`${where} with the reason ${body.reason}, which its description does not name`);
  };
}

/** One statement for all tables: tests compare before and after very often. */
async function countRows(admin: pg.Pool, tenantId: string | undefined): Promise<Record<string, number>> {
  const { rows: tables } = await admin.query<{ name: string; scoped: boolean }>(
    `SELECT t.table_name AS name,
            EXISTS (SELECT FROM information_schema.columns c
                    WHERE c.table_schema = 'public' AND c.table_name = t.table_name AND c.column_name = 'tenant_id') AS scoped
     FROM information_schema.tables t WHERE t.table_schema = 'public' AND t.table_type = 'BASE TABLE' ORDER BY 1`,
  );
  const counts = tables
    .filter(({ scoped }) => tenantId === undefined || scoped)
    .map(({ name }) => {
      const where = tenantId === undefined ? '' : `WHERE tenant_id = '${tenantId}'`;
      return `SELECT '${name}' AS name, count(*)::int AS count FROM "${name}" ${where}`;
    });
  const { rows } = await admin.query<{ name: string; count: number }>(counts.join(' UNION ALL '));
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

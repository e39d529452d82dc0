/**
 * Who may do what, over every operation of the OpenAPI document: no key, a malformed, unknown, expired or revoked one, a
 * key without the scope, a key of another tenant, and the right one. An operation that is added must say here what a
 * right request to it looks like, or this file fails.
 */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scopes } from '../../api/scopes.ts';
import { withTenant } from '../../db/client.ts';
import { issueInvoice } from '../../db/queries/billing/invoices.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { reconcileSchedules } from '../../temporal/schedules.ts';
import {
  type Json,
  openTemporal,
  startTestApi,
  type TestAnswer,
  type TestApi,
  type TestTenant,
} from '../support/api.ts';
import { type Processes, startProcesses } from './api-processes.ts';

let temporal: Client;
let api: TestApi;
let processes: Processes;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  temporal = await openTemporal();
  await reconcileSchedules(temporal);
  api = await startTestApi({ temporal });
  processes = await startProcesses({ db: api.db, temporal });
  [tenant, other] = [await api.tenant(), await api.tenant()];
});
afterAll(async () => {
  await processes.stop();
  await api.close();
  await temporal.connection.close();
});

type Call = { path: string; body?: unknown };

/**
 * A request that succeeds with a right key. `foreign`: what a key of another tenant gets. `not_found`: the object is
 * not there. `own`: the operation concerns the caller's own tenant whatever it names.
 */
type Sample = { call: (things: Things) => Promise<Call> | Call; foreign: 'not_found' | 'own' };

/** Makes what a request names, in the tenant. */
type Things = {
  customer(): Promise<string>;
  plan(): Promise<string>;
  trial(): Promise<string>;
  invoice(): Promise<string>;
  payment(): Promise<string>;
  notification(): Promise<string>;
};

const step = { day: 1, retry: false, template: 'subscription_cancelled_unpaid', end: 'cancel' };
const cash = () => ({ amountMinor: 1, currency: 'USD', reference: randomUUID() });

const samples: Record<string, Sample> = {
  createCustomer: {
    call: () => ({
      path: '/v1/customers',
      body: { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' },
    }),
    foreign: 'own',
  },
  listCustomers: { call: () => ({ path: '/v1/customers' }), foreign: 'own' },
  getCustomer: { call: async (a) => ({ path: `/v1/customers/${await a.customer()}` }), foreign: 'not_found' },
  changeCustomer: {
    call: async (a) => ({ path: `/v1/customers/${await a.customer()}`, body: { name: 'Ada King' } }),
    foreign: 'not_found',
  },
  createPlan: {
    call: () => ({
      path: '/v1/plans',
      body: {
        code: randomUUID(),
        name: 'New',
        family: 'new',
        priceMinor: 1,
        currency: 'USD',
        interval: { unit: 'month' },
      },
    }),
    foreign: 'own',
  },
  listPlans: { call: () => ({ path: '/v1/plans' }), foreign: 'own' },
  getPlan: { call: async (a) => ({ path: `/v1/plans/${await a.plan()}` }), foreign: 'not_found' },
  archivePlan: {
    call: async (a) => ({ path: `/v1/plans/${await a.plan()}/archive`, body: {} }),
    foreign: 'not_found',
  },
  createSubscription: {
    call: async (a) => ({
      path: '/v1/subscriptions',
      body: { customerId: await a.customer(), planCode: 'pro-monthly' },
    }),
    foreign: 'not_found',
  },
  listSubscriptions: { call: () => ({ path: '/v1/subscriptions' }), foreign: 'own' },
  getSubscription: {
    call: async (a) => ({ path: `/v1/subscriptions/${await a.trial()}` }),
    foreign: 'not_found',
  },
  getSubscriptionTimeline: {
    call: async (a) => ({ path: `/v1/subscriptions/${await a.trial()}/timeline` }),
    foreign: 'not_found',
  },
  changePaymentMethod: {
    call: async (a) => ({
      path: `/v1/subscriptions/${await a.trial()}/payment_method`,
      body: { paymentMethodId: 'pm_card_visa' },
    }),
    foreign: 'not_found',
  },
  convertSubscription: {
    call: async (a) => {
      const id = await a.trial();
      await api.request('PUT', `/v1/subscriptions/${id}/payment_method`, {
        token: tenant.token,
        body: { paymentMethodId: 'pm_card_visa' },
      });
      return { path: `/v1/subscriptions/${id}/convert`, body: {} };
    },
    foreign: 'not_found',
  },
  cancelSubscription: {
    call: async (a) => ({ path: `/v1/subscriptions/${await a.trial()}/cancel`, body: {} }),
    foreign: 'not_found',
  },
  undoCancelSubscription: {
    call: async (a) => {
      const id = await a.trial();
      await api.request('POST', `/v1/subscriptions/${id}/cancel`, { token: tenant.token, body: {} });
      return { path: `/v1/subscriptions/${id}/undo_cancel`, body: {} };
    },
    foreign: 'not_found',
  },
  extendTrial: {
    call: async (a) => ({ path: `/v1/subscriptions/${await a.trial()}/extend_trial`, body: { days: 1 } }),
    foreign: 'not_found',
  },
  listInvoices: { call: () => ({ path: '/v1/invoices' }), foreign: 'own' },
  getInvoice: { call: async (a) => ({ path: `/v1/invoices/${await a.invoice()}` }), foreign: 'not_found' },
  recordPayment: {
    call: async (a) => ({ path: `/v1/invoices/${await a.invoice()}/payments`, body: cash() }),
    foreign: 'not_found',
  },
  listPayments: { call: () => ({ path: '/v1/payments' }), foreign: 'own' },
  getPayment: { call: async (a) => ({ path: `/v1/payments/${await a.payment()}` }), foreign: 'not_found' },
  listDunningPolicies: { call: () => ({ path: '/v1/dunning_policies' }), foreign: 'own' },
  getDunningPolicy: { call: () => ({ path: '/v1/dunning_policies/standard_30' }), foreign: 'own' },
  putDunningPolicy: {
    call: () => ({ path: '/v1/dunning_policies/short_1', body: { graceDays: 0, steps: [step] } }),
    foreign: 'own',
  },
  listNotifications: { call: () => ({ path: '/v1/notifications' }), foreign: 'own' },
  getNotification: {
    call: async (a) => ({ path: `/v1/notifications/${await a.notification()}` }),
    foreign: 'not_found',
  },
  getTrialStatistics: { call: () => ({ path: '/v1/trial_statistics' }), foreign: 'own' },
  listSchedules: { call: () => ({ path: '/v1/schedules' }), foreign: 'own' },
  triggerSchedule: { call: () => ({ path: '/v1/schedules/relay-sweep/trigger', body: {} }), foreign: 'own' },
  createApiKey: {
    call: () => ({ path: '/v1/api_keys', body: { name: 'x', scopes: ['tenants:write'] } }),
    foreign: 'own',
  },
  listApiKeys: { call: () => ({ path: '/v1/api_keys' }), foreign: 'own' },
  revokeApiKey: {
    call: async () => ({
      path: `/v1/api_keys/${(await api.key(tenant.tenantId, ['billing:read'])).id}/revoke`,
      body: {},
    }),
    foreign: 'not_found',
  },
  listAuditLog: { call: () => ({ path: '/v1/audit_log' }), foreign: 'own' },
};

function thingsOf({ tenantId, token }: TestTenant): Things {
  const post = async (path: string, body: unknown): Promise<Json> => {
    const answer = await api.request('POST', path, { token, body });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const things: Things = {
    customer: async () =>
      (await post('/v1/customers', { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' }))
        .id,
    plan: async () =>
      (
        await post('/v1/plans', {
          code: randomUUID(),
          name: 'A plan',
          family: 'plans',
          priceMinor: 100,
          currency: 'USD',
          interval: { unit: 'month' },
        })
      ).id,
    trial: async () =>
      (await post('/v1/subscriptions', { customerId: await things.customer(), planCode: 'pro-monthly' })).id,
    async invoice() {
      const subscriptionId = await things.trial();
      const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
      return withTenant(api.db, tenantId, async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        return (await issueInvoice(tx, context, { periodIndex: 0, period, at: new Date() })).id;
      });
    },
    payment: async () => (await post(`/v1/invoices/${await things.invoice()}/payments`, cash())).paymentId,
    async notification() {
      const { body } = await api.request('GET', `/v1/notifications?subscriptionId=${await things.trial()}`, {
        token,
      });
      return body.data[0].id;
    },
  };
  return things;
}

type Operation = { operationId: string; method: string; scope: string };

/** Read before the tests are collected, from an API of its own. */
const operations = await (async (): Promise<Operation[]> => {
  const reader = await startTestApi();
  const found = Object.values(reader.document.paths as Json).flatMap((methods: Json) =>
    Object.entries(methods).map(([method, operation]: [string, Json]) => ({
      operationId: operation.operationId,
      method: method.toUpperCase(),
      scope: operation['x-scope'],
    })),
  );
  await reader.close();
  return found.filter(({ scope }) => scope !== undefined);
})();

it('every operation with a scope has a sample, and every sample an operation', () => {
  expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(samples).sort());
});

describe.each(operations)('$operationId', ({ operationId, method, scope }) => {
  const sample = samples[operationId] as Sample;
  const request = ({ path, body }: Call, token: string | null): Promise<TestAnswer> =>
    api.request(method, path, { token, ...(body !== undefined && { body }) });
  let call: Call;
  let withoutScope: string;
  let withScope: string;
  let useless: [name: string, token: string | null, code: string][];

  beforeAll(async () => {
    call = await sample.call(thingsOf(tenant));
    const keyOf = (keyScopes: readonly string[], expiresAt?: Date) =>
      api.key(tenant.tenantId, keyScopes, expiresAt);
    withScope = (await keyOf([scope])).token;
    withoutScope = (await keyOf(scopes.filter((each) => each !== scope))).token;
    const expired = await keyOf([scope], new Date(Date.now() - 1000));
    const revoked = await keyOf([scope]);
    await api.request('POST', `/v1/api_keys/${revoked.id}/revoke`, { token: tenant.token, body: {} });
    const [id] = tenant.token.split('.');
    useless = [
      ['none', null, 'unauthenticated'],
      ['malformed', 'pk_secret', 'unauthenticated'],
      ['empty', '', 'unauthenticated'],
      ['unknown', `pk_key_${'0'.repeat(32)}.${'A'.repeat(43)}`, 'unauthenticated'],
      ['wrong secret', `${id}.${'A'.repeat(43)}`, 'unauthenticated'],
      ['expired', expired.token, 'api_key_expired'],
      ['revoked', revoked.token, 'api_key_revoked'],
    ];
  });

  it('without a right key is 401 and writes nothing', async () => {
    const before = await writtenBy();
    for (const [name, token, code] of useless) {
      const answer = await request(call, token);
      expect([name, answer.status, answer.body.code]).toEqual([name, 401, code]);
    }
    expect(await writtenBy()).toEqual(before);
  });

  it('with every scope but its own is 403 and writes nothing', async () => {
    const before = await writtenBy();
    const answer = await request(call, withoutScope);
    expect(answer).toMatchObject({ status: 403, body: { code: 'insufficient_scope' } });
    expect(answer.body.detail).toContain(scope);
    expect(await writtenBy()).toEqual(before);
  });

  it('with a key of another tenant neither shows nor changes anything of this one', async () => {
    const before = await writtenBy(tenant.tenantId);
    const answer = await request(call, other.token);
    if (sample.foreign === 'not_found')
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    else expect(answer.status).toBeLessThan(300);
    expect(JSON.stringify(answer.body)).not.toContain(tenant.tenantId);
    for (const { id } of answer.body.data ?? []) expect(await ownerOf(id)).not.toBe(tenant.tenantId);
    expect(await writtenBy(tenant.tenantId)).toEqual(before);
  });

  it('with a right key that has its scope only, succeeds', async () => {
    const answer = await request(call, withScope);
    expect(answer).toMatchObject({ status: expect.toSatisfy((status) => status < 300) });
  });
});

/** A job that was triggered notes its success when it likes. */
async function writtenBy(tenantId?: string): Promise<Record<string, number>> {
  const { schedule_runs: _jobs, ...counts } = await api.rowCounts(tenantId);
  return counts;
}

const tables: Record<string, string> = {
  cus: 'customers',
  plan: 'plans',
  sub: 'subscriptions',
  inv: 'invoices',
  pay: 'payments',
  ntf: 'notifications',
  key: 'api_keys',
  aud: 'audit_log',
};

async function ownerOf(id: string | undefined): Promise<string | undefined> {
  const table = tables[id?.split('_')[0] ?? ''];
  if (table === undefined) return undefined;
  const [row] = await api.sql(`SELECT tenant_id FROM ${table} WHERE id = $1`, [id]);
  return row.tenant_id;
}

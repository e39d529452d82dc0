/**
 * Who may do what, over every operation of the OpenAPI document: no key, a malformed, unknown, expired or revoked one, a
 * key without the scope, a key of another tenant, and the right one. An operation that is added must say here what a
 * right request to it looks like, and a field what it names, or this file fails.
 */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scopes } from '../../api/scopes.ts';
import { withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { disputes } from '../../db/schema/payments.ts';
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
  /** Of a recorded payment, so it is given back at once. */
  refund(): Promise<string>;
  creditNote(): Promise<string>;
  dispute(): Promise<string>;
  /** A line of the invoice of that payment. */
  lineOf(paymentId: string): Promise<string>;
  notification(): Promise<string>;
  /** The name of a dunning policy that no other tenant has, in its second version. */
  policy(): Promise<string>;
  /** A card that is a customer's payment method. */
  card(): Promise<string>;
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
    call: async (a) => ({ path: `/v1/subscriptions/${await trialWithCard(a)}/convert`, body: {} }),
    foreign: 'not_found',
  },
  previewPlanChange: {
    call: async (a) => ({
      path: `/v1/subscriptions/${await a.trial()}/preview_change`,
      body: { quantity: 2 },
    }),
    foreign: 'not_found',
  },
  changePlan: {
    call: async (a) => ({ path: `/v1/subscriptions/${await a.trial()}/change_plan`, body: { quantity: 2 } }),
    foreign: 'not_found',
  },
  pauseSubscription: {
    call: async (a) => ({ path: `/v1/subscriptions/${await converted(a)}/pause`, body: {} }),
    foreign: 'not_found',
  },
  resumeSubscription: {
    call: async (a) => {
      const id = await converted(a);
      await api.request('POST', `/v1/subscriptions/${id}/pause`, { token: tenant.token, body: {} });
      return { path: `/v1/subscriptions/${id}/resume`, body: {} };
    },
    foreign: 'not_found',
  },
  undoPlanChange: {
    call: async (a) => {
      const id = await converted(a);
      const body = { planId: await a.plan() };
      await api.request('POST', `/v1/subscriptions/${id}/change_plan`, { token: tenant.token, body });
      return { path: `/v1/subscriptions/${id}/undo_change`, body: {} };
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
  getInvoicePdf: {
    call: async (a) => ({ path: `/v1/invoices/${await a.invoice()}/pdf` }),
    foreign: 'not_found',
  },
  getPaymentReceipt: {
    call: async (a) => ({ path: `/v1/payments/${await a.payment()}/receipt` }),
    foreign: 'not_found',
  },
  recordPayment: {
    call: async (a) => ({ path: `/v1/invoices/${await a.invoice()}/payments`, body: cash() }),
    foreign: 'not_found',
  },
  listPayments: { call: () => ({ path: '/v1/payments' }), foreign: 'own' },
  getPayment: { call: async (a) => ({ path: `/v1/payments/${await a.payment()}` }), foreign: 'not_found' },
  createRefund: {
    call: async (a) => ({ path: `/v1/payments/${await a.payment()}/refunds`, body: {} }),
    foreign: 'not_found',
  },
  listRefunds: { call: () => ({ path: '/v1/refunds' }), foreign: 'own' },
  getRefund: { call: async (a) => ({ path: `/v1/refunds/${await a.refund()}` }), foreign: 'not_found' },
  listCreditNotes: { call: () => ({ path: '/v1/credit_notes' }), foreign: 'own' },
  getCreditNote: {
    call: async (a) => ({ path: `/v1/credit_notes/${await a.creditNote()}` }),
    foreign: 'not_found',
  },
  listDisputes: { call: () => ({ path: '/v1/disputes' }), foreign: 'own' },
  getDispute: { call: async (a) => ({ path: `/v1/disputes/${await a.dispute()}` }), foreign: 'not_found' },
  listDunningPolicies: { call: () => ({ path: '/v1/dunning_policies' }), foreign: 'own' },
  getDunningPolicy: {
    call: async (a) => ({ path: `/v1/dunning_policies/${await a.policy()}` }),
    foreign: 'not_found',
  },
  putDunningPolicy: {
    call: async (a) => ({
      path: `/v1/dunning_policies/${await a.policy()}`,
      body: { graceDays: 0, steps: [step] },
    }),
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

async function trialWithCard(a: Things): Promise<string> {
  const id = await a.trial();
  await api.request('PUT', `/v1/subscriptions/${id}/payment_method`, {
    token: tenant.token,
    body: { paymentMethodId: 'pm_card_visa' },
  });
  return id;
}

async function converted(a: Things): Promise<string> {
  const id = await trialWithCard(a);
  await api.request('POST', `/v1/subscriptions/${id}/convert`, { token: tenant.token, body: {} });
  return id;
}

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
        return (await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at: new Date() })).id;
      });
    },
    payment: async () => (await post(`/v1/invoices/${await things.invoice()}/payments`, cash())).paymentId,
    refund: async () => (await post(`/v1/payments/${await things.payment()}/refunds`, {})).id,
    async creditNote() {
      const { customerId } = (await api.request('GET', `/v1/refunds/${await things.refund()}`, { token }))
        .body;
      return (await api.request('GET', `/v1/credit_notes?customerId=${customerId}`, { token })).body.data[0]
        .id;
    },
    async dispute() {
      const { body } = await api.request('GET', `/v1/payments/${await things.payment()}`, { token });
      const { id: paymentId, customerId, invoiceId, currency } = body;
      const id = newId('dsp');
      const about = { tenantId, customerId, invoiceId, paymentId, externalId: id, amountMinor: 1, currency };
      const row = { id, ...about, reason: 'fraudulent', status: 'open', openedAt: new Date() } as const;
      await withTenant(api.db, tenantId, (tx) => tx.insert(disputes).values(row));
      return id;
    },
    async lineOf(paymentId) {
      const payment = (await api.request('GET', `/v1/payments/${paymentId}`, { token })).body;
      return (await api.request('GET', `/v1/invoices/${payment.invoiceId}`, { token })).body.lines[0].id;
    },
    async notification() {
      const { body } = await api.request('GET', `/v1/notifications?subscriptionId=${await things.trial()}`, {
        token,
      });
      return body.data[0].id;
    },
    async policy() {
      const name = `policy-${randomUUID()}`;
      const put = () =>
        api.request('PUT', `/v1/dunning_policies/${name}`, { token, body: { graceDays: 0, steps: [step] } });
      await put();
      expect((await put()).body).toMatchObject({ name, version: 2 });
      return name;
    },
    async card() {
      const paymentMethodId = processes.stripe.createCard({ outcomes: ['succeeded'] });
      const path = `/v1/subscriptions/${await things.trial()}/payment_method`;
      const answer = await api.request('PUT', path, { token, body: { paymentMethodId } });
      expect(answer.status).toBe(200);
      return paymentMethodId;
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
    if (sample.foreign === 'own')
      for (const id of idsIn(answer.body)) expect(await ownerOf(id)).not.toBe(tenant.tenantId);
    expect(await writtenBy(tenant.tenantId)).toEqual(before);
  });

  it('with a right key that has its scope only, succeeds', async () => {
    const answer = await request(call, withScope);
    expect(answer).toMatchObject({ status: expect.toSatisfy((status) => status < 300) });
  });
});

/** What a field of a query or a body says without naming anything that exists. */
const plainFields: ReadonlySet<string> = new Set([
  'createCustomer email',
  'createCustomer name',
  'changeCustomer email',
  'changeCustomer name',
  'createPlan name',
  'createPlan family',
  'cancelSubscription reason',
  'cancelSubscription comment',
  'extendTrial reason',
  'pauseSubscription resumesAt',
  'createRefund reason',
  'recordPayment receivedAt',
  'recordPayment note',
  'createApiKey name',
  'createApiKey expiresAt',
]);

/**
 * A request of one tenant that names what another has. `nothing`: an empty page. `own`: it concerns the caller's own
 * things, as if the other tenant had none of that name. Otherwise the problem it meets.
 */
type Naming = {
  call: (theirs: Things, mine: Things) => Promise<Call>;
  meets: 'nothing' | 'own' | 'not_found' | 'policy_unusable' | 'payment_method_invalid';
};

/** A page of what belongs to the other tenant's customer, subscription or invoice. */
const filtered = (
  path: string,
  name: string,
  listed: Exclude<keyof Things, 'policy' | 'card' | 'lineOf'>,
): Naming => ({
  call: async (theirs) => {
    const one = await api.request('GET', `${path}/${await theirs[listed]()}`, { token: tenant.token });
    return { path: `${path}?${name}=${one.body[name]}` };
  },
  meets: 'nothing',
});

/** Pages go on after the id, whoever has it, with what the caller has on both sides of it. */
const paged = (path: string, thing: Exclude<keyof Things, 'card' | 'lineOf'>): Naming => ({
  call: async (theirs, mine) => {
    await mine[thing]();
    const cursor = await theirs[thing]();
    await mine[thing]();
    return { path: `${path}?limit=100&cursor=${cursor}` };
  },
  meets: 'own',
});

const firstIdOf = async (path: string): Promise<string> =>
  (await api.request('GET', path, { token: tenant.token })).body.data[0].id;

const refOf = async (theirs: Things): Promise<string> => {
  const externalRef = randomUUID();
  const path = `/v1/customers/${await theirs.customer()}`;
  const answer = await api.request('PATCH', path, { token: tenant.token, body: { externalRef } });
  expect(answer.status).toBe(200);
  return externalRef;
};

const namings: Record<string, Naming> = {
  'listCustomers cursor': paged('/v1/customers', 'customer'),
  'listCustomers externalRef': {
    call: async (theirs) => ({ path: `/v1/customers?externalRef=${await refOf(theirs)}` }),
    meets: 'nothing',
  },
  'createCustomer externalRef': {
    call: async (theirs) => {
      const body = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
      return { path: '/v1/customers', body: { ...body, externalRef: await refOf(theirs) } };
    },
    meets: 'own',
  },
  'changeCustomer externalRef': {
    call: async (theirs, mine) => ({
      path: `/v1/customers/${await mine.customer()}`,
      body: { externalRef: await refOf(theirs) },
    }),
    meets: 'own',
  },
  'createPlan code': {
    call: async (theirs) => ({ path: '/v1/plans', body: newPlan(await codeOf(theirs)) }),
    meets: 'own',
  },
  'createPlan policy.dunningPolicy': {
    call: async (theirs) => ({
      path: '/v1/plans',
      body: { ...newPlan(randomUUID()), policy: { dunningPolicy: await theirs.policy() } },
    }),
    meets: 'policy_unusable',
  },
  'listPlans cursor': paged('/v1/plans', 'plan'),
  'createSubscription customerId': {
    call: async (theirs) => ({
      path: '/v1/subscriptions',
      body: { customerId: await theirs.customer(), planCode: 'pro-monthly' },
    }),
    meets: 'not_found',
  },
  'createSubscription planId': {
    call: async (theirs, mine) => ({
      path: '/v1/subscriptions',
      body: { customerId: await mine.customer(), planId: await theirs.plan() },
    }),
    meets: 'not_found',
  },
  'previewPlanChange planId': {
    call: async (theirs, mine) => ({
      path: `/v1/subscriptions/${await mine.trial()}/preview_change`,
      body: { planId: await theirs.plan() },
    }),
    meets: 'not_found',
  },
  'previewPlanChange planCode': {
    call: async (theirs, mine) => ({
      path: `/v1/subscriptions/${await mine.trial()}/preview_change`,
      body: { planCode: await codeOf(theirs) },
    }),
    meets: 'not_found',
  },
  'changePlan planId': {
    call: async (theirs, mine) => ({
      path: `/v1/subscriptions/${await mine.trial()}/change_plan`,
      body: { planId: await theirs.plan() },
    }),
    meets: 'not_found',
  },
  'changePlan planCode': {
    call: async (theirs, mine) => ({
      path: `/v1/subscriptions/${await mine.trial()}/change_plan`,
      body: { planCode: await codeOf(theirs) },
    }),
    meets: 'not_found',
  },
  'createSubscription planCode': {
    call: async (theirs, mine) => ({
      path: '/v1/subscriptions',
      body: { customerId: await mine.customer(), planCode: await codeOf(theirs) },
    }),
    meets: 'not_found',
  },
  'listSubscriptions cursor': paged('/v1/subscriptions', 'trial'),
  'listSubscriptions customerId': filtered('/v1/subscriptions', 'customerId', 'trial'),
  'getSubscriptionTimeline cursor': {
    call: async (theirs, mine) => {
      const entry = await firstIdOf(`/v1/subscriptions/${await theirs.trial()}/timeline`);
      return { path: `/v1/subscriptions/${await mine.trial()}/timeline?cursor=${entry}` };
    },
    meets: 'own',
  },
  'changePaymentMethod paymentMethodId': {
    call: async (theirs, mine) => ({
      path: `/v1/subscriptions/${await mine.trial()}/payment_method`,
      body: { paymentMethodId: await theirs.card() },
    }),
    meets: 'payment_method_invalid',
  },
  'listInvoices cursor': paged('/v1/invoices', 'invoice'),
  'listInvoices customerId': filtered('/v1/invoices', 'customerId', 'invoice'),
  'listInvoices subscriptionId': filtered('/v1/invoices', 'subscriptionId', 'invoice'),
  'recordPayment reference': {
    call: async (theirs, mine) => {
      const { externalId } = (
        await api.request('GET', `/v1/payments/${await theirs.payment()}`, { token: tenant.token })
      ).body;
      return {
        path: `/v1/invoices/${await mine.invoice()}/payments`,
        body: { ...cash(), reference: externalId },
      };
    },
    meets: 'own',
  },
  'listPayments cursor': paged('/v1/payments', 'payment'),
  'listPayments customerId': filtered('/v1/payments', 'customerId', 'payment'),
  'listPayments invoiceId': filtered('/v1/payments', 'invoiceId', 'payment'),
  'createRefund lines.lineId': {
    call: async (theirs, mine) => ({
      path: `/v1/payments/${await mine.payment()}/refunds`,
      body: { lines: [{ lineId: await theirs.lineOf(await theirs.payment()) }] },
    }),
    meets: 'not_found',
  },
  'listRefunds cursor': paged('/v1/refunds', 'refund'),
  'listRefunds customerId': filtered('/v1/refunds', 'customerId', 'refund'),
  'listRefunds paymentId': filtered('/v1/refunds', 'paymentId', 'refund'),
  'listCreditNotes cursor': paged('/v1/credit_notes', 'creditNote'),
  'listCreditNotes customerId': filtered('/v1/credit_notes', 'customerId', 'creditNote'),
  'listCreditNotes invoiceId': filtered('/v1/credit_notes', 'invoiceId', 'creditNote'),
  'listDisputes cursor': paged('/v1/disputes', 'dispute'),
  'listDisputes customerId': filtered('/v1/disputes', 'customerId', 'dispute'),
  'listDisputes paymentId': filtered('/v1/disputes', 'paymentId', 'dispute'),
  'listDunningPolicies cursor': {
    call: async (theirs) => ({ path: `/v1/dunning_policies?cursor=${await theirs.policy()}` }),
    meets: 'own',
  },
  'listNotifications cursor': paged('/v1/notifications', 'notification'),
  'listNotifications customerId': filtered('/v1/notifications', 'customerId', 'notification'),
  'listNotifications subscriptionId': filtered('/v1/notifications', 'subscriptionId', 'notification'),
  'listApiKeys cursor': {
    call: async () => ({ path: `/v1/api_keys?cursor=${await firstIdOf('/v1/api_keys')}` }),
    meets: 'own',
  },
  'listAuditLog cursor': {
    call: async () => ({ path: `/v1/audit_log?cursor=${await firstIdOf('/v1/audit_log')}` }),
    meets: 'own',
  },
  'listAuditLog entityId': {
    call: async (theirs) => {
      const name = await theirs.policy();
      const [row] = await api.sql('SELECT id FROM dunning_policies WHERE name = $1', [name]);
      return { path: `/v1/audit_log?entityId=${row.id}` };
    },
    meets: 'nothing',
  },
};

async function codeOf(theirs: Things): Promise<string> {
  return (await api.request('GET', `/v1/plans/${await theirs.plan()}`, { token: tenant.token })).body.code;
}

function newPlan(code: string) {
  const interval = { unit: 'month' };
  return { code, name: 'New', family: 'new', priceMinor: 1, currency: 'USD', interval };
}

describe('a field of a query or a body', () => {
  it('either names something, and then has a sample, or is known to name nothing', () => {
    const known = [...Object.keys(namings), ...plainFields];
    expect(fieldsOf(api.document).sort()).toEqual(known.sort());
  });

  it.each(Object.entries(namings))(
    '%s that names what another tenant has neither shows nor changes it',
    async (field, { call, meets }) => {
      const { path, body } = await call(thingsOf(tenant), thingsOf(other));
      const before = await writtenBy(tenant.tenantId);
      const { method } = operations.find(
        ({ operationId }) => operationId === field.split(' ')[0],
      ) as Operation;
      const answer = await api.request(method, path, {
        token: other.token,
        ...(body !== undefined && { body }),
      });
      if (meets === 'nothing') {
        expect(answer).toMatchObject({ status: 200, body: { data: [] } });
        const seen = await api.request(method, path, { token: tenant.token });
        expect(seen.body.data, 'its owner sees it').not.toEqual([]);
      } else if (meets === 'own') expect(answer.status).toBeLessThan(300);
      else expect(answer.body.code).toBe(meets);
      if (meets === 'own') expect(answer.body.data).not.toEqual([]);

      // A problem repeats what the caller has named, and nothing else.
      const named = idsIn({ path, body });
      for (const id of idsIn(answer.body)) {
        if (!named.includes(id) || meets === 'own') expect(await ownerOf(id)).not.toBe(tenant.tenantId);
      }
      expect(await writtenBy(tenant.tenantId)).toEqual(before);
    },
  );
});

describe('a dunning policy of another tenant', () => {
  it('is not listed, and one of the same name begins with its own first version', async () => {
    const name = await thingsOf(tenant).policy();
    const listed = await api.request('GET', '/v1/dunning_policies?limit=100', { token: other.token });
    const names = listed.body.data.map((each: Json) => each.name);
    expect(names).toContain('standard_30');
    expect(names).not.toContain(name);

    const path = `/v1/dunning_policies/${name}`;
    const edited = { graceDays: 0, steps: [{ ...step, day: 2 }] };
    const put = await api.request('PUT', path, { token: other.token, body: edited });
    expect(put).toMatchObject({ status: 200, body: { version: 1, steps: edited.steps } });
    const theirs = await api.request('GET', path, { token: tenant.token });
    expect(theirs).toMatchObject({ status: 200, body: { version: 2, steps: [step] } });
  });
});

/** Every field of a query or a body that takes any text: `operation field`, nested ones with their path. */
function fieldsOf(document: Json): string[] {
  const deref = (schema: Json): Json => {
    if (schema?.$ref === undefined) return schema;
    const keys: string[] = schema.$ref.slice('#/'.length).split('/');
    return deref(keys.reduce((within, key) => within[key], document));
  };
  const textsIn = (given: Json, path: string): string[] => {
    const schema = deref(given) ?? {};
    const { items, properties = {}, anyOf = [], oneOf = [], allOf = [] } = schema;
    const isText = [schema.type].flat().includes('string') && schema.enum === undefined;
    return [
      ...(isText ? [path] : []),
      ...(items === undefined ? [] : textsIn(items, path)),
      ...[...anyOf, ...oneOf, ...allOf].flatMap((each: Json) => textsIn(each, path)),
      ...Object.entries(properties).flatMap(([key, value]) =>
        textsIn(value, path === '' ? key : `${path}.${key}`),
      ),
    ];
  };
  const fields = Object.values(document.paths as Json).flatMap((methods: Json) =>
    Object.values(methods).flatMap((operation: Json) => {
      if (operation['x-scope'] === undefined) return [];
      const queries = (operation.parameters ?? [])
        .map(deref)
        .filter((parameter: Json) => parameter.in === 'query')
        .flatMap(({ name, schema }: Json) => textsIn(schema, name));
      const body = textsIn(deref(operation.requestBody)?.content['application/json'].schema, '');
      return [...queries, ...body].map((field) => `${operation.operationId} ${field}`);
    }),
  );
  return [...new Set(fields)];
}

/** Whatever looks like an id of ours, anywhere in an answer. */
function idsIn(body: Json): string[] {
  return [...new Set(JSON.stringify(body).match(/\b[a-z]+_[0-9a-f]{32}\b/g) ?? [])];
}

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
  ref: 'refunds',
  cn: 'credit_notes',
  dsp: 'disputes',
  line: 'invoice_lines',
  ntf: 'notifications',
  key: 'api_keys',
  aud: 'audit_log',
  evt: 'subscription_events',
  dpol: 'dunning_policies',
  dcase: 'dunning_cases',
};

async function ownerOf(id: string | undefined): Promise<string | undefined> {
  const table = tables[id?.split('_')[0] ?? ''];
  if (table === undefined) return undefined;
  const [row] = await api.sql(`SELECT tenant_id FROM ${table} WHERE id = $1`, [id]);
  return row?.tenant_id;
}

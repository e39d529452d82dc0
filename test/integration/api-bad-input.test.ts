/** Bad input: a clear 4xx, and not a row is written anywhere. */
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import {
  openTemporal,
  startTestApi,
  type TestAnswer,
  type TestApi,
  type TestTenant,
} from '../support/api.ts';

let temporal: Client;
let api: TestApi;
let tenant: TestTenant;
let foreign: TestTenant;
let customerId: string;
let foreignCustomerId: string;
let subscriptionId: string;
let invoiceId: string;

beforeAll(async () => {
  temporal = await openTemporal();
  api = await startTestApi({ temporal });
  [tenant, foreign] = [await api.tenant(), await api.tenant()];
  customerId = await newCustomer(tenant, 'ada@example.com');
  foreignCustomerId = await newCustomer(foreign, 'bob@example.com');
  const { body } = await post('/v1/subscriptions', { customerId, planCode: 'pro-monthly' });
  subscriptionId = body.id;
  invoiceId = await openInvoice(tenant.tenantId, subscriptionId);
});
afterAll(async () => {
  await api.close();
  await temporal.connection.close();
});

async function newCustomer({ token }: TestTenant, email: string, currency = 'USD'): Promise<string> {
  const body = { email, name: 'Somebody', currency };
  return (await api.request('POST', '/v1/customers', { token, body })).body.id;
}

function post(path: string, body: unknown): Promise<TestAnswer> {
  return api.request('POST', path, { token: tenant.token, body });
}

async function openInvoice(tenantId: string, subscriptionId: string): Promise<string> {
  return withTenant(api.db, tenantId, async (tx) => {
    const context = await lockSubscription(tx, subscriptionId);
    const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
    return (await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at: new Date() })).id;
  });
}

/** The request is refused with this status and code, and every table has as many rows as before. */
async function expectRefusal(
  request: () => Promise<TestAnswer>,
  status: number,
  code: string,
): Promise<TestAnswer> {
  const before = await api.rowCounts();
  const answer = await request();
  expect([answer.status, answer.body.code]).toEqual([status, code]);
  expect(answer.body.detail).not.toBe('');
  expect(await api.rowCounts()).toEqual(before);
  return answer;
}

const customer = { email: 'new@example.com', name: 'New', currency: 'USD' };
const plan = {
  code: 'new',
  name: 'New',
  family: 'books',
  priceMinor: 100,
  currency: 'USD',
  interval: { unit: 'month' },
};

describe('customers', () => {
  it.each([
    ['an unknown field', { ...customer, admin: true }],
    [
      'a field that tries to be a prototype',
      JSON.parse('{"email":"new@example.com","name":"New","currency":"USD","__proto__":{"x":1}}'),
    ],
    ['no e-mail address', { ...customer, email: undefined }],
    ['something that is no e-mail address', { ...customer, email: 'new@' }],
    ['an unknown currency', { ...customer, currency: 'XXX' }],
    ['a currency in lower case', { ...customer, currency: 'usd' }],
    ['an empty name', { ...customer, name: '' }],
    ['a name with a NUL character', { ...customer, name: 'New\u0000' }],
    ['a name with half a character', { ...customer, name: 'New\ud800' }],
    ['a name of 201 characters', { ...customer, name: 'x'.repeat(201) }],
    ['a number for a name', { ...customer, name: 17 }],
  ])('%s is refused', async (_what, body) => {
    await expectRefusal(() => post('/v1/customers', body), 400, 'invalid_request');
  });

  it('an external reference is taken once', async () => {
    await post('/v1/customers', { ...customer, externalRef: 'account-1' });
    await expectRefusal(
      () => post('/v1/customers', { ...customer, externalRef: 'account-1' }),
      409,
      'already_exists',
    );
    await expectRefusal(
      () =>
        api.request('PATCH', `/v1/customers/${customerId}`, {
          token: tenant.token,
          body: { externalRef: 'account-1' },
        }),
      409,
      'already_exists',
    );
  });

  it('the currency of a customer never changes', async () => {
    await expectRefusal(
      () =>
        api.request('PATCH', `/v1/customers/${customerId}`, {
          token: tenant.token,
          body: { currency: 'EUR' },
        }),
      400,
      'invalid_request',
    );
  });
});

describe('plans', () => {
  it.each([
    ['a negative price', { priceMinor: -1 }],
    ['a fractional price', { priceMinor: 29.5 }],
    ['a price as text', { priceMinor: '2900' }],
    ['a price beyond exact integers', { priceMinor: 2 ** 53 }],
    ['an interval of nothing', { interval: { unit: 'month', count: 0 } }],
    ['an unknown interval', { interval: { unit: 'decade', count: 1 } }],
    ['an unknown field of the policy', { policy: { trialDays: 7, surprise: 1 } }],
    ['a fractional trial', { policy: { trialDays: 7.5 } }],
    ['no delay after a technical failure', { policy: { technicalRetryMinutes: [] } }],
  ])('%s is refused', async (_what, differs) => {
    await expectRefusal(() => post('/v1/plans', { ...plan, ...differs }), 400, 'invalid_request');
  });

  it('a policy that cannot work is refused with every mistake', async () => {
    const policy = {
      retentionDays: 5,
      winBack: [{ template: 'win_back_1', daysAfterEnd: 7 }],
      dunningPolicy: 'unknown',
    };
    const { body } = await expectRefusal(
      () => post('/v1/plans', { ...plan, policy }),
      422,
      'policy_unusable',
    );
    expect(body.errors.map(({ path }: { path: string }) => path)).toEqual([
      'body.policy.winBack.win_back_1',
      'body.policy.dunningPolicy',
    ]);
  });

  it('a code is never used again, not even after the archive', async () => {
    const { body } = await post('/v1/plans', { ...plan, code: 'once' });
    await post(`/v1/plans/${body.id}/archive`, {});
    await expectRefusal(() => post('/v1/plans', { ...plan, code: 'once' }), 409, 'already_exists');
  });
});

describe('a plan that is sold', () => {
  it.each(['PUT', 'PATCH', 'DELETE'])('is not changed by %s: a new price is a new plan', async (method) => {
    const { body: sold } = await post('/v1/plans', { ...plan, code: `sold-${method.toLowerCase()}` });
    const path = `/v1/plans/${sold.id}`;
    const answer = await expectRefusal(
      () => api.request(method, path, { token: tenant.token, body: { ...plan, priceMinor: 1 } }),
      405,
      'method_not_allowed',
    );
    expect(answer.headers.get('allow')).toBe('GET');
    expect((await api.request('GET', path, { token: tenant.token })).body).toEqual(sold);
  });

  it('keeps its price when it is archived', async () => {
    const { body: sold } = await post('/v1/plans', { ...plan, code: 'sold-out' });
    const archive = `/v1/plans/${sold.id}/archive`;
    await expectRefusal(() => post(archive, { priceMinor: 1 }), 400, 'invalid_request');
    const { archivedAt, ...archived } = (await post(archive, {})).body;
    expect({ ...archived, archivedAt: null }).toEqual(sold);
    expect(archivedAt).not.toBeNull();
  });
});

describe('subscriptions', () => {
  it.each([
    ['no plan', () => ({ customerId })],
    ['two plans', () => ({ customerId, planCode: 'pro-monthly', planId: tenant.plans['pro-monthly']?.id })],
    ['an unknown field', () => ({ customerId, planCode: 'pro-monthly', price: 0 })],
    ['an unknown start', () => ({ customerId, planCode: 'pro-monthly', start: 'free' })],
    ['no customer', () => ({ planCode: 'pro-monthly' })],
    ['no seat', () => ({ customerId, planCode: 'pro-monthly', quantity: 0 })],
    ['seats below zero', () => ({ customerId, planCode: 'pro-monthly', quantity: -1 })],
    ['half a seat', () => ({ customerId, planCode: 'pro-monthly', quantity: 1.5 })],
    ['a thousand million seats', () => ({ customerId, planCode: 'pro-monthly', quantity: 1_000_000_000 })],
  ])('%s is refused', async (_what, body) => {
    await expectRefusal(() => post('/v1/subscriptions', body()), 400, 'invalid_request');
  });

  it.each([
    ["another tenant's customer", () => ({ customerId: foreignCustomerId, planCode: 'pro-monthly' })],
    ["another tenant's plan", () => ({ customerId, planId: foreign.plans['pro-monthly']?.id })],
    ['a customer that does not exist', () => ({ customerId: newId('cus'), planCode: 'pro-monthly' })],
    ['a plan that does not exist', () => ({ customerId, planCode: 'nothing' })],
  ])('%s is not found', async (_what, body) => {
    await expectRefusal(() => post('/v1/subscriptions', body()), 404, 'not_found');
  });

  it('a plan in another currency is refused', async () => {
    const answer = await expectRefusal(
      () => post('/v1/subscriptions', { customerId, planCode: 'pro-euro', start: 'payment' }),
      422,
      'currency_mismatch',
    );
    expect(answer.body.detail).toContain('EUR');
    expect(answer.body.detail).toContain('USD');
  });

  it('an archived plan is refused', async () => {
    const { body } = await post('/v1/plans', { ...plan, code: 'old' });
    await post(`/v1/plans/${body.id}/archive`, {});
    await expectRefusal(
      () => post('/v1/subscriptions', { customerId, planCode: 'old' }),
      422,
      'plan_archived',
    );
  });

  it('a trial of a plan without one is refused', async () => {
    await expectRefusal(
      () => post('/v1/subscriptions', { customerId, planCode: 'free', start: 'trial' }),
      422,
      'plan_without_trial',
    );
  });

  it('a second trial is refused with the price and how to start without it', async () => {
    const answer = await expectRefusal(
      () => post('/v1/subscriptions', { customerId, planCode: 'team-monthly' }),
      409,
      'trial_already_used',
    );
    expect(answer.body.detail).toContain('USD 99.00');
    expect(answer.body.detail).toContain('start: "payment"');
  });

  it.each(['ADA@Example.com', 'ada+second@example.com', 'Ada+x+y@example.com'])(
    'a second trial under the address %s of the same person is refused',
    async (email) => {
      const second = await newCustomer(tenant, email);
      await expectRefusal(
        () => post('/v1/subscriptions', { customerId: second, planCode: 'pro-monthly' }),
        409,
        'trial_already_used',
      );
    },
  );

  it('a customer who changes the address gets no second trial', async () => {
    await api.request('PATCH', `/v1/customers/${customerId}`, {
      token: tenant.token,
      body: { email: 'ada.king@example.com' },
    });
    await expectRefusal(
      () => post('/v1/subscriptions', { customerId, planCode: 'team-monthly' }),
      409,
      'trial_already_used',
    );
  });

  it('a trial of another family, and the same plan without a trial, are granted', async () => {
    const other = await post('/v1/subscriptions', { customerId, planCode: 'other-monthly' });
    expect(other).toMatchObject({ status: 201, body: { status: 'trialing' } });
    const paid = await post('/v1/subscriptions', { customerId, planCode: 'pro-monthly', start: 'payment' });
    expect(paid).toMatchObject({ status: 201, body: { status: 'incomplete', trialEndsAt: null } });
  });

  it('two first trials of one person at once: one is granted', async () => {
    const [one, two] = [
      await newCustomer(tenant, 'twin@example.com'),
      await newCustomer(tenant, 'twin+2@example.com'),
    ];
    const answers = await Promise.all(
      [one, two].map((id) => post('/v1/subscriptions', { customerId: id, planCode: 'pro-monthly' })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
  });

  it.each([
    ['cancel', { mode: 'later' }],
    ['cancel', { reason: 'Too expensive for Ada!' }],
    ['cancel', { comment: 'x'.repeat(2001) }],
    ['extend_trial', {}],
    ['extend_trial', { days: 0 }],
    ['extend_trial', { days: -1 }],
    ['extend_trial', { days: 1.5 }],
    ['extend_trial', { days: 366 }],
    ['convert', { price: 1 }],
    ['undo_cancel', { surprise: 1 }],
  ])('%s with %j is refused', async (act, body) => {
    await expectRefusal(() => post(`/v1/subscriptions/${newId('sub')}/${act}`, body), 400, 'invalid_request');
  });

  it.each(['', 'card_1', 'pm_', 'pm_x/../y'])('a payment method %j is refused', async (paymentMethodId) => {
    await expectRefusal(
      () =>
        api.request('PUT', `/v1/subscriptions/${newId('sub')}/payment_method`, {
          token: tenant.token,
          body: { paymentMethodId },
        }),
      400,
      'invalid_request',
    );
  });

  it.each(['cancel', 'convert', 'undo_cancel'])(
    '%s of a subscription that does not exist is 404 and keeps no key',
    async (act) => {
      await expectRefusal(() => post(`/v1/subscriptions/${newId('sub')}/${act}`, {}), 404, 'not_found');
    },
  );
});

describe('recorded payments', () => {
  const payment = {
    amountMinor: 2900,
    currency: 'USD',
    method: 'wire',
    reason: 'on the statement',
    reference: 'wire 1',
  };

  it.each([
    ['zero', { amountMinor: 0 }],
    ['a negative amount', { amountMinor: -2900 }],
    ['a fractional amount', { amountMinor: 29.5 }],
    ['an amount as text', { amountMinor: '2900' }],
    ['an amount beyond exact integers', { amountMinor: 2 ** 53 }],
    ['an amount whose sums are inexact', { amountMinor: 1_000_000_000_000 }],
    ['no reference', { reference: undefined }],
    ['an empty reference', { reference: '' }],
    ['an unknown field', { rail: 'stripe' }],
    ['an instant without a zone', { receivedAt: '2026-11-21T09:00:00' }],
    ['a day that does not exist', { receivedAt: '2026-02-30T09:00:00Z' }],
  ])('%s is refused', async (_what, differs) => {
    await expectRefusal(
      () => post(`/v1/invoices/${invoiceId}/payments`, { ...payment, ...differs }),
      400,
      'invalid_request',
    );
  });

  it('money that is yet to come is refused', async () => {
    await expectRefusal(
      () => post(`/v1/invoices/${invoiceId}/payments`, { ...payment, receivedAt: '2999-01-01T00:00:00Z' }),
      422,
      'date_out_of_range',
    );
  });

  it.each([
    ['a rate without its source', { currency: 'EUR', exchangeRate: '1.1' }],
    ['a source without its rate', { currency: 'EUR', rateSource: 'bank' }],
    ['a rate with more than 20 decimals', { exchangeRate: `0.${'1'.repeat(21)}`, rateSource: 'bank' }],
    ['a rate below zero', { exchangeRate: '-1', rateSource: 'bank' }],
    ['a rate that is a number', { exchangeRate: 1.1, rateSource: 'bank' }],
    ['a fee of nothing', { feeMinor: 0 }],
    ['a fee below zero', { feeMinor: -1 }],
  ])('%s is refused', async (_what, differs) => {
    await expectRefusal(
      () => post(`/v1/invoices/${invoiceId}/payments`, { ...payment, ...differs }),
      400,
      'invalid_request',
    );
  });

  it.each([
    ['another currency whose rate nobody knows', { currency: 'KWD' }, 'exchange_rate_missing'],
    ['a rate of 0', { currency: 'EUR', exchangeRate: '0.00', rateSource: 'bank' }, 'exchange_rate_unusable'],
    ['a rate for its own currency', { exchangeRate: '1', rateSource: 'bank' }, 'exchange_rate_unusable'],
    [
      'a rate at which it comes to nothing',
      { currency: 'EUR', exchangeRate: '0.0000001', rateSource: 'bank' },
      'exchange_rate_unusable',
    ],
    [
      'a rate at which it comes to more than there is',
      { currency: 'EUR', exchangeRate: '999999999999', rateSource: 'bank' },
      'exchange_rate_unusable',
    ],
    ['a fee of all of it', { feeMinor: payment.amountMinor }, 'fee_above_amount'],
    ['a fee above it', { feeMinor: payment.amountMinor + 1 }, 'fee_above_amount'],
  ])('%s is refused', async (_what, differs, code) => {
    const pay = () => post(`/v1/invoices/${invoiceId}/payments`, { ...payment, ...differs });
    await expectRefusal(pay, 422, code);
  });

  it("another tenant's invoice is not found", async () => {
    await expectRefusal(
      () =>
        api.request('POST', `/v1/invoices/${invoiceId}/payments`, { token: foreign.token, body: payment }),
      404,
      'not_found',
    );
  });

  it('money that was booked is booked once; its reference stands for no other money', async () => {
    const path = `/v1/invoices/${invoiceId}/payments`;
    const first = await post(path, { ...payment, amountMinor: 1000 });
    expect(first).toMatchObject({
      status: 201,
      body: { outcome: 'partial', invoice: { dueMinor: 1900, status: 'open' } },
    });
    const again = await post(path, { ...payment, amountMinor: 1000 });
    expect(again).toMatchObject({
      status: 200,
      body: { outcome: 'duplicate', paymentId: first.body.paymentId },
    });
    await expectRefusal(() => post(path, { ...payment, amountMinor: 1900 }), 409, 'reference_already_booked');
    const rest = await post(path, { ...payment, amountMinor: 2000, reference: 'wire 2' });
    expect(rest).toMatchObject({
      status: 201,
      body: { outcome: 'settled', invoice: { status: 'paid', dueMinor: 0 } },
    });
    const { body } = await api.request('GET', `/v1/payments/${rest.body.paymentId}`, { token: tenant.token });
    expect(body).toMatchObject({ amountMinor: 2000, allocatedMinor: 1900, rail: 'manual' });
  });
});

describe('dunning policies', () => {
  const put = (name: string, body: unknown) =>
    api.request('PUT', `/v1/dunning_policies/${name}`, { token: tenant.token, body });
  const end = { day: 10, retry: false, template: 'subscription_cancelled_unpaid', end: 'cancel' };

  it.each([
    ['no step', { steps: [] }],
    ['an unknown template', { steps: [{ ...end, template: 'rude' }] }],
    ['a step before the failure', { steps: [{ ...end, day: -1 }] }],
    ['an unknown field of a step', { steps: [{ ...end, amount: 1 }] }],
  ])('%s is refused', async (_what, body) => {
    await expectRefusal(() => put('mine', body), 400, 'invalid_request');
  });

  it.each([
    ['a ladder without an end', { steps: [{ day: 1, retry: true, template: 'payment_failed_1' }] }],
    ['steps out of order', { steps: [{ day: 12, retry: true, template: 'payment_failed_1' }, end] }],
    [
      'a restriction within the grace',
      { steps: [{ day: 1, retry: false, template: 'account_restricted', restrict: 'restricted' }, end] },
    ],
  ])('%s is refused', async (_what, body) => {
    const answer = await expectRefusal(() => put('mine', body), 422, 'policy_unusable');
    expect(answer.body.errors[0].path).toMatch(/^body\.steps/);
  });

  it.each(['Mine', 'mine!', '-mine'])('a name like %j names nothing', async (name) => {
    await expectRefusal(() => put(encodeURIComponent(name), { steps: [end] }), 404, 'not_found');
  });
});

describe('days and instants', () => {
  const rate = { country: 'DE', kind: 'vat', name: 'VAT', percent: '19' };
  const coupon = { code: 'SPRING', percent: 10 };
  const payment = {
    amountMinor: 2900,
    currency: 'USD',
    method: 'wire',
    reason: 'on the statement',
    reference: 'wire 0',
  };
  const lines = [{ description: 'Workshop', unitMinor: 100 }];
  const inputs: [name: string, path: () => string, body: (year: string) => object][] = [
    [
      'the first day of a tax rate',
      () => '/v1/tax_rates',
      (year) => ({ ...rate, validFrom: `${year}-01-01` }),
    ],
    [
      'when an invoice was paid',
      () => `/v1/invoices/${invoiceId}/payments`,
      (year) => ({ ...payment, receivedAt: `${year}-01-01T00:00:00Z` }),
    ],
    [
      'when a customer paid',
      () => `/v1/customers/${customerId}/payments`,
      (year) => ({ ...payment, receivedAt: `${year}-01-01T00:00:00Z` }),
    ],
    [
      'the end of a coupon',
      () => '/v1/coupons',
      (year) => ({ ...coupon, expiresAt: `${year}-01-01T00:00:00Z` }),
    ],
    [
      'when a draft is issued',
      () => '/v1/invoices',
      (year) => ({ subscriptionId, lines, finalisesAt: `${year}-01-01T00:00:00Z` }),
    ],
    [
      'the end of a pause',
      () => `/v1/subscriptions/${subscriptionId}/pause`,
      (year) => ({ resumesAt: `${year}-01-01T00:00:00Z` }),
    ],
    [
      'the end of an API key',
      () => '/v1/api_keys',
      (year) => ({ name: 'x', scopes: ['billing:read'], expiresAt: `${year}-01-01T00:00:00Z` }),
    ],
  ];

  it.each(inputs)('%s is of a year that the database knows', async (_what, path, body) => {
    for (const year of ['0000', '0001', '1899'])
      await expectRefusal(() => post(path(), body(year)), 400, 'invalid_request');
  });

  it('that are of the year 10000 in UTC are refused all the same', async () => {
    const expiresAt = '9999-12-31T23:59:59-14:00';
    await expectRefusal(() => post('/v1/coupons', { ...coupon, expiresAt }), 422, 'value_unusable');
  });

  it('of 1900 and of 9999 are taken', async () => {
    expect((await post('/v1/tax_rates', { ...rate, validFrom: '1900-01-01' })).status).toBe(201);
    const expiresAt = '9999-12-31T00:00:00Z';
    expect(await post('/v1/coupons', { ...coupon, expiresAt })).toMatchObject({
      status: 201,
      body: { expiresAt: '9999-12-31T00:00:00.000Z' },
    });
  });
});

describe('API keys', () => {
  it.each([
    ['no scope', { name: 'x', scopes: [] }],
    ['an unknown scope', { name: 'x', scopes: ['everything'] }],
  ])('%s is refused', async (_what, body) => {
    await expectRefusal(() => post('/v1/api_keys', body), 400, 'invalid_request');
  });

  it('a key that would have expired already is refused', async () => {
    const body = { name: 'x', scopes: ['billing:read'], expiresAt: '2020-01-01T00:00:00Z' };
    await expectRefusal(() => post('/v1/api_keys', body), 422, 'date_out_of_range');
  });

  it('a key gives no scope that it does not have', async () => {
    const { token } = await api.key(tenant.tenantId, ['tenants:write', 'billing:read']);
    const body = { name: 'more', scopes: ['billing:read', 'billing:write'] };
    await expectRefusal(
      () => api.request('POST', '/v1/api_keys', { token, body }),
      403,
      'insufficient_scope',
    );
  });
});

describe('schedules', () => {
  it('a job that does not exist is not found', async () => {
    await expectRefusal(() => post('/v1/schedules/everything/trigger', {}), 404, 'not_found');
  });
});

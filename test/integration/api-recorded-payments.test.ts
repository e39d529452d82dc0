/** What the API says of recorded payments and of exchange rates: what it answers, refuses, lists and audits. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSystem, withTenant } from '../../db/client.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { createCustomer } from '../../db/queries/billing/customers.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { storePublished } from '../../db/queries/payments/exchange-rates.ts';
import { type Json, startTestApi, type TestAnswer, type TestApi, type TestTenant } from '../support/api.ts';

const now = new Date('2026-03-05T12:00:00.000Z');

let api: TestApi;
let tenant: TestTenant;

beforeAll(async () => {
  api = await startTestApi({ clock: () => now });
  tenant = await api.tenant();
  const published = { day: '2026-03-04', base: 'EUR', source: 'ecb' };
  const rates = [
    { ...published, quote: 'USD', rate: '1.0866' },
    { ...published, quote: 'GBP', rate: '0.85559' },
  ];
  await withSystem(api.db, (tx) => storePublished(tx, { rates, fetchedAt: now }));
});
afterAll(() => api.close());

describe('a payment that names no invoice', () => {
  it('pays the oldest invoices first, and answers and shows where it went', async () => {
    const { customerId, invoices } = await owing(3);
    const { status, body } = await post(`/v1/customers/${customerId}/payments`, wire({ amountMinor: 7000 }));
    expect(status).toBe(201);
    expect(body).toMatchObject({
      outcome: 'settled',
      invoice: { id: invoices[0], status: 'paid' },
      allocations: [
        { paymentId: body.paymentId, invoiceId: invoices[0], amountMinor: 2900 },
        { invoiceId: invoices[1], amountMinor: 2900 },
        { invoiceId: invoices[2], amountMinor: 1200 },
      ],
      creditedMinor: 0,
    });
    const payment = await get(`/v1/payments/${body.paymentId}`);
    expect(payment).toMatchObject({ amountMinor: 7000, allocatedMinor: 2900, exchange: null });
    expect(payment.allocations).toEqual(body.allocations);
    const { data } = await get(`/v1/payments?invoiceId=${invoices[1]}`);
    expect(data).toMatchObject([
      { rail: 'credit', sourcePaymentId: body.paymentId, allocations: [{ invoiceId: invoices[1] }] },
    ]);
    expect(await get(`/v1/invoices/${invoices[2]}`)).toMatchObject({ status: 'open', dueMinor: 1700 });
    expect(await auditOf(body.paymentId)).toMatchObject([{ action: 'payment.recorded' }]);
  });

  it('sent again under its Idempotency-Key or its reference is booked once', async () => {
    const { customerId } = await owing(2);
    const path = `/v1/customers/${customerId}/payments`;
    const body = wire({ amountMinor: 6000 });
    const key = randomUUID();
    const first = await post(path, body, key);
    expect((await post(path, body, key)).body).toEqual(first.body);
    const again = await post(path, body);
    expect(again).toMatchObject({ status: 200, body: { ...first.body, outcome: 'duplicate' } });
    expect(await get(`/v1/customers/${customerId}`)).toMatchObject({ creditMinor: 200 });
  });

  it('under a reference of another customer, or with nothing unpaid, is refused and writes nothing', async () => {
    const [one, other] = [await owing(1), await owing(1)];
    const body = wire({});
    await post(`/v1/customers/${one.customerId}/payments`, body);
    await refused(other.customerId, body, 409, 'reference_already_booked');
    await refused(one.customerId, wire({}), 409, 'nothing_unpaid');
    await refused('cus_0198f1c07b2a7c6e9d3b5a4f2e1d0c9c', wire({}), 404, 'not_found');
  });
});

describe('a payment in another currency', () => {
  it('shows what came, at which rate, and what that cost; the revenue counts what it was for', async () => {
    const { customerId } = await owing(1);
    const wired = wire({ amountMinor: 2238, currency: 'GBP', feeMinor: 100 });
    const { body } = await post(`/v1/customers/${customerId}/payments`, wired);
    expect(await get(`/v1/payments/${body.paymentId}`)).toMatchObject({
      amountMinor: 2900,
      currency: 'USD',
      bankFeeMinor: 100,
      exchange: {
        receivedMinor: 2238,
        receivedCurrency: 'GBP',
        convertedMinor: 2842,
        fxFeeMinor: 58,
        rate: '1.270000818149',
        day: '2026-03-04',
        source: 'ecb',
        legs: [
          { base: 'EUR', quote: 'GBP', rate: '0.85559', source: 'ecb' },
          { base: 'EUR', quote: 'USD', rate: '1.0866', source: 'ecb' },
        ],
      },
    });
    const { data } = await get('/v1/reports/revenue/entries?from=2026-03-05&to=2026-03-05&limit=100');
    const counted = data.find(({ paymentId }: Json) => paymentId === body.paymentId);
    expect(counted).toMatchObject({ currency: 'USD', amountMinor: 2900 });

    const refund = await post(`/v1/payments/${body.paymentId}/refunds`, {});
    expect(refund.body).toMatchObject({ amountMinor: 2900, given: { amountMinor: 2238, currency: 'GBP' } });
  });

  it('whose rate nobody knows is refused until somebody else enters one', async () => {
    const { customerId } = await owing(1);
    const wired = wire({ amountMinor: 8912, currency: 'KWD' });
    const answer = await refused(customerId, wired, 422, 'exchange_rate_missing');
    expect(answer.body.detail).toContain('POST /v1/exchange_rates');
    const { token } = await api.key(tenant.tenantId, ['billing:write']);
    const rate = { date: '2026-03-04', base: 'KWD', quote: 'USD', rate: '3.2541', reason: 'agreed' };
    await api.request('POST', '/v1/exchange_rates', { token, body: rate });
    const { body } = await post(`/v1/customers/${customerId}/payments`, wired);
    expect(body).toMatchObject({ outcome: 'settled', creditedMinor: 0 });
  });
});

describe('exchange rates', () => {
  const ask = (date: string, base: string, quote: string) =>
    request('GET', `/v1/exchange_rates?date=${date}&base=${base}&quote=${quote}`);

  it('hold for the five days after their own', async () => {
    for (const date of ['2026-03-04', '2026-03-09'])
      expect((await ask(date, 'EUR', 'USD')).body).toMatchObject({ rate: '1.0866', day: '2026-03-04' });
    for (const date of ['2026-03-03', '2026-03-10', '0000-01-01', '9999-12-31'])
      expect(await ask(date, 'EUR', 'USD')).toMatchObject({
        status: 422,
        body: { code: 'exchange_rate_missing' },
      });
  });

  it('go the other way, and through the euro', async () => {
    expect((await ask('2026-03-05', 'USD', 'EUR')).body).toMatchObject({ rate: '0.92030185901' });
    expect((await ask('2026-03-05', 'USD', 'GBP')).body).toMatchObject({
      legs: [{ quote: 'USD' }, { quote: 'GBP' }],
    });
  });

  it('that are entered say who did it and why, and the last one holds', async () => {
    await enter({ base: 'INR', quote: 'USD', rate: '9' });
    const { body } = await enter({ base: 'INR', quote: 'USD', rate: '0.0113' });
    expect((await ask('2026-03-05', 'INR', 'USD')).body).toMatchObject({ rate: '0.0113', source: 'manual' });
    expect(await auditOf(body.id)).toMatchObject([
      {
        action: 'exchange_rate.entered',
        actor: expect.stringMatching(/^api_key:/),
        reason: 'agreed',
        details: { base: 'INR', quote: 'USD', rate: '0.0113', day: '2026-03-04' },
      },
    ]);
  });

  it.each([
    ['of a day to come', { date: '2026-03-06' }, 422, 'date_out_of_range'],
    ['of a day before there were any', { date: '1999-01-03' }, 422, 'date_out_of_range'],
    ['of 0', { rate: '0' }, 422, 'exchange_rate_unusable'],
    ['to the same currency', { quote: 'EUR' }, 422, 'exchange_rate_unusable'],
    ['below 0', { rate: '-1' }, 400, 'invalid_request'],
    ['with 21 decimals', { rate: `1.${'0'.repeat(21)}` }, 400, 'invalid_request'],
    ['that is a number', { rate: 1.1 }, 400, 'invalid_request'],
    ['of an unknown currency', { base: 'BTC' }, 400, 'invalid_request'],
    ['without a reason', { reason: undefined }, 400, 'invalid_request'],
  ])('%s are refused, and nothing is written', async (_what, differs, status, code) => {
    const before = await api.rowCounts(tenant.tenantId);
    const answer = await enter({ base: 'EUR', quote: 'CHF', rate: '0.95', ...differs });
    expect(answer).toMatchObject({ status, body: { code } });
    expect(await api.rowCounts(tenant.tenantId)).toEqual(before);
  });
});

function enter(differs: object): Promise<TestAnswer> {
  return post('/v1/exchange_rates', { date: '2026-03-04', reason: 'agreed', ...differs });
}

function wire(differs: object) {
  return {
    amountMinor: 2900,
    currency: 'USD',
    method: 'wire',
    reason: 'on the statement',
    reference: randomUUID(),
    ...differs,
  };
}

async function refused(customerId: string, body: object, status: number, code: string): Promise<TestAnswer> {
  const before = await api.rowCounts(tenant.tenantId);
  const answer = await post(`/v1/customers/${customerId}/payments`, body);
  expect(answer).toMatchObject({ status, body: { code } });
  expect(await api.rowCounts(tenant.tenantId)).toEqual(before);
  return answer;
}

function request(method: string, path: string, options: { body?: unknown; key?: string } = {}) {
  return api.request(method, path, { token: tenant.token, ...options });
}

function post(path: string, body: unknown, key = randomUUID()): Promise<TestAnswer> {
  return request('POST', path, { body, key });
}

async function get(path: string): Promise<Json> {
  const { status, body } = await request('GET', path);
  expect(status).toBe(200);
  return body;
}

async function auditOf(entityId: string): Promise<Json[]> {
  return (await get(`/v1/audit_log?entityId=${entityId}`)).data;
}

/** A new customer with so many open invoices of 29.00 USD each. */
async function owing(count: number): Promise<{ customerId: string; invoices: string[] }> {
  const { tenantId } = tenant;
  return withTenant(api.db, tenantId, async (tx) => {
    const email = `${randomUUID()}@example.com`;
    const person = { email, name: 'Ada', externalRef: null, personKey: email };
    const customer = await createCustomer(tx, { tenantId, currency: 'USD', ...person });
    if (customer === null) throw new Error('The customer was not created');
    const subscription = {
      customerId: customer.id,
      plan: { code: 'pro-monthly' },
      start: 'payment',
    } as const;
    const { context } = await createSubscription(tx, { ...subscription, at: now });
    const invoices: string[] = [];
    for (let periodIndex = 0; periodIndex < count; periodIndex += 1) {
      const period = { startsAt: '2026-03-01T00:00:00.000Z', endsAt: '2026-04-01T00:00:00.000Z' };
      invoices.push((await issuePeriodInvoice(tx, context, { periodIndex, period, at: now })).id);
    }
    return { customerId: customer.id, invoices };
  });
}

/** The sandbox itself, by plain HTTP: it must refuse what Stripe refuses, remember what Stripe remembers. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';

let sandbox: StripeSandbox;

beforeAll(async () => {
  sandbox = await startStripeSandbox({ port: 0 });
});

beforeEach(() => sandbox.reset());
afterAll(() => sandbox.close());

type Answer = { status: number; body: Record<string, unknown>; headers: Headers };

async function call(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  fields: Record<string, string> = {},
  { key, base = sandbox.url }: { key?: string; base?: string } = {},
): Promise<Answer> {
  const form = new URLSearchParams(fields).toString();
  const response = await fetch(`${base}${path}${method === 'GET' && form ? `?${form}` : ''}`, {
    method,
    headers: {
      authorization: 'Bearer sk_test_sandbox',
      'content-type': 'application/x-www-form-urlencoded',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    ...(method === 'POST' ? { body: form } : {}),
  });
  return {
    status: response.status,
    body: (await response.json()) as Answer['body'],
    headers: response.headers,
  };
}

async function control(path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${sandbox.url}/_sandbox${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return {
    status: response.status,
    body: (await response.json()) as Answer['body'],
    headers: response.headers,
  };
}

const newCustomer = async (base?: string) =>
  String((await call('POST', '/v1/customers', {}, base ? { base } : {})).body['id']);

async function newPayment(fields: Record<string, string> = {}): Promise<Answer> {
  const customer = await newCustomer();
  const attached = await call('POST', '/v1/payment_methods/pm_card_visa/attach', { customer });
  return call('POST', '/v1/payment_intents', {
    amount: '2900',
    currency: 'usd',
    confirm: 'true',
    off_session: 'true',
    customer,
    payment_method: String(attached.body['id']),
    ...fields,
  });
}

describe('a request Stripe would refuse is refused', () => {
  const payment = { amount: '2900', currency: 'usd' };

  it.each<[string, Record<string, string>, object]>([
    ['an unknown parameter', { ...payment, colour: 'blue' }, { code: 'parameter_unknown', param: 'colour' }],
    ['no amount', { currency: 'usd' }, { code: 'parameter_missing', param: 'amount' }],
    ['a fractional amount', { ...payment, amount: '29.5' }, { code: 'parameter_invalid_integer' }],
    ['an amount of nothing', { ...payment, amount: '0' }, { code: 'parameter_invalid_integer' }],
    ['a negative amount', { ...payment, amount: '-100' }, { code: 'parameter_invalid_integer' }],
    ['less than 50 cents', { ...payment, amount: '49' }, { code: 'amount_too_small' }],
    ['more than Stripe takes', { ...payment, amount: '100000000' }, { code: 'amount_too_large' }],
    [
      'krónur with decimals',
      { amount: '550', currency: 'isk' },
      { code: 'invalid_charge_amount_no_decimal_compatible' },
    ],
    ['three decimals not ending in 0', { amount: '5124', currency: 'kwd' }, { param: 'amount' }],
    ['a currency in upper case', { amount: '2900', currency: 'USD' }, { param: 'currency' }],
    [
      'an unknown customer',
      { ...payment, customer: 'cus_no' },
      { code: 'resource_missing', param: 'customer' },
    ],
    [
      'an unknown payment method',
      { ...payment, payment_method: 'pm_no' },
      { code: 'resource_missing', param: 'payment_method' },
    ],
    ['something that cannot be expanded', { ...payment, 'expand[]': 'wishes' }, { param: 'expand' }],
  ])('%s', async (_, fields, error) => {
    const answer = await call('POST', '/v1/payment_intents', fields);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.body['error']).toMatchObject({ type: 'invalid_request_error', ...error });
    expect(sandbox.effects().at(-1)).toMatchObject({ outcome: 'refused' });
  });

  it('without a key', async () => {
    const answer = await fetch(`${sandbox.url}/v1/customers`);
    expect(answer.status).toBe(401);
  });

  it('at an address Stripe does not have', async () => {
    expect((await call('GET', '/v1/unicorns')).status).toBe(404);
  });

  it('confirming what has succeeded', async () => {
    const { body } = await newPayment();
    const again = await call('POST', `/v1/payment_intents/${String(body['id'])}/confirm`, {
      payment_method: String(body['payment_method']),
    });
    expect(again.body['error']).toMatchObject({ code: 'payment_intent_unexpected_state' });
  });

  it('using a card that was detached', async () => {
    const { body } = await newPayment();
    const method = String(body['payment_method']);
    await call('POST', `/v1/payment_methods/${method}/detach`);
    const again = await call('POST', `/v1/payment_methods/${method}/attach`, {
      customer: String(body['customer']),
    });
    expect(again.status).toBe(400);
  });

  it('refunding more than was taken', async () => {
    const { body } = await newPayment();
    const payment_intent = String(body['id']);
    expect((await call('POST', '/v1/refunds', { payment_intent, amount: '2901' })).status).toBe(400);
    expect((await call('POST', '/v1/refunds', { payment_intent, amount: '900' })).status).toBe(200);
    expect((await call('POST', '/v1/refunds', { payment_intent })).body).toMatchObject({ amount: 2000 });
    expect((await call('POST', '/v1/refunds', { payment_intent })).body['error']).toMatchObject({
      code: 'charge_already_refunded',
    });
  });
});

describe('disputes', () => {
  it('take the money at once, keep refunds away, and give it back when they are won', async () => {
    const { body } = await newPayment();
    const payment_intent = String(body['id']);
    const id = sandbox.openDispute({ paymentIntent: payment_intent });
    expect((await call('GET', '/v1/disputes', { payment_intent })).body['data']).toMatchObject([
      { id, status: 'needs_response', amount: 2900, balance_transactions: [{ amount: -2900 }] },
    ]);
    expect((await call('POST', '/v1/refunds', { payment_intent })).body['error']).toMatchObject({
      code: 'charge_disputed',
    });
    expect((await control(`/disputes/${id}/close`, { outcome: 'won' })).body).toEqual({ status: 'won' });
    expect((await control(`/disputes/${id}/close`, { outcome: 'lost' })).status).toBe(400);
    expect((await call('GET', `/v1/disputes/${id}`)).body).toMatchObject({
      status: 'won',
      balance_transactions: [{ amount: -2900 }, { amount: 2900 }],
    });
    const { body: events } = await call('GET', '/v1/events', { limit: '5' });
    expect(
      (events['data'] as { type: string }[]).map(({ type }) => type).filter((type) => /dispute/.test(type)),
    ).toEqual([
      'charge.dispute.funds_reinstated',
      'charge.dispute.closed',
      'charge.dispute.funds_withdrawn',
      'charge.dispute.created',
    ]);
    expect((await call('POST', '/v1/refunds', { payment_intent })).status).toBe(200);
  });
});

describe('refunds', () => {
  it('may name the charge, are listed by it, and one that is pending moves money once it is settled', async () => {
    const paymentMethod = sandbox.createCard({ outcomes: ['succeeded'], refunds: 'pending' });
    const fields = { amount: '2900', currency: 'usd', payment_method: paymentMethod, confirm: 'true' };
    const { body } = await call('POST', '/v1/payment_intents', fields);
    const charge = String(body['latest_charge']);
    const refund = await call('POST', '/v1/refunds', { charge, amount: '900' });
    expect(refund.body).toMatchObject({ status: 'pending', amount: 900 });
    expect(sandbox.effects().at(-1)).toMatchObject({ op: 'refunds.create', amountMinor: null });
    await control(`/refunds/${String(refund.body['id'])}/settle`, {});
    expect(sandbox.effects().at(-1)).toMatchObject({ op: 'refunds.settle', amountMinor: 900 });
    expect((await call('GET', '/v1/refunds', { charge })).body['data']).toMatchObject([
      { status: 'succeeded' },
    ]);
    expect((await call('POST', '/v1/refunds', { amount: '900' })).status).toBe(400);
    expect((await call('POST', '/v1/refunds', { charge: 'ch_no' })).status).toBe(404);
  });
});

describe('an idempotency key', () => {
  it('gives back the first answer, errors included, and says so', async () => {
    const missing = { amount: '2900', currency: 'usd', customer: 'cus_no' };
    const first = await call('POST', '/v1/payment_intents', missing, { key: 'k1' });
    const second = await call('POST', '/v1/payment_intents', missing, { key: 'k1' });
    expect(second.status).toBe(404);
    expect(second.body).toEqual(first.body);
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expect(second.headers.get('idempotent-replayed')).toBe('true');
  });

  it('gives back the answer as it was, though the object has changed since', async () => {
    const key = 'k2';
    const first = await call('POST', '/v1/customers', { email: 'a@example.com' }, { key });
    await call('POST', `/v1/customers/${String(first.body['id'])}`, { email: 'b@example.com' });
    const second = await call('POST', '/v1/customers', { email: 'a@example.com' }, { key });
    expect(second.body).toMatchObject({ email: 'a@example.com' });
  });

  it('with other parameters, or at another address, is an error', async () => {
    await call('POST', '/v1/customers', { email: 'a@example.com' }, { key: 'k3' });
    const others = [
      await call('POST', '/v1/customers', { email: 'b@example.com' }, { key: 'k3' }),
      await call('POST', '/v1/refunds', { payment_intent: 'pi_1' }, { key: 'k3' }),
    ];
    for (const { status, body } of others) {
      expect(status).toBe(400);
      expect(body['error']).toMatchObject({ type: 'idempotency_error' });
    }
  });

  it('is not spent on parameters Stripe does not understand', async () => {
    expect((await call('POST', '/v1/customers', { colour: 'blue' }, { key: 'k4' })).status).toBe(400);
    expect((await call('POST', '/v1/customers', {}, { key: 'k4' })).status).toBe(200);
  });

  it('is forgotten after 24 hours of Stripe’s clock, and not before', async () => {
    const create = () => call('POST', '/v1/customers', {}, { key: 'k5' });
    const first = await create();
    await control('/clock', { advanceSeconds: 24 * 60 * 60 - 60 });
    expect((await create()).body['id']).toBe(first.body['id']);
    await control('/clock', { advanceSeconds: 120 });
    expect((await create()).body['id']).not.toBe(first.body['id']);
  });

  it('is forgotten on request', async () => {
    const create = () => call('POST', '/v1/customers', {}, { key: 'k6' });
    const first = await create();
    await control('/idempotency-keys/forget', {});
    expect((await create()).body['id']).not.toBe(first.body['id']);
  });
});

describe('lists', () => {
  it('come newest first and page by object', async () => {
    const customer = await newCustomer();
    const ids: unknown[] = [];
    for (let count = 0; count < 5; count += 1) {
      ids.unshift(
        (await call('POST', '/v1/payment_intents', { amount: '2900', currency: 'usd', customer })).body['id'],
      );
    }
    const page = async (fields: object) => {
      const { body } = await call('GET', '/v1/payment_intents', { customer, limit: '2', ...fields });
      return { ids: (body['data'] as { id: string }[]).map(({ id }) => id), more: body['has_more'] };
    };
    expect(await page({})).toEqual({ ids: ids.slice(0, 2), more: true });
    expect(await page({ starting_after: ids[1] })).toEqual({ ids: ids.slice(2, 4), more: true });
    expect(await page({ starting_after: ids[3] })).toEqual({ ids: ids.slice(4), more: false });
    expect(await page({ ending_before: ids[2] })).toEqual({ ids: ids.slice(0, 2), more: false });
  });

  it('filter by time, on the clock of the sandbox', async () => {
    await control('/clock', { now: '2030-01-01T00:00:00Z' });
    await newCustomer();
    await control('/clock', { advanceSeconds: 3_600 });
    await newCustomer();
    const since = String(Date.parse('2030-01-01T00:30:00Z') / 1000);
    const { body } = await call('GET', '/v1/customers', { 'created[gte]': since });
    expect(body['data']).toHaveLength(1);
  });
});

describe('control', () => {
  it('moves the clock by which objects are dated', async () => {
    await control('/clock', { now: '2031-05-06T07:08:09Z' });
    const { body } = await call('POST', '/v1/customers');
    expect(Number(body['created'])).toBeGreaterThanOrEqual(Date.parse('2031-05-06T07:08:09Z') / 1000);
  });

  it('refuses a plan that makes no sense, and says why', async () => {
    const answer = await control('/faults', { rates: { explode: 1 } });
    expect(answer.status).toBe(400);
    expect(answer.body['error']).toEqual(expect.stringContaining('rates'));
  });

  it('plays the same faults again for the same seed', async () => {
    const play = async () => {
      sandbox.reset();
      await control('/faults', { seed: 42, rates: { error_before: 0.3, rate_limit: 0.2 } });
      const statuses = [];
      for (let count = 0; count < 20; count += 1) statuses.push((await call('POST', '/v1/customers')).status);
      return statuses;
    };
    const first = await play();
    expect(new Set(first)).toEqual(new Set([200, 429, 503]));
    expect(await play()).toEqual(first);
  });

  it('spares operations the plan does not name', async () => {
    await control('/faults', { ops: ['payment_intents.create'], rates: { error_before: 1 } });
    expect((await call('POST', '/v1/customers')).status).toBe(200);
    expect((await call('POST', '/v1/payment_intents', { amount: '2900', currency: 'usd' })).status).toBe(503);
  });

  it('shows the log and the calls, and forgets them on reset', async () => {
    await newPayment({ 'metadata[invoiceId]': 'inv_1', 'metadata[attemptId]': 'att_1' });
    const { body } = await control('/log');
    expect((body['entries'] as object[]).at(-1)).toMatchObject({
      vendor: 'stripe',
      op: 'payment_intents.create',
      businessRef: 'inv_1',
      attemptRef: 'att_1',
      amountMinor: 2900,
      currency: 'usd',
      outcome: 'effect',
      faultInjected: null,
    });
    expect((await control('/calls')).body['calls']).toMatchObject({ 'payment_intents.create': 1 });
    await control('/reset', {});
    expect((await control('/log')).body['entries']).toEqual([]);
  });
});

describe('a restart', () => {
  it('keeps objects, keys, clock and log, and numbers effects on', async () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'stripe-sandbox-'));
    try {
      const before = await startStripeSandbox({ port: 0, stateDir });
      before.clock.set(new Date('2030-01-01T00:00:00Z'));
      const made = await call('POST', '/v1/customers', {}, { key: 'k1', base: before.url });
      await before.close();

      const after = await startStripeSandbox({ port: 0, stateDir });
      const again = await call('POST', '/v1/customers', {}, { key: 'k1', base: after.url });
      await newCustomer(after.url);
      expect(again.body).toEqual(made.body);
      expect(after.clock.now().getUTCFullYear()).toBe(2030);
      expect(after.effects().map(({ seq, outcome }) => [seq, outcome])).toEqual([
        [1, 'effect'],
        [2, 'replay'],
        [3, 'effect'],
      ]);
      await after.close();

      const lines = readFileSync(join(stateDir, 'effects.jsonl'), 'utf8').trim().split('\n');
      expect(lines).toHaveLength(3);
    } finally {
      rmSync(stateDir, { recursive: true });
    }
  });
});

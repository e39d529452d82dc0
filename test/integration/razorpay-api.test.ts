/**
 * A customer pays an invoice at Razorpay, from the order to the books, over HTTP: the API, real workers, the sandbox and its
 * webhooks, which come twice, late, in any order and forged.
 */
import { createHmac, randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { eventually } from '../../scripts/processes.ts';
import {
  type Json,
  openTemporal,
  startTestApi,
  type TestAnswer,
  type TestApi,
  type TestTenant,
  testConfig,
} from '../support/api.ts';
import { razorpayWebhookSecret } from '../support/razorpay.ts';
import { type Processes, startProcesses } from './api-processes.ts';

let temporal: Client;
let api: TestApi;
let processes: Processes;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  temporal = await openTemporal();
  api = await startTestApi({ temporal });
  processes = await startProcesses({ db: api.db, temporal });
  processes.razorpay.setWebhookEndpoint({
    url: `${api.url}/webhooks/razorpay`,
    secret: razorpayWebhookSecret,
  });
  [tenant, other] = [await api.tenant(), await api.tenant()];
});
afterEach(() => processes.razorpay.setFaults({}));
afterAll(async () => {
  await processes.stop();
  await api.close();
  await temporal.connection.close();
});

describe('an order', () => {
  it('answers what a checkout needs, and never the secret', async () => {
    const invoiceId = await invoice();
    const { status, body } = await order(invoiceId);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      invoiceId,
      status: 'open',
      amountMinor: 2900,
      currency: 'USD',
      checkout: {
        key: testConfig.razorpay.keyId,
        order_id: expect.stringMatching(/^order_/),
        amount: 2900,
        currency: 'USD',
      },
      payment: null,
      closedAt: null,
    });
    expect(JSON.stringify(body)).not.toContain(testConfig.razorpay.keySecret);
    expect(await get(`/v1/razorpay_orders/${body.id}`)).toEqual(body);
    const { data } = await get(`/v1/audit_log?entityId=${body.id}`);
    expect(data).toMatchObject([{ action: 'razorpay_order.requested' }]);
  });

  it('is one, whether asked for again under the same key, another one, or by five at once', async () => {
    const invoiceId = await invoice();
    const key = randomUUID();
    const answers = await Promise.all([
      order(invoiceId, { key }),
      ...Array.from({ length: 4 }, () => order(invoiceId)),
    ]);
    expect(new Set(answers.map(({ body }) => body.checkout.order_id)).size).toBe(1);
    const again = await order(invoiceId, { key });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body).toEqual(answers[0]?.body);
    expect(ordersAtVendor(invoiceId)).toBe(1);
  });

  it.each(['drop_answer', 'error_after', 'malformed'] as const)(
    'whose answer is lost by %s is found again while the caller waits',
    async (fault) => {
      const invoiceId = await invoice();
      processes.razorpay.setFaults({ next: [{ fault, op: 'orders.create' }] });
      expect((await order(invoiceId)).status).toBe(201);
      expect(ordersAtVendor(invoiceId)).toBe(1);
    },
  );

  it('is 503 while Razorpay is away, and one when it is back', async () => {
    const invoiceId = await invoice();
    const key = randomUUID();
    processes.razorpay.setFaults({ rates: { error_before: 1 } });
    const away = await order(invoiceId, { key });
    expect(away).toMatchObject({ status: 503 });
    expect(['outcome_unknown', 'vendor_unavailable']).toContain(away.body.code);
    processes.razorpay.setFaults({});
    expect(await order(invoiceId, { key })).toMatchObject({ status: 201, body: { status: 'open' } });
    expect(ordersAtVendor(invoiceId)).toBe(1);
  });

  it('is refused where the invoice does not wait for it', async () => {
    const invoiceId = await invoice();
    const cash = {
      amountMinor: 2900,
      currency: 'USD',
      method: 'cash',
      reason: 'on the statement',
      reference: randomUUID(),
    };
    await request('POST', `/v1/invoices/${invoiceId}/payments`, { body: cash });
    expect(await order(invoiceId)).toMatchObject({
      status: 409,
      body: { code: 'state_conflict', reason: 'invoice_not_open' },
    });
    expect(ordersAtVendor(invoiceId)).toBe(0);
  });

  it('over what Razorpay does not take is refused with its reason', async () => {
    const invoiceId = await invoice();
    const cash = {
      amountMinor: 2850,
      currency: 'USD',
      method: 'cash',
      reason: 'on the statement',
      reference: randomUUID(),
    };
    await request('POST', `/v1/invoices/${invoiceId}/payments`, { body: cash });
    expect(await order(invoiceId)).toMatchObject({
      status: 409,
      body: { code: 'state_conflict', reason: 'input_validation_failed' },
    });
  });

  it.each([{ amount: 1 }, { currency: 'INR' }, [], 'x', 1])('takes no %j', async (body) => {
    expect(await order(await invoice(), { body })).toMatchObject({
      status: 400,
      body: { code: expect.stringMatching(/invalid_request|malformed_json/) },
    });
  });

  it('of an invoice that is not there is 404, and so is everything of another tenant', async () => {
    const { id, checkout, invoiceId } = (await order(await invoice())).body;
    const body = processes.razorpay.pay({ orderId: checkout.order_id, outcome: 'authorized' });
    const foreign = { token: other.token };
    const unknown = `inv_${'0'.repeat(32)}`;
    for (const answer of [
      await order(unknown),
      await order(invoiceId, foreign),
      await request('GET', `/v1/razorpay_orders/${id}`, foreign),
      await request('POST', `/v1/razorpay_orders/${id}/confirm`, { ...foreign, body }),
      await request('GET', '/v1/razorpay_orders/order_1'),
    ]) {
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
  });
});

describe('what the checkout answers', () => {
  it('makes us look at once, without any webhook', async () => {
    processes.razorpay.setFaults({ webhooks: { drop: 1 } });
    const { id, invoiceId, checkout } = (await order(await invoice())).body;
    const answer = processes.razorpay.pay({ orderId: checkout.order_id, method: 'card' });
    const confirmed = await confirm(id, answer);
    expect(confirmed).toMatchObject({
      status: 202,
      body: { id, payment: { externalId: answer.paymentId, status: 'authorized' } },
    });
    await expectPaid(invoiceId);
    expect(await get(`/v1/razorpay_orders/${id}`)).toMatchObject({
      status: 'paid',
      checkout: null,
      payment: { externalId: answer.paymentId, status: 'captured' },
    });
    const { data } = await get(`/v1/payments?invoiceId=${invoiceId}`);
    expect(data).toMatchObject([{ rail: 'razorpay', externalId: answer.paymentId, amountMinor: 2900 }]);
    expect((await confirm(id, answer)).status).toBe(202);
    expect((await get(`/v1/payments?invoiceId=${invoiceId}`)).data).toHaveLength(1);
  });
});

describe('what the checkout answers for a subscription', () => {
  it('makes us look at once, without any webhook', async () => {
    processes.razorpay.setFaults({ webhooks: { drop: 1 } });
    const { path, read, vendorId } = await subscriptionToConfirm();
    const answer = processes.razorpay.authorize(vendorId);
    expect(await request('POST', path, { body: answer })).toMatchObject({ status: 202 });
    const isSeen = async () => (await read()).status === 'authenticated';
    expect(await eventually(isSeen, 20_000)).toBe(true);
  });
});

describe.each([
  ['an order', orderToConfirm],
  ['a subscription', subscriptionToConfirm],
])('what is handed in for %s is refused, and changes nothing', (_what, toConfirm) => {
  let mine: Confirmable;
  let another: Confirmable;
  beforeAll(async () => {
    [mine, another] = [await toConfirm(), await toConfirm()];
  });

  /** The answer is refused; every table of the tenant has as many rows as before, and it is as it was. */
  async function expectRefused(options: Options, status: number, code: string): Promise<void> {
    const [rows, state] = [await api.rowCounts(tenant.tenantId), await mine.read()];
    expect(await request('POST', mine.path, options)).toMatchObject({ status, body: { code } });
    expect(await api.rowCounts(tenant.tenantId)).toEqual(rows);
    expect(await mine.read()).toEqual(state);
  }

  it.each<[string, () => object]>([
    ['signed for another one', () => another.sign('pay_1')],
    ['signed for another payment', () => ({ ...mine.sign('pay_1'), paymentId: 'pay_2' })],
    ['signed in the opposite order', () => mine.signReversed('pay_1')],
    ['signed with the secret of the webhook', () => mine.sign('pay_1', razorpayWebhookSecret)],
    ['signed with a line end behind the secret', () => mine.sign('pay_1', `${keySecret}\n`)],
    ['signed with the public id of the key', () => mine.sign('pay_1', testConfig.razorpay.keyId)],
    ['not signed', () => ({ paymentId: 'pay_1', signature: '0'.repeat(64) })],
  ])('%s', async (_, forged) => {
    await expectRefused({ body: forged() }, 400, 'invalid_checkout_signature');
  });

  const signature = '0'.repeat(64);
  it.each([
    {},
    { paymentId: 'pay_1' },
    { paymentId: 'order_1', signature },
    { paymentId: 'pay_1', signature: 'yes' },
    { paymentId: 'pay_1', signature: 'A'.repeat(64) },
    { paymentId: 'pay_1', signature: [signature] },
    { paymentId: 'pay_1', signature: { hex: signature } },
    { paymentId: 'pay_1', signature: 0 },
    { paymentId: 'pay_1', signature: null },
    { paymentId: ['pay_1'], signature },
    { paymentId: 'pay_1\n', signature },
    { paymentId: 'pay_1', signature, orderId: 'order_1' },
    { paymentId: 'pay_1', signature, subscriptionId: 'sub_1' },
  ])('as %j', async (body) => {
    await expectRefused({ body }, 400, 'invalid_request');
  });

  it('in more than 1 MiB, although signed', async () => {
    const body = JSON.stringify({ ...mine.sign('pay_1'), padding: 'x'.repeat(1024 * 1024) });
    await expectRefused({ body }, 413, 'payload_too_large');
  });

  it('compressed in a way nobody reads, or not as it says', async () => {
    const encoded = (encoding: string): Options => ({
      body: mine.sign('pay_1'),
      headers: { 'content-encoding': encoding },
    });
    await expectRefused(encoded('compress'), 415, 'unsupported_media_type');
    await expectRefused(encoded('gzip'), 400, 'invalid_request');
  });
});

describe('a storm of webhooks about one order', () => {
  it.each(['captured', 'authorized'] as const)(
    'twice and more, shuffled, forged and late, books a payment that is %s once',
    async (outcome) => {
      const { razorpay } = processes;
      razorpay.setFaults({ seed: 7, webhooks: { duplicate: 1, copies: 4, hold: true } });
      const { invoiceId, checkout } = (await order(await invoice())).body;
      const failed = razorpay.pay({ orderId: checkout.order_id, outcome: 'payment_failed' });
      const { paymentId } = razorpay.pay({ orderId: checkout.order_id, outcome });
      const [flushed] = await Promise.all([razorpay.flushWebhooks('shuffled'), processes.deliver()]);
      expect(flushed).toBeUndefined();
      await expectPaid(invoiceId);

      razorpay.setFaults({ webhooks: { forge: 1, duplicate: 1, copies: 3 } });
      for (const { eventId, objectId } of razorpay.webhookDeliveries()) {
        if (objectId === checkout.order_id) razorpay.redeliverWebhook(eventId);
      }
      await razorpay.flushWebhooks();
      await settled();

      const { data } = await get(`/v1/payments?invoiceId=${invoiceId}`);
      expect(data).toMatchObject([{ rail: 'razorpay', externalId: paymentId, amountMinor: 2900 }]);
      expect(razorpay.captures().filter(({ businessRef }) => businessRef === invoiceId)).toHaveLength(1);
      expect(await get(`/v1/invoices/${invoiceId}`)).toMatchObject({ status: 'paid', paidMinor: 2900 });
      const events = await api.sql('SELECT * FROM inbox_events WHERE object_id = $1', [checkout.order_id]);
      expect(events.map(({ status }) => status)).toEqual(events.map(() => 'processed'));
      expect(new Set(events.map(({ external_id }) => external_id)).size).toBe(events.length);
      expect(failed.paymentId).not.toBe(paymentId);
    },
  );

  it('with forgeries only stores nothing and books nothing', async () => {
    const { razorpay } = processes;
    const { invoiceId, checkout } = (await order(await invoice())).body;
    razorpay.setWebhookEndpoint({ url: `${api.url}/webhooks/razorpay`, secret: 'guessed' });
    razorpay.pay({ orderId: checkout.order_id });
    await eventually(async () => {
      const own = razorpay.webhookDeliveries().filter(({ objectId }) => objectId === checkout.order_id);
      return own.length > 0 && own.every(({ answers }) => answers.length > 0);
    }, 10_000);
    const own = razorpay.webhookDeliveries().filter(({ objectId }) => objectId === checkout.order_id);
    expect(new Set(own.flatMap(({ answers }) => answers))).toEqual(new Set([400]));
    expect(await api.sql('SELECT * FROM inbox_events WHERE object_id = $1', [checkout.order_id])).toEqual([]);
    expect(await get(`/v1/invoices/${invoiceId}`)).toMatchObject({ status: 'open' });

    // Once the secret is right, Razorpay's own repeats bring it.
    razorpay.setWebhookEndpoint({ url: `${api.url}/webhooks/razorpay`, secret: razorpayWebhookSecret });
    await expectPaid(invoiceId);
  });
});

describe('a refund', () => {
  it('of what was paid at Razorpay is given back there', async () => {
    const { invoiceId, checkout } = (await order(await invoice())).body;
    processes.razorpay.pay({ orderId: checkout.order_id });
    await expectPaid(invoiceId);
    const [payment] = (await get(`/v1/payments?invoiceId=${invoiceId}`)).data;
    const asked = await request('POST', `/v1/payments/${payment.id}/refunds`, { body: { amountMinor: 900 } });
    expect(asked.status).toBe(201);
    const isGiven = async () => (await get(`/v1/refunds/${asked.body.id}`)).status === 'succeeded';
    expect(await eventually(isGiven, 20_000)).toBe(true);
    expect(await get(`/v1/refunds/${asked.body.id}`)).toMatchObject({
      externalId: expect.stringMatching(/^rfnd_/),
    });
    expect(await get(`/v1/payments/${payment.id}`)).toMatchObject({ refundedMinor: 900 });
  });
});

type Options = Parameters<TestApi['request']>[2];

function request(method: string, path: string, options: Options = {}): Promise<TestAnswer> {
  return api.request(method, path, { token: tenant.token, ...options });
}

async function get(path: string): Promise<Json> {
  return (await request('GET', path)).body;
}

function order(invoiceId: string, options: Options = {}): Promise<TestAnswer> {
  return request('POST', `/v1/invoices/${invoiceId}/razorpay_orders`, { body: {}, ...options });
}

function confirm(orderId: string, body: unknown): Promise<TestAnswer> {
  return request('POST', `/v1/razorpay_orders/${orderId}/confirm`, { body });
}

/** An open invoice over USD 29.00 of a customer of its own. */
async function invoice(): Promise<string> {
  const person = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
  const { body: customer } = await request('POST', '/v1/customers', { body: person });
  const wanted = { customerId: customer.id, planCode: 'pro-monthly' };
  const { body: subscription } = await request('POST', '/v1/subscriptions', { body: wanted });
  const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
  return withTenant(api.db, tenant.tenantId, async (tx) => {
    const context = await lockSubscription(tx, subscription.id);
    return (await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at: new Date() })).id;
  });
}

const { keySecret } = testConfig.razorpay;

type Confirmable = {
  /** Where the answer of the checkout is handed in. */
  path: string;
  vendorId: string;
  read(): Promise<Json>;
  /** The answer for a payment of it, as Razorpay signs it. */
  sign(paymentId: string, key?: string): object;
  /** With the two ids the other way round. */
  signReversed(paymentId: string): object;
};

async function orderToConfirm(): Promise<Confirmable> {
  const { id, checkout } = (await order(await invoice())).body;
  const vendorId: string = checkout.order_id;
  return {
    path: `/v1/razorpay_orders/${id}/confirm`,
    vendorId,
    read: () => get(`/v1/razorpay_orders/${id}`),
    sign: (paymentId, key) => signed(paymentId, `${vendorId}|${paymentId}`, key),
    signReversed: (paymentId) => signed(paymentId, `${paymentId}|${vendorId}`),
  };
}

async function subscriptionToConfirm(): Promise<Confirmable> {
  const terms = { name: 'Pro', family: 'rupee', priceMinor: 249_900, currency: 'INR' };
  const plan = { ...terms, code: `rupee-${randomUUID()}`, interval: { unit: 'month' } };
  const { body: sold } = await request('POST', '/v1/plans', { body: plan });
  const person = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'INR' };
  const { body: customer } = await request('POST', '/v1/customers', { body: person });
  const wanted = { customerId: customer.id, planId: sold.id };
  const { body: subscription } = await request('POST', '/v1/subscriptions', { body: wanted });
  const path = `/v1/subscriptions/${subscription.id}/razorpay_subscription`;
  const { status, body } = await request('POST', path, { body: {} });
  expect([status, body.status]).toEqual([201, 'created']);
  const vendorId: string = body.externalId;
  return {
    path: `${path}/confirm`,
    vendorId,
    read: () => get(path),
    sign: (paymentId, key) => signed(paymentId, `${paymentId}|${vendorId}`, key),
    signReversed: (paymentId) => signed(paymentId, `${vendorId}|${paymentId}`),
  };
}

function signed(paymentId: string, text: string, key = keySecret): object {
  return { paymentId, signature: createHmac('sha256', key).update(text).digest('hex') };
}

function ordersAtVendor(invoiceId: string): number {
  return processes.razorpay
    .effects()
    .filter(
      ({ op, outcome, businessRef }) =>
        op === 'orders.create' && outcome === 'effect' && businessRef === invoiceId,
    ).length;
}

/** Everything that waits is delivered until the invoice is paid. */
async function expectPaid(invoiceId: string): Promise<void> {
  const isPaid = async () => {
    await processes.deliver();
    return (await get(`/v1/invoices/${invoiceId}`)).status === 'paid';
  };
  expect(await eventually(isPaid, 30_000)).toBe(true);
}

/** Until every stored event has been worked on. */
async function settled(): Promise<void> {
  const isDone = async () => {
    await processes.deliver();
    const waiting = await api.sql("SELECT id FROM inbox_events WHERE status = 'received'");
    return waiting.length === 0;
  };
  expect(await eventually(isDone, 30_000)).toBe(true);
}

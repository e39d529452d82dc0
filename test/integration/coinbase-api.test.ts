/**
 * A customer pays an invoice at Coinbase, from the checkout to the books, over HTTP: the API, real workers, the sandbox and
 * its webhooks, which come twice, late, in any order and forged.
 */
import { randomUUID } from 'node:crypto';
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
import { coinbaseWebhookSecret } from '../support/coinbase.ts';
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
  hear(coinbaseWebhookSecret);
  [tenant, other] = [await api.tenant(), await api.tenant()];
});
afterEach(() => processes.coinbase.setFaults({}));
afterAll(async () => {
  await processes.stop();
  await api.close();
  await temporal.connection.close();
});

const hear = (secret: string) =>
  processes.coinbase.setWebhookEndpoint({ url: `${api.url}/webhooks/coinbase`, secret });

describe('a checkout', () => {
  it('answers the page on which the customer pays, and never the key', async () => {
    const invoiceId = await invoice();
    const { status, body } = await checkout(invoiceId);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      invoiceId,
      provider: 'business',
      status: 'active',
      amountMinor: 2900,
      currency: 'USD',
      url: expect.stringMatching(/^https:\/\/payments\.coinbase\.com\//),
      received: null,
      closedAt: null,
      links: { temporal: expect.stringContaining(encodeURIComponent(`coinbase-checkout/${body.id}`)) },
    });
    expect(JSON.stringify(body)).not.toContain(testConfig.coinbase.privateKey);
    expect(await get(`/v1/coinbase_checkouts/${body.id}`)).toEqual(body);
    const { data } = await get(`/v1/audit_log?entityId=${body.id}`);
    expect(data).toMatchObject([{ action: 'coinbase_checkout.requested' }]);
  });

  it('is one, whether asked for again under the same key, another one, or by five at once', async () => {
    const invoiceId = await invoice();
    const key = randomUUID();
    const answers = await Promise.all([
      checkout(invoiceId, { key }),
      ...Array.from({ length: 4 }, () => checkout(invoiceId)),
    ]);
    expect(new Set(answers.map(({ body }) => body.url)).size).toBe(1);
    const again = await checkout(invoiceId, { key });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body).toEqual(answers[0]?.body);
    expect(madeFor(invoiceId)).toHaveLength(1);
  });

  it.each(['drop_answer', 'error_after', 'malformed'] as const)(
    'whose answer is lost by %s is found again while the caller waits',
    async (fault) => {
      const invoiceId = await invoice();
      processes.coinbase.setFaults({ next: [{ fault, op: 'checkouts.create' }] });
      expect((await checkout(invoiceId)).status).toBe(201);
      expect(madeFor(invoiceId)).toHaveLength(1);
    },
  );

  it('is 503 while Coinbase is away, and one when it is back', async () => {
    const invoiceId = await invoice();
    const key = randomUUID();
    processes.coinbase.setFaults({ rates: { error_before: 1 } });
    const away = await checkout(invoiceId, { key });
    expect(away).toMatchObject({ status: 503 });
    expect(['outcome_unknown', 'vendor_unavailable']).toContain(away.body.code);
    processes.coinbase.setFaults({});
    expect(await checkout(invoiceId, { key })).toMatchObject({ status: 201, body: { status: 'active' } });
    expect(madeFor(invoiceId)).toHaveLength(1);
  });

  it('is refused where the invoice does not wait for it, and where it is in another currency', async () => {
    const invoiceId = await invoice();
    const cash = {
      amountMinor: 2900,
      currency: 'USD',
      method: 'cash',
      reason: 'on the statement',
      reference: randomUUID(),
    };
    await request('POST', `/v1/invoices/${invoiceId}/payments`, { body: cash });
    expect(await checkout(invoiceId)).toMatchObject({
      status: 409,
      body: { code: 'state_conflict', reason: 'invoice_not_open' },
    });
    expect(await checkout(await invoice('EUR'))).toMatchObject({
      status: 409,
      body: { code: 'state_conflict', reason: 'currency_not_supported' },
    });
    expect(madeFor(invoiceId)).toEqual([]);
  });

  it.each([{ amount: 1 }, { currency: 'BTC' }, [], 'x', 1])('takes no %j', async (body) => {
    expect(await checkout(await invoice(), { body })).toMatchObject({
      status: 400,
      body: { code: expect.stringMatching(/invalid_request|malformed_json/) },
    });
  });

  it('of an invoice that is not there is 404, and so is everything of another tenant', async () => {
    const { id, invoiceId } = (await checkout(await invoice())).body;
    const foreign = { token: other.token };
    for (const answer of [
      await checkout(`inv_${'0'.repeat(32)}`),
      await checkout(invoiceId, foreign),
      await request('GET', `/v1/coinbase_checkouts/${id}`, foreign),
      await request('GET', '/v1/coinbase_checkouts/68f7a946db0529ea9b6d3a12'),
    ]) {
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
  });
});

describe('a storm of webhooks about one checkout', () => {
  it('twice and more, shuffled, forged and late, books its payment once', async () => {
    const { coinbase } = processes;
    coinbase.setFaults({ seed: 7, webhooks: { duplicate: 1, copies: 4, hold: true } });
    const { invoiceId, id } = (await checkout(await invoice())).body;
    const checkoutId = await externalIdOf(id);
    coinbase.expire(checkoutId);
    coinbase.pay({ checkoutId });
    await Promise.all([coinbase.flushWebhooks('shuffled'), processes.deliver()]);
    await expectPaid(invoiceId);

    coinbase.setFaults({ webhooks: { forge: 1, duplicate: 1, copies: 3 } });
    for (const { eventId, objectId } of coinbase.webhookDeliveries()) {
      if (objectId === checkoutId) coinbase.redeliverWebhook(eventId);
    }
    await coinbase.flushWebhooks();
    await settled();

    const { data } = await get(`/v1/payments?invoiceId=${invoiceId}`);
    expect(data).toMatchObject([{ rail: 'coinbase', externalId: checkoutId, amountMinor: 2900 }]);
    expect(await get(`/v1/coinbase_checkouts/${id}`)).toMatchObject({
      status: 'completed',
      url: null,
      received: '29.00 USDC',
      failureCode: null,
    });
    const events = await api.sql('SELECT * FROM inbox_events WHERE object_id = $1', [id]);
    expect(events.map(({ status }) => status)).toEqual(['processed', 'processed']);
  });

  it('with forgeries only stores nothing and books nothing', async () => {
    const { coinbase } = processes;
    const { invoiceId, id } = (await checkout(await invoice())).body;
    const checkoutId = await externalIdOf(id);
    hear('guessed');
    coinbase.pay({ checkoutId });
    const own = () => coinbase.webhookDeliveries().filter(({ objectId }) => objectId === checkoutId);
    await eventually(
      async () => own().length > 0 && own().every(({ answers }) => answers.length > 0),
      10_000,
    );
    expect(new Set(own().flatMap(({ answers }) => answers))).toEqual(new Set([400]));
    expect(await api.sql('SELECT * FROM inbox_events WHERE object_id = $1', [id])).toEqual([]);
    expect(await get(`/v1/invoices/${invoiceId}`)).toMatchObject({ status: 'open' });

    // Once the secret is right, Coinbase's own repeats bring it.
    hear(coinbaseWebhookSecret);
    await expectPaid(invoiceId);
  });
});

describe('a refund', () => {
  it('is made at Coinbase and booked here when it tells of it; asked for here it is refused with what to do', async () => {
    const { invoiceId, id } = (await checkout(await invoice())).body;
    const checkoutId = await externalIdOf(id);
    processes.coinbase.pay({ checkoutId });
    await expectPaid(invoiceId);
    const [payment] = (await get(`/v1/payments?invoiceId=${invoiceId}`)).data;
    expect(await request('POST', `/v1/payments/${payment.id}/refunds`, { body: {} })).toMatchObject({
      status: 409,
      body: { reason: 'refunded_at_coinbase', detail: expect.stringContaining('dashboard') },
    });
    const externalId = processes.coinbase.refund({ checkoutId, amountMinor: 900 });
    const isBooked = async () => {
      await processes.deliver();
      return (await get(`/v1/payments/${payment.id}`)).refundedMinor === 900;
    };
    expect(await eventually(isBooked, 20_000)).toBe(true);
    const { data } = await get(`/v1/refunds?paymentId=${payment.id}`);
    expect(data).toMatchObject([
      { externalId, status: 'succeeded', amountMinor: 900, links: { temporal: null } },
    ]);
  });
});

type Options = Parameters<TestApi['request']>[2];

function request(method: string, path: string, options: Options = {}): Promise<TestAnswer> {
  return api.request(method, path, { token: tenant.token, ...options });
}

async function get(path: string): Promise<Json> {
  return (await request('GET', path)).body;
}

function checkout(invoiceId: string, options: Options = {}): Promise<TestAnswer> {
  return request('POST', `/v1/invoices/${invoiceId}/coinbase_checkouts`, { body: {}, ...options });
}

/** Coinbase's id of a checkout. */
async function externalIdOf(id: string): Promise<string> {
  const [row] = await api.sql('SELECT external_id FROM coinbase_checkouts WHERE id = $1', [id]);
  return row.external_id;
}

/** An open invoice over 29.00 of a customer of its own. */
async function invoice(currency = 'USD'): Promise<string> {
  const terms = { name: 'Pro', family: randomUUID(), priceMinor: 2900, currency };
  const plan = { ...terms, code: randomUUID(), interval: { unit: 'month' } };
  const { body: sold } = await request('POST', '/v1/plans', { body: plan });
  const person = { email: `${randomUUID()}@example.com`, name: 'Ada', currency };
  const { body: customer } = await request('POST', '/v1/customers', { body: person });
  const wanted = { customerId: customer.id, planId: sold.id };
  const { body: subscription } = await request('POST', '/v1/subscriptions', { body: wanted });
  const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
  return withTenant(api.db, tenant.tenantId, async (tx) => {
    const context = await lockSubscription(tx, subscription.id);
    return (await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at: new Date() })).id;
  });
}

function madeFor(invoiceId: string) {
  return processes.coinbase
    .effects()
    .filter(
      ({ op, outcome, businessRef }) =>
        op === 'checkouts.create' && outcome === 'effect' && businessRef === invoiceId,
    );
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

/** Outages: what was accepted is never lost, what was not accepted has no half effect. */

import { createHmac } from 'node:crypto';
import type { Client } from '@temporalio/client';
import Stripe from 'stripe';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../config/logger.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';
import { createRelay } from '../../workers/relay.ts';
import { subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
import { openTemporal, startTestApi, type TestApi, type TestTenant, testConfig } from '../support/api.ts';
import { setConnections } from '../support/outage.ts';
import { razorpayWebhookSecret } from '../support/razorpay.ts';

describe('while Temporal is down', () => {
  let temporal: Client;
  let api: TestApi;
  let tenant: TestTenant;
  let customerId: string;

  beforeAll(async () => {
    temporal = await openTemporal();
    api = await startTestApi();
    tenant = await api.tenant();
    const body = { email: 'ada@example.com', name: 'Ada', currency: 'USD' };
    customerId = (await api.request('POST', '/v1/customers', { token: tenant.token, body })).body.id;
  });
  afterAll(async () => {
    await api.close();
    await temporal.connection.close();
  });

  it('a subscription is accepted with 202, and the relay starts its process when Temporal is back', async () => {
    const request = { token: tenant.token, key: 'one', body: { customerId, planCode: 'pro-monthly' } };
    const accepted = await api.request('POST', '/v1/subscriptions', request);
    const repeated = await api.request('POST', '/v1/subscriptions', request);
    expect(accepted).toMatchObject({ status: 202, body: { status: 'trialing' } });
    expect(repeated).toMatchObject({ status: 202, body: accepted.body });
    expect(repeated.headers.get('idempotency-replayed')).toBe('true');

    const workflowId = subscriptionWorkflowId(accepted.body.id);
    await expect(temporal.workflow.getHandle(workflowId).describe()).rejects.toThrow(/not found/);
    await api.sql("UPDATE outbox SET due_at = now() WHERE topic = 'workflow.start'");
    const relay = createRelay({
      db: api.db,
      client: temporal,
      listen: async () => ({ close: async () => {} }),
      sendNotification: async () => {},
      postNotice: async () => {},
      recordTax: async () => {},
      log: createLogger({ name: 'test', level: 'silent' }),
    });
    await relay.drainOnce();
    const { status, type } = await temporal.workflow.getHandle(workflowId).describe();
    expect([status.name, type]).toEqual(['RUNNING', 'subscription']);
  });

  it.each([
    ['cancel', { mode: 'now' }],
    ['convert', {}],
    ['extend_trial', { days: 3 }],
  ])('%s is refused with 503 and may be repeated under the same key', async (act, body) => {
    const [subscription] = await api.sql('SELECT * FROM subscriptions LIMIT 1');
    for (const _try of [1, 2]) {
      const answer = await api.request('POST', `/v1/subscriptions/${subscription.id}/${act}`, {
        token: tenant.token,
        key: `act-${act}`,
        body,
      });
      expect(answer).toMatchObject({ status: 503, body: { code: 'temporal_unavailable' } });
      expect(answer.headers.get('retry-after')).toBe('2');
    }
    expect((await api.sql('SELECT * FROM subscriptions LIMIT 1'))[0]).toEqual(subscription);
  });

  it('a job cannot be triggered: 503', async () => {
    const answer = await api.request('POST', '/v1/schedules/relay-sweep/trigger', {
      token: tenant.token,
      body: {},
    });
    expect(answer).toMatchObject({ status: 503, body: { code: 'temporal_unavailable' } });
  });

  it('everything that needs the database only works', async () => {
    for (const path of ['/v1/customers', '/v1/subscriptions', '/v1/schedules', '/v1/trial_statistics']) {
      expect((await api.request('GET', path, { token: tenant.token })).status).toBe(200);
    }
  });
});

describe('while the tasks of a process fail', () => {
  let temporal: Client;
  let api: TestApi;

  beforeAll(async () => {
    temporal = await openTemporal();
    api = await startTestApi({ temporal });
  });
  afterAll(async () => {
    await api.close();
    await temporal.connection.close();
  });

  it('what is asked of it is refused with 503, and may be repeated', async () => {
    const { token } = await api.tenant();
    const ada = { email: 'ada@example.com', name: 'Ada', currency: 'USD' };
    const { body: customer } = await api.request('POST', '/v1/customers', { token, body: ada });
    const body = { customerId: customer.id, planCode: 'pro-monthly' };
    const { body: subscription } = await api.request('POST', '/v1/subscriptions', { token, body });
    for (const _attempt of [1, 2, 3]) await failTask(temporal);

    const path = `/v1/subscriptions/${subscription.id}/extend_trial`;
    const answer = await api.request('POST', path, { token, body: { days: 3 } });
    expect(answer).toMatchObject({ status: 503, body: { code: 'temporal_unavailable' } });
    expect(answer.headers.get('retry-after')).toBe('2');
  });

  /** Does what a worker does that dies of the next task. */
  function failTask(client: Client): Promise<void> {
    const { namespace } = client.options;
    return client.withDeadline(Date.now() + 60_000, async () => {
      const taskQueue = { name: taskQueues.billing };
      const { taskToken } = await client.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue });
      await client.workflowService.respondWorkflowTaskFailed({ namespace, taskToken });
    });
  }
});

describe('while the database is down', () => {
  let api: TestApi;
  let tenant: TestTenant;

  beforeEach(async () => {
    api = await startTestApi();
    tenant = await api.tenant();
    await setConnections(api, false);
  });
  afterEach(() => api.close());

  it('every call and every webhook is 503 with Retry-After, never 500; repeated afterwards, it happens once', async () => {
    const body = { email: 'ada@example.com', name: 'Ada', currency: 'USD' };
    const create = () => api.request('POST', '/v1/customers', { token: tenant.token, key: 'mine', body });

    const event = JSON.stringify({
      id: 'evt_1',
      object: 'event',
      type: 'payment_intent.succeeded',
      created: 1,
      data: { object: { object: 'payment_intent', id: 'pi_1' } },
    });
    const [secret = ''] = testConfig.stripe.webhookSecrets;
    const webhook = () =>
      api.request('POST', '/webhooks/stripe', {
        body: event,
        headers: { 'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: event, secret }) },
      });

    const order = JSON.stringify({
      entity: 'event',
      account_id: 'acc_1',
      event: 'order.paid',
      payload: { order: { entity: { id: 'order_1' } } },
      created_at: Math.floor(Date.now() / 1000),
    });
    const signature = createHmac('sha256', razorpayWebhookSecret).update(order).digest('hex');
    const razorpay = () =>
      api.request('POST', '/webhooks/razorpay', {
        body: order,
        headers: { 'x-razorpay-signature': signature, 'x-razorpay-event-id': 'evt_2' },
      });

    const answers = [
      await create(),
      await api.request('GET', '/v1/customers', { token: tenant.token }),
      await webhook(),
      await razorpay(),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
      expect(answer.headers.get('retry-after')).toBe('2');
    }
    const ready = await api.request('GET', '/readyz');
    expect(ready).toMatchObject({ status: 503, body: { checks: { database: { ok: false } } } });
    expect((await api.request('GET', '/healthz')).status).toBe(200);

    await setConnections(api, true);
    expect((await create()).status).toBe(201);
    expect(await webhook()).toMatchObject({ status: 200, body: { received: 'stored' } });
    expect(await razorpay()).toMatchObject({ status: 200, body: { received: 'stored' } });
    expect(await api.rowCounts()).toMatchObject({ customers: 1, inbox_events: 2 });
  });
});

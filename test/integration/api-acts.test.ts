/** What callers ask of a running subscription: the process decides, the API answers what it decided. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
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

beforeAll(async () => {
  temporal = await openTemporal();
  api = await startTestApi({ temporal });
  processes = await startProcesses({ db: api.db, temporal });
  tenant = await api.tenant();
});
afterAll(async () => {
  await processes.stop();
  await api.close();
  await temporal.connection.close();
});

/** A new customer in a trial, or as `start` says. */
async function subscribe(differs: object = {}): Promise<Json> {
  const customer = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
  const customerId = (await send('POST', '/v1/customers', customer)).body.id;
  const { status, body } = await send('POST', '/v1/subscriptions', {
    customerId,
    planCode: 'pro-monthly',
    ...differs,
  });
  expect(status).toBe(201);
  return body;
}

function send(
  method: string,
  path: string,
  body: unknown = {},
  key: string = randomUUID(),
): Promise<TestAnswer> {
  return api.request(method, path, { token: tenant.token, key, body });
}

function act({ id }: { id: string }, name: string, body: unknown = {}, key?: string): Promise<TestAnswer> {
  return send('POST', `/v1/subscriptions/${id}/${name}`, body, key);
}

function useCard({ id }: { id: string }, paymentMethodId: string, key?: string): Promise<TestAnswer> {
  return send('PUT', `/v1/subscriptions/${id}/payment_method`, { paymentMethodId }, key);
}

async function read({ id }: { id: string }): Promise<Json> {
  return (await api.request('GET', `/v1/subscriptions/${id}`, { token: tenant.token })).body;
}

/** The process adds nothing of its own meanwhile, so the tables of the whole database can be compared. */
async function expectNothingWritten(request: () => Promise<TestAnswer>): Promise<TestAnswer> {
  const before = await api.rowCounts();
  const answer = await request();
  expect(await api.rowCounts()).toEqual(before);
  return answer;
}

describe('a started subscription', () => {
  it('answers 201 once its process runs, and links to it', async () => {
    const subscription = await subscribe();
    const workflowId = subscriptionWorkflowId(subscription.id);
    const { status } = await temporal.workflow.getHandle(workflowId).describe();
    expect(status.name).toBe('RUNNING');
    expect(subscription.links.temporal).toBe(
      `http://127.0.0.1:8233/namespaces/${temporal.options.namespace}/workflows/${encodeURIComponent(workflowId)}`,
    );
  });

  it('waits for the same in the API and in the Web UI', async () => {
    const subscription = await subscribe();
    const handle = temporal.workflow.getHandle(subscriptionWorkflowId(subscription.id));
    const metadata = await handle.query<Json>('__temporal_workflow_metadata');
    expect(metadata.currentDetails).toBe((await read(subscription)).waitingFor);
  });

  it('starts once, however often the request is repeated, and its start is not left to the relay', async () => {
    const customer = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
    const customerId = (await send('POST', '/v1/customers', customer)).body.id;
    const key = randomUUID();
    const create = () => send('POST', '/v1/subscriptions', { customerId, planCode: 'pro-monthly' }, key);
    const answers = await Promise.all([create(), create(), create()]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);

    const id = answers[0]?.body.id;
    await vi.waitFor(async () => {
      const starts = await api.sql("SELECT delivered_at FROM outbox WHERE envelope->>'workflowId' = $1", [
        subscriptionWorkflowId(id),
      ]);
      expect(starts).toEqual([{ delivered_at: expect.any(Date) }]);
    });
    await vi.waitFor(async () => expect((await create()).status).toBe(201));
  });

  it('whose start is still to be delivered is started by the first act', async () => {
    const { customerId } = await subscribe();
    const { context } = await withTenant(api.db, tenant.tenantId, (tx) =>
      createSubscription(tx, { customerId, plan: { code: 'other-monthly' }, at: new Date() }),
    );
    const { subscription } = context;
    const handle = temporal.workflow.getHandle(subscriptionWorkflowId(subscription.id));
    await expect(handle.describe()).rejects.toThrow(/not found/);
    expect(await act(subscription, 'extend_trial', { days: 3 })).toMatchObject({ status: 200 });
    await processes.deliver();
    expect((await handle.describe()).status.name).toBe('RUNNING');
  });
});

describe('payment method and conversion', () => {
  it('a card is attached without a charge in the trial; converting charges it once and activates at once', async () => {
    const subscription = await subscribe();
    const attached = await useCard(subscription, 'pm_card_visa');
    expect(attached).toMatchObject({
      status: 200,
      body: { outcome: 'nothing_due', subscription: { status: 'trialing', hasPaymentMethod: true } },
    });
    const key = randomUUID();
    const converted = await act(subscription, 'convert', {}, key);
    expect(converted).toMatchObject({
      status: 200,
      body: {
        outcome: 'paid',
        subscription: { status: 'active', access: 'full', currentPeriod: { index: 0 } },
      },
    });
    const repeated = await act(subscription, 'convert', {}, key);
    expect(repeated).toMatchObject({ status: 200, body: converted.body });
    expect(repeated.headers.get('idempotency-replayed')).toBe('true');

    const query = `customerId=${subscription.customerId}`;
    const invoices = (await api.request('GET', `/v1/invoices?${query}`, { token: tenant.token })).body.data;
    const payments = (await api.request('GET', `/v1/payments?${query}`, { token: tenant.token })).body.data;
    expect(invoices).toMatchObject([{ status: 'paid', totalMinor: 2900, dueMinor: 0, periodIndex: 0 }]);
    expect(payments).toMatchObject([{ rail: 'stripe', amountMinor: 2900, invoiceId: invoices[0].id }]);
    const { body } = await api.request('GET', `/v1/invoices/${invoices[0].id}`, { token: tenant.token });
    expect(body.lines).toMatchObject([{ quantity: 1, amountMinor: 2900 }]);
  });

  it('converting without a payment method is refused, says what to do, and writes nothing', async () => {
    const subscription = await subscribe();
    const answer = await expectNothingWritten(() => act(subscription, 'convert'));
    expect(answer).toMatchObject({ status: 409, body: { code: 'payment_method_missing' } });
  });

  it('a declined card is 402; asked again under the same key nothing is charged again', async () => {
    const subscription = await subscribe();
    await useCard(subscription, processes.stripe.createCard({ outcomes: ['insufficient_funds'] }));
    const key = randomUUID();
    const declined = await act(subscription, 'convert', {}, key);
    expect(declined).toMatchObject({ status: 402, body: { code: 'card_declined' } });
    const charges = processes.stripe.effects().length;
    const repeated = await act(subscription, 'convert', {}, key);
    expect(repeated).toMatchObject({ status: 402, body: declined.body });
    expect(processes.stripe.effects()).toHaveLength(charges);
    expect(await read(subscription)).toMatchObject({ status: 'trialing', access: 'full' });
  });

  it('a payment that needs the customer answers with the link to confirm', async () => {
    const subscription = await subscribe();
    await useCard(subscription, 'pm_card_authenticationRequired');
    const answer = await act(subscription, 'convert');
    expect(answer).toMatchObject({
      status: 200,
      body: { outcome: 'requires_action', actionUrl: expect.stringMatching(/^http/) },
    });
  });

  it('a payment method the vendor does not know is refused', async () => {
    const subscription = await subscribe();
    const answer = await useCard(subscription, 'pm_unknown');
    expect(answer).toMatchObject({ status: 422, body: { code: 'payment_method_invalid' } });
    expect(await read(subscription)).toMatchObject({ hasPaymentMethod: false });
  });

  it('what is unpaid shows its dunning; a payment recorded by hand ends it and restores access', async () => {
    const { token } = await api.tenant({ demoDaySeconds: 3 });
    const ask = async (method: string, path: string, body?: unknown): Promise<Json> =>
      (await api.request(method, path, { token, ...(body !== undefined && { body }) })).body;
    await ask('POST', '/v1/plans', {
      code: 'short-trial',
      name: 'Short trial',
      family: 'short',
      priceMinor: 500,
      currency: 'USD',
      interval: { unit: 'month' },
      policy: { trialDays: 1, trialMessages: [] },
    });
    const customer = { email: 'ada@example.com', name: 'Ada', currency: 'USD' };
    const { id: customerId } = await ask('POST', '/v1/customers', customer);
    const { id } = await ask('POST', '/v1/subscriptions', { customerId, planCode: 'short-trial' });
    const paymentMethodId = processes.stripe.createCard({ outcomes: ['insufficient_funds'] });
    await ask('PUT', `/v1/subscriptions/${id}/payment_method`, { paymentMethodId });

    const dunned = await vi.waitFor(
      async () => {
        const subscription = await ask('GET', `/v1/subscriptions/${id}`);
        expect(subscription.status).toBe('past_due');
        return subscription;
      },
      { timeout: 30_000, interval: 250 },
    );
    expect(dunned.dunning).toMatchObject({
      policy: 'standard_30',
      policyVersion: 1,
      waitingFor: expect.stringMatching(/^Waiting for payment; step \d of 6/),
    });
    const invoice = await ask('GET', `/v1/invoices/${dunned.dunning.invoiceId}`);
    const cash = {
      amountMinor: 500,
      currency: 'USD',
      method: 'cash',
      reason: 'on the statement',
      reference: 'cash 1',
    };
    const paid = await ask('POST', `/v1/invoices/${invoice.id}/payments`, cash);
    expect(paid).toMatchObject({ outcome: 'settled', invoice: { status: 'paid' } });
    expect(await ask('GET', `/v1/subscriptions/${id}`)).toMatchObject({
      status: 'active',
      access: 'full',
      dunning: null,
    });
    const mails = (await ask('GET', `/v1/notifications?subscriptionId=${id}`)).data;
    expect(mails.filter(({ template }: Json) => template === 'payment_recovered')).toHaveLength(1);
  });
});

describe('cancelling', () => {
  it('at the end keeps access until then; a second cancellation is refused and writes nothing', async () => {
    const subscription = await subscribe();
    const cancelled = await act(subscription, 'cancel', {
      reason: 'too_expensive',
      comment: 'Back in spring, Ada.',
    });
    expect(cancelled).toMatchObject({
      status: 200,
      body: {
        status: 'trialing',
        access: 'full',
        cancelAtPeriodEnd: true,
        cancellation: { reason: 'too_expensive', comment: 'Back in spring, Ada.' },
      },
    });
    const again = await expectNothingWritten(() => act(subscription, 'cancel'));
    expect(again).toMatchObject({
      status: 409,
      body: { code: 'state_conflict', reason: 'already_cancelled' },
    });
  });

  it('is taken back while the period runs; taken back twice is refused', async () => {
    const subscription = await subscribe();
    await act(subscription, 'cancel');
    const undone = await act(subscription, 'undo_cancel');
    expect(undone).toMatchObject({ status: 200, body: { cancelAtPeriodEnd: false, cancellation: null } });
    const again = await expectNothingWritten(() => act(subscription, 'undo_cancel'));
    expect(again).toMatchObject({ status: 409, body: { reason: 'not_cancelled' } });
  });

  it('now ends access at once, and every further act is refused', async () => {
    const subscription = await subscribe();
    const cancelled = await act(subscription, 'cancel', { mode: 'now' });
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled', access: 'none' } });
    for (const [name, body] of [
      ['cancel', {}],
      ['undo_cancel', {}],
      ['convert', {}],
      ['extend_trial', { days: 1 }],
    ] as const) {
      const answer = await expectNothingWritten(() => act(subscription, name, body));
      expect([name, answer.status, answer.body.code]).toEqual([name, 409, 'subscription_ended']);
    }
  });

  it('of a subscription whose process is over is 409', async () => {
    const subscription = await subscribe();
    await act(subscription, 'cancel', { mode: 'now' });
    await temporal.workflow.getHandle(subscriptionWorkflowId(subscription.id)).terminate();
    const answer = await expectNothingWritten(() => act(subscription, 'undo_cancel'));
    expect(answer).toMatchObject({ status: 409, body: { code: 'subscription_ended' } });
  });

  it('of a subscription whose process somebody ended by hand names the operator', async () => {
    const subscription = await subscribe();
    await temporal.workflow.getHandle(subscriptionWorkflowId(subscription.id)).terminate();
    const answer = await act(subscription, 'cancel');
    expect(answer).toMatchObject({ status: 409, body: { code: 'state_conflict', reason: 'process_ended' } });
  });

  it("keeps the customer's words in one place, and a repeated answer has them nevertheless", async () => {
    const subscription = await subscribe();
    const key = randomUUID();
    const body = { comment: 'My name is Ada Lovelace.' };
    const first = await act(subscription, 'cancel', body, key);
    const repeated = await act(subscription, 'cancel', body, key);
    expect(repeated.body).toEqual(first.body);
    const [row] = await api.sql('SELECT * FROM idempotency_keys WHERE key = $1', [key]);
    expect(JSON.stringify(row)).not.toContain('Lovelace');
  });
});

describe('a change of plan or seats that is refused, asked for or only previewed', () => {
  let subscription: Json;
  beforeAll(async () => {
    subscription = await subscribe();
    await useCard(subscription, 'pm_card_visa');
    await act(subscription, 'convert');
    const gone = { name: 'Gone', family: 'books', priceMinor: 39_900, currency: 'USD' };
    const { body } = await send('POST', '/v1/plans', { ...gone, code: 'gone', interval: { unit: 'month' } });
    expect((await send('POST', `/v1/plans/${body.id}/archive`)).status).toBe(200);
    subscription = await read(subscription);
    expect(subscription).toMatchObject({ status: 'active', pendingChange: null });
  });

  it.each([
    ['the same plan', { planCode: 'pro-monthly' }, 409, { reason: 'nothing_changes' }],
    ['as many seats as there are', { quantity: 1 }, 409, { reason: 'nothing_changes' }],
    ['an archived plan', { planCode: 'gone' }, 422, { code: 'plan_archived' }],
    ['a plan in another currency', { planCode: 'pro-euro' }, 422, { code: 'currency_mismatch' }],
    ['a plan that is not there', { planCode: 'nothing' }, 404, { code: 'not_found' }],
    ['no seat', { quantity: 0 }, 400, { code: 'invalid_request' }],
    ['a thousand million seats', { quantity: 1_000_000_000 }, 400, { code: 'invalid_request' }],
    ['nothing', {}, 400, { code: 'invalid_request' }],
  ])('%s: not a row is written', async (_what, wish, status, body) => {
    for (const name of ['preview_change', 'change_plan']) {
      const answer = await expectNothingWritten(() => act(subscription, name, wish));
      expect(answer, name).toMatchObject({ status, body });
    }
    expect(await read(subscription)).toEqual(subscription);
  });
});

describe('extending a trial', () => {
  it('moves its end by whole days, once per key, also when asked five times at once', async () => {
    const subscription = await subscribe();
    const key = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        act(subscription, 'extend_trial', { days: 7, reason: 'goodwill' }, key),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const movedMs = Date.parse((await read(subscription)).trialEndsAt) - Date.parse(subscription.trialEndsAt);
    expect(movedMs).toBe(7 * 86_400_000);
  });

  it('that has ended in a conversion is refused', async () => {
    const subscription = await subscribe();
    await useCard(subscription, 'pm_card_visa');
    await act(subscription, 'convert');
    const answer = await act(subscription, 'extend_trial', { days: 7 });
    expect(answer).toMatchObject({ status: 409, body: { code: 'state_conflict', reason: 'not_trialing' } });
  });
});

describe('an act whose answer was lost', () => {
  it('is not done twice: the caller repeats it and gets the first outcome', async () => {
    const subscription = await subscribe();
    const key = randomUUID();
    const first = await act(subscription, 'extend_trial', { days: 7 }, key);
    await forgetAnswer(key);
    const second = await act(subscription, 'extend_trial', { days: 7 }, key);
    expect(second).toMatchObject({ status: 200, body: { trialEndsAt: first.body.trialEndsAt } });
    expect((await read(subscription)).trialEndsAt).toBe(first.body.trialEndsAt);
  });

  it('gets the first outcome also from a process that has continued as new since', async () => {
    const subscription = await subscribe();
    await useCard(subscription, 'pm_card_visa');
    const key = randomUUID();
    const handle = temporal.workflow.getHandle(subscriptionWorkflowId(subscription.id));
    const before = await handle.describe();
    const first = await act(subscription, 'convert', {}, key);
    await vi.waitFor(async () => expect((await handle.describe()).runId).not.toBe(before.runId), 15_000);

    await forgetAnswer(key);
    const second = await act(subscription, 'convert', {}, key);
    expect([first, second]).toMatchObject([
      { status: 200, body: { outcome: 'paid' } },
      { status: 200, body: { outcome: 'paid' } },
    ]);
    const anotherKey = await act(subscription, 'convert');
    expect(anotherKey).toMatchObject({ status: 409, body: { reason: 'subscription_active' } });
    const invoices = await api.request('GET', `/v1/invoices?subscriptionId=${subscription.id}`, {
      token: tenant.token,
    });
    expect(invoices.body.data).toMatchObject([{ status: 'paid' }]);
  });
});

/** As if the API had been killed between the act and the note of its answer. */
async function forgetAnswer(key: string): Promise<void> {
  await api.sql('UPDATE idempotency_keys SET response_status = NULL, response_body = NULL WHERE key = $1', [
    key,
  ]);
}

describe('what happened', () => {
  it('is in the timeline and in the audit log, with who asked', async () => {
    const subscription = await subscribe();
    await act(subscription, 'cancel', { reason: 'too_expensive' });
    const timeline = await api.request('GET', `/v1/subscriptions/${subscription.id}/timeline`, {
      token: tenant.token,
    });
    expect(timeline.body.data.map(({ kind }: Json) => kind)).toEqual([
      'trial_started',
      'cancellation_requested',
    ]);
    const audit = await api.request('GET', `/v1/audit_log?entityId=${subscription.id}`, {
      token: tenant.token,
    });
    expect(audit.body.data).toMatchObject([
      {
        action: 'subscription.cancelled',
        actor: expect.stringMatching(/^api_key:key_/),
        reason: 'too_expensive',
      },
      { action: 'subscription.created' },
    ]);
  });
});

describe('readiness', () => {
  it('is there with workers, and a run of a job that was triggered by hand is accepted', async () => {
    await vi.waitFor(async () => expect((await api.request('GET', '/readyz')).status).toBe(200), {
      timeout: 15_000,
      interval: 500,
    });
  });
});

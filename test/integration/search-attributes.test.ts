/** What people filter processes by in Temporal's Web UI: whose each is, its state, and when its period ends. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dunningWorkflowId } from '../../workflows/billing/dunning.contract.ts';
import { subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
import { searchAttributeKeys } from '../../workflows/search-attributes.ts';
import { type Json, openTemporal, startTestApi, type TestApi } from '../support/api.ts';
import { type Processes, startProcesses } from './api-processes.ts';

let temporal: Client;
let api: TestApi;
let processes: Processes;

beforeAll(async () => {
  temporal = await openTemporal();
  api = await startTestApi({ temporal });
  processes = await startProcesses({ db: api.db, temporal });
});
afterAll(async () => {
  await processes.stop();
  await api.close();
  await temporal.connection.close();
});

const soon = { timeout: 30_000, interval: 200 };

describe('a subscription', () => {
  it('shows its trial, its period in the run that a conversion begins, and its end', async () => {
    const { workflowId, ids, ask } = await subscribe('pro-monthly');
    const trial = await shown(workflowId);
    expect(trial.attributes).toEqual({ ...ids, Status: 'trialing' });
    await expect.poll(() => running('trialing', ids), soon).toEqual([workflowId]);

    await ask('PUT', 'payment_method', { paymentMethodId: 'pm_card_visa' });
    const { body } = await ask('POST', 'convert');
    const PeriodEnd = new Date(body.subscription.currentPeriod.endsAt);
    await expect.poll(async () => (await shown(workflowId)).runId, soon).not.toBe(trial.runId);
    const active = await shown(workflowId);
    expect(active).toMatchObject({ status: 'RUNNING', firstRunId: trial.runId });
    expect(active.attributes).toEqual({ ...ids, Status: 'active', PeriodEnd });
    expect((await shown(workflowId, trial.runId)).status).toBe('CONTINUED_AS_NEW');
    await expect.poll(() => running('active', ids, onDayOf(PeriodEnd)), soon).toEqual([workflowId]);
    await expect.poll(() => running('trialing', ids), soon).toEqual([]);

    expect((await ask('POST', 'cancel', { mode: 'now' })).body.status).toBe('cancelled');
    const ended = { ...ids, Status: 'cancelled', PeriodEnd };
    await expect.poll(async () => (await shown(workflowId)).attributes, soon).toEqual(ended);
    await expect.poll(() => running('cancelled', ids), soon).toEqual([workflowId]);
  });

  it('that is cancelled in its trial shows that, in the run it had', async () => {
    const { workflowId, ids, ask } = await subscribe('pro-monthly');
    const { runId } = await shown(workflowId);
    await ask('POST', 'cancel', { mode: 'now' });
    const ended = { ...ids, Status: 'cancelled' };
    await expect.poll(async () => (await shown(workflowId, runId)).attributes, soon).toEqual(ended);
    expect((await shown(workflowId)).runId).toBe(runId);
  });
});

describe('the dunning of a customer', () => {
  it('shows that it is open and whose it is, while the subscription shows that it is past due', async () => {
    const { subscription, workflowId, ids, ask } = await subscribe('short-trial', { demoDaySeconds: 3 });
    const paymentMethodId = processes.stripe.createCard({ outcomes: ['insufficient_funds'] });
    await ask('PUT', 'payment_method', { paymentMethodId });
    await expect.poll(async () => (await ask('GET')).body.status, soon).toBe('past_due');
    await processes.deliver();

    const { customerId } = subscription;
    const [dunningCase] = await api.sql('SELECT id FROM dunning_cases WHERE customer_id = $1', [customerId]);
    const dunning = await shown(dunningWorkflowId(customerId));
    expect(dunning).toMatchObject({ status: 'RUNNING' });
    expect(dunning.attributes).toEqual({ ...ids, EntityId: dunningCase.id, Status: 'open' });
    const { currentPeriod } = (await ask('GET')).body;
    const pastDue = { ...ids, Status: 'past_due', PeriodEnd: new Date(currentPeriod.endsAt) };
    await expect.poll(async () => (await shown(workflowId)).attributes, soon).toEqual(pastDue);
  });
});

/** A subscription of a tenant of its own, with what its process is to be found by. */
async function subscribe(planCode: string, options: { demoDaySeconds?: number } = {}) {
  const { tenantId, token } = await api.tenant(options);
  const send = (method: string, path: string, body?: object) =>
    api.request(method, path, { token, ...(body && { body }) });
  await send('POST', '/v1/plans', shortTrial);
  const person = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
  const { id: customerId } = (await send('POST', '/v1/customers', person)).body;
  const subscription: Json = (await send('POST', '/v1/subscriptions', { customerId, planCode })).body;
  return {
    subscription,
    workflowId: subscriptionWorkflowId(subscription.id),
    ids: { TenantId: tenantId, CustomerId: customerId, EntityId: subscription.id },
    ask: (method: string, act?: string, body?: object) => {
      const path = `/v1/subscriptions/${subscription.id}${act === undefined ? '' : `/${act}`}`;
      return send(method, path, method === 'GET' ? undefined : (body ?? {}));
    },
  };
}

const shortTrial = {
  code: 'short-trial',
  name: 'Short trial',
  family: 'short',
  priceMinor: 500,
  currency: 'USD',
  interval: { unit: 'month' },
  policy: { trialDays: 1, trialMessages: [] },
};

/** A run, the latest unless named, with its search attributes as the server has them. */
async function shown(workflowId: string, run?: string) {
  const { runId, status, raw, typedSearchAttributes } = await temporal.workflow
    .getHandle(workflowId, run)
    .describe();
  const keys = Object.values(searchAttributeKeys);
  return {
    runId,
    firstRunId: raw.workflowExecutionInfo?.firstRunId,
    status: status.name,
    attributes: Object.fromEntries(keys.map((key) => [key.name, typedSearchAttributes.get(key)])),
  };
}

/** The running processes a person finds by these values. The names are quoted: `Status` is a word of the language. */
async function running(Status: string, values: Record<string, string>, ...more: string[]): Promise<string[]> {
  const wanted: Record<string, string> = { ...values, Status, ExecutionStatus: 'Running' };
  const filters = Object.entries(wanted).map(([name, value]) => `\`${name}\` = '${value}'`);
  const query = [...filters, ...more].join(' AND ');
  const ids: string[] = [];
  for await (const { workflowId } of temporal.workflow.list({ query })) ids.push(workflowId);
  return ids;
}

/** A day, not the instant: the dev server compares instants as text and does not find one that ends in a zero. */
function onDayOf(periodEnd: Date): string {
  const halfDayMs = 43_200_000;
  const [from, to] = [-halfDayMs, halfDayMs].map((ms) => new Date(periodEnd.getTime() + ms).toISOString());
  return `PeriodEnd BETWEEN '${from}' AND '${to}'`;
}

/** What lists and reads promise: every row once, nobody else's, and figures that add up. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { recordScheduleSuccess } from '../../db/queries/operations/schedule-runs.ts';
import { recordTrialStatistics } from '../../db/queries/reporting/trial-statistics.ts';
import { type Json, startTestApi, type TestAnswer, type TestApi, type TestTenant } from '../support/api.ts';

let api: TestApi;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  api = await startTestApi();
  [tenant, other] = [await api.tenant(), await api.tenant()];
});
afterAll(() => api.close());

function send(method: string, path: string, body?: unknown, { token } = tenant): Promise<TestAnswer> {
  return api.request(method, path, { token, ...(body !== undefined && { body }) });
}

async function newCustomer(owner = tenant): Promise<string> {
  const body = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
  return (await send('POST', '/v1/customers', body, owner)).body.id;
}

/** Without the API, which would wait for Temporal. */
async function newTrial(
  { tenantId, plans }: TestTenant,
  customerId: string,
  at = new Date(),
): Promise<string> {
  const plan = plans['pro-monthly'];
  if (plan === undefined) throw new Error('no plan');
  const { context } = await withTenant(api.db, tenantId, (tx) =>
    createSubscription(tx, { customerId, plan, start: 'trial', at }),
  );
  return context.subscription.id;
}

/** Follows the cursors to the end. */
async function allPages(path: string, limit: number): Promise<Json[][]> {
  const pages: Json[][] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const separator = path.includes('?') ? '&' : '?';
    const { status, body }: TestAnswer = await send(
      'GET',
      `${path}${separator}limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    expect(status).toBe(200);
    pages.push(body.data);
    cursor = body.nextCursor;
  }
  return pages;
}

describe('pages', () => {
  it('show every row once, newest first, also when rows are added meanwhile', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 7; count += 1) ids.push(await newCustomer());
    const first = await send('GET', '/v1/customers?limit=3');
    expect(first.body.data.map(({ id }: Json) => id)).toEqual(ids.slice(4).reverse());
    await newCustomer();
    const second = await send('GET', `/v1/customers?limit=3&cursor=${first.body.nextCursor}`);
    expect(second.body.data.map(({ id }: Json) => id)).toEqual(ids.slice(1, 4).reverse());
    const third = await send('GET', `/v1/customers?limit=3&cursor=${second.body.nextCursor}`);
    expect(third.body).toMatchObject({ data: [{ id: ids[0] }], nextCursor: null });
  });

  it('whose last row is the last of all have no next one', async () => {
    const pages = await allPages('/v1/plans', 5);
    expect(pages.map((page) => page.length)).toEqual([5]);
  });

  it('of policies go by name and show the latest version of each', async () => {
    const steps = [{ day: 1, retry: false, template: 'subscription_cancelled_unpaid', end: 'cancel' }];
    await send('PUT', '/v1/dunning_policies/aaa', { graceDays: 0, steps });
    await send('PUT', '/v1/dunning_policies/aaa', { graceDays: 1, steps });
    const pages = await allPages('/v1/dunning_policies', 2);
    expect(pages.flat().map(({ name, version }) => [name, version])).toEqual([
      ['aaa', 2],
      ['short_10', 1],
      ['standard_30', 1],
    ]);
    const earlier = await api.sql(
      "SELECT version, grace_days FROM dunning_policies WHERE name = 'aaa' ORDER BY version",
    );
    expect(earlier).toEqual([
      { version: 1, grace_days: 0 },
      { version: 2, grace_days: 1 },
    ]);
  });

  it('of a timeline go forward, oldest first', async () => {
    const id = await newTrial(tenant, await newCustomer());
    await api.sql(
      `INSERT INTO subscription_events (id, tenant_id, subscription_id, at, kind, message)
       SELECT 'evt_f' || lpad(to_hex(n), 31, '0'), $1, $2, now(), 'note', n::text FROM generate_series(1, 4) n`,
      [tenant.tenantId, id],
    );
    const pages = await allPages(`/v1/subscriptions/${id}/timeline`, 2);
    expect(
      pages
        .flat()
        .map(({ message }) => message)
        .slice(1),
    ).toEqual(['1', '2', '3', '4']);
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
  });

  it('four edits of a policy at once become four versions', async () => {
    const steps = [{ day: 1, retry: false, template: 'subscription_cancelled_unpaid', end: 'cancel' }];
    const edit = () => send('PUT', '/v1/dunning_policies/busy', { graceDays: 0, steps });
    const answers = await Promise.all([edit(), edit(), edit(), edit()]);
    expect(answers.map(({ body }) => body.version).sort()).toEqual([1, 2, 3, 4]);
  });
});

describe('filters', () => {
  it('narrow a list to one customer, one state, one reference', async () => {
    const [ada, bob] = [await newCustomer(), await newCustomer()];
    const [adas] = [await newTrial(tenant, ada), await newTrial(tenant, bob)];
    expect((await send('GET', `/v1/subscriptions?customerId=${ada}`)).body.data).toMatchObject([
      { id: adas },
    ]);
    expect((await send('GET', `/v1/subscriptions?customerId=${ada}&status=active`)).body.data).toEqual([]);
    expect((await send('GET', `/v1/notifications?customerId=${ada}`)).body.data).toMatchObject([
      { template: 'trial_started', subscriptionId: adas, status: 'queued', recipient: null },
    ]);
    await send('PATCH', `/v1/customers/${bob}`, { externalRef: 'bob' });
    expect((await send('GET', '/v1/customers?externalRef=bob')).body.data).toMatchObject([{ id: bob }]);
  });

  it('archived plans are shown when asked for', async () => {
    const { id } = (await send('GET', '/v1/plans')).body.data.find(
      ({ code }: Json) => code === 'other-monthly',
    );
    await send('POST', `/v1/plans/${id}/archive`, {});
    const codes = async (query: string) =>
      (await send('GET', `/v1/plans${query}`)).body.data.map(({ code }: Json) => code);
    expect(await codes('')).not.toContain('other-monthly');
    expect(await codes('?archived=true')).toContain('other-monthly');
  });
});

describe('tenants', () => {
  it('with the same references, plan codes and people do not see or hinder each other', async () => {
    const customer = { email: 'same@example.com', name: 'Same', currency: 'USD', externalRef: 'same' };
    const plan = {
      code: 'same',
      name: 'Same',
      family: 'same',
      priceMinor: 1,
      currency: 'USD',
      interval: { unit: 'month' },
    };
    for (const owner of [tenant, other]) {
      const created = await send('POST', '/v1/customers', customer, owner);
      expect(created.status).toBe(201);
      expect((await send('POST', '/v1/plans', plan, owner)).status).toBe(201);
      expect(await newTrial(owner, created.body.id)).toMatch(/^sub_/);
      expect((await send('GET', '/v1/customers?externalRef=same', undefined, owner)).body.data).toMatchObject(
        [{ id: created.body.id }],
      );
    }
  });

  it("a cursor that is another tenant's id shows nothing of it", async () => {
    const theirs = await newCustomer(other);
    const { body } = await send('GET', `/v1/customers?limit=100&cursor=${theirs}`);
    const owners = await api.sql('SELECT DISTINCT tenant_id FROM customers WHERE id = ANY($1)', [
      body.data.map(({ id }: Json) => id),
    ]);
    expect(owners).toEqual([{ tenant_id: tenant.tenantId }]);
  });
});

describe('customers', () => {
  it('keep what is not sent, and say in the audit log which fields changed, never what they were', async () => {
    const id = await newCustomer();
    const { body } = await send('PATCH', `/v1/customers/${id}`, { name: 'Ada King', externalRef: null });
    expect(body).toMatchObject({ id, name: 'Ada King', externalRef: null, currency: 'USD' });
    const [entry] = (await send('GET', `/v1/audit_log?entityId=${id}`)).body.data;
    expect(entry).toMatchObject({ action: 'customer.changed', details: { fields: ['name', 'externalRef'] } });
    expect(JSON.stringify(await api.sql('SELECT * FROM audit_log'))).not.toContain('King');
  });

  it('whose data was erased can be read but neither changed nor subscribed', async () => {
    const id = await newCustomer();
    await api.sql(
      'UPDATE customers SET email = NULL, name = NULL, name_key = NULL, erased_at = now() WHERE id = $1',
      [id],
    );
    expect((await send('GET', `/v1/customers/${id}`)).body).toMatchObject({ email: null, name: null });
    const changed = await send('PATCH', `/v1/customers/${id}`, { name: 'Back' });
    expect(changed).toMatchObject({ status: 409, body: { code: 'customer_erased' } });
    const subscribed = await send('POST', '/v1/subscriptions', { customerId: id, planCode: 'pro-monthly' });
    expect(subscribed).toMatchObject({ status: 409, body: { code: 'customer_erased' } });
  });
});

describe('API keys', () => {
  it('are listed without their tokens, and a revoked one works no more from then on', async () => {
    const created = await send('POST', '/v1/api_keys', {
      name: 'Service',
      scopes: ['billing:read', 'billing:read'],
    });
    expect(created.body.scopes).toEqual(['billing:read']);
    const use = () => api.request('GET', '/v1/customers', { token: created.body.token });
    expect((await use()).status).toBe(200);

    const listed = (await allPages('/v1/api_keys', 2)).flat();
    expect(listed.find(({ id }) => id === created.body.id)).not.toHaveProperty('token');
    const revoked = await send('POST', `/v1/api_keys/${created.body.id}/revoke`, {});
    expect(await use()).toMatchObject({ status: 401, body: { code: 'api_key_revoked' } });
    const again = await send('POST', `/v1/api_keys/${created.body.id}/revoke`, {});
    expect(again.body.revokedAt).toBe(revoked.body.revokedAt);
  });
});

describe('trial statistics', () => {
  it('count how trials ended, and the days it took', async () => {
    const owner = await api.tenant();
    const day = 86_400_000;
    const startedAt = new Date(Date.now() - 20 * day);
    const trials: string[] = [];
    for (let count = 0; count < 5; count += 1)
      trials.push(await newTrial(owner, await newCustomer(owner), startedAt));
    const convert = (id: string | undefined, days: number) =>
      api.sql("UPDATE subscriptions SET status = 'active', converted_at = $2 WHERE id = $1", [
        id,
        new Date(startedAt.getTime() + days * day),
      ]);
    await convert(trials[0], 4);
    await convert(trials[1], 13);
    await api.sql("UPDATE subscriptions SET status = 'expired' WHERE id = $1", [trials[2]]);
    // A subscription without a trial does not count.
    await api.sql("UPDATE subscriptions SET status = 'active', trial_ends_at = NULL WHERE id = $1", [
      trials[3],
    ]);

    const figures = {
      started: 4,
      running: 1,
      converted: 2,
      ended: 1,
      conversionRate: expect.closeTo(2 / 3, 5),
      averageDaysToConvert: 8.5,
    };
    const before = await send('GET', '/v1/trial_statistics', undefined, owner);
    expect(before.body).toEqual({ now: figures, lastRun: null });

    const at = new Date('2026-11-21T06:00:00.000Z');
    for (const _run of [1, 2]) {
      await withTenant(api.db, owner.tenantId, (tx) =>
        recordTrialStatistics(tx, { tenantId: owner.tenantId, at }),
      );
    }
    const after = await send('GET', '/v1/trial_statistics', undefined, owner);
    expect(after.body.lastRun).toEqual({ at: at.toISOString(), ...figures });
    expect(await api.sql('SELECT count(*)::int AS runs FROM trial_statistics')).toEqual([{ runs: 1 }]);
  });

  it('of a tenant without trials have no rate', async () => {
    const { body } = await send('GET', '/v1/trial_statistics', undefined, await api.tenant());
    expect(body.now).toEqual({
      started: 0,
      running: 0,
      converted: 0,
      ended: 0,
      conversionRate: null,
      averageDaysToConvert: null,
    });
  });
});

describe('schedules', () => {
  it('are listed with their last success, the latest that was reported', async () => {
    const jobs = async () => (await send('GET', '/v1/schedules')).body.data;
    const report = (at: string) =>
      recordScheduleSuccess(api.db, { name: 'missed-webhooks', at: new Date(at), result: {} });
    await report(new Date().toISOString());
    const [latest] = await jobs();
    await report('2020-01-01T00:00:00Z');
    expect(await jobs()).toEqual([
      expect.objectContaining({
        name: 'missed-webhooks',
        lastSuccessAt: latest.lastSuccessAt,
        overdue: false,
      }),
      expect.objectContaining({ name: 'trial-statistics', lastSuccessAt: null }),
      expect.objectContaining({ name: 'daily-report', lastSuccessAt: null }),
      expect.objectContaining({ name: 'exchange-rates', lastSuccessAt: null }),
      expect.objectContaining({ name: 'daily-invoice-run', lastSuccessAt: null }),
      expect.objectContaining({ name: 'bank-reconciliation', lastSuccessAt: null }),
      expect.objectContaining({ name: 'relay-sweep', lastSuccessAt: null }),
    ]);
  });
});

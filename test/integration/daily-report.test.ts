/** Where the daily report goes, as the API says it, and that a day is reported once by two runs at the same moment. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { reportDueDays } from '../../db/queries/reporting/daily-report.ts';
import { type Json, startTestApi, type TestApi, type TestTenant } from '../support/api.ts';

let api: TestApi;
let tenant: TestTenant;
let now = new Date('2026-03-02T12:00:00Z');

beforeAll(async () => {
  api = await startTestApi({ clock: () => now });
  tenant = await api.tenant();
});
afterAll(() => api.close());

const put = (body: unknown): Promise<Json> =>
  api.request('PUT', '/v1/report_settings', { token: tenant.token, body });

it('nobody gets a report who has not asked for one', async () => {
  const read = await api.request('GET', '/v1/report_settings', { token: tenant.token });
  expect(read.body).toEqual({ recipient: null, sendAt: '08:00', clock: 'utc', chat: null });
  expect(await withTenant(api.db, tenant.tenantId, (tx) => reportDueDays(tx, { now }))).toEqual([]);
});

it('what is set is read again, and noted without the address', async () => {
  const settings = { recipient: 'owner@example.com', sendAt: '06:45', clock: 'tenant' };
  expect(await put(settings)).toMatchObject({ status: 200, body: settings });
  const read = await api.request('GET', '/v1/report_settings', { token: tenant.token });
  expect(read.body).toEqual({ ...settings, chat: null });
  const { body } = await api.request('GET', '/v1/audit_log', { token: tenant.token });
  expect(body.data[0]).toMatchObject({ action: 'report_settings.changed' });
  expect(JSON.stringify(body)).not.toContain('owner@example.com');
});

it.each([
  ['no recipient', {}],
  ['no address', { recipient: 'owner' }],
  ['no quarter of an hour', { recipient: 'owner@example.com', sendAt: '08:10' }],
  ['no time', { recipient: 'owner@example.com', sendAt: '24:00' }],
  ['no clock', { recipient: 'owner@example.com', clock: 'moon' }],
])('settings with %s are refused', async (_, body) => {
  expect(await put(body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
});

it('two runs at the same moment decide one mail, and a change of the address begins nothing anew', async () => {
  await put({ recipient: 'owner@example.com' });
  await put({ recipient: 'other@example.com' });
  now = new Date('2026-03-03T08:00:00Z');
  const run = () => withTenant(api.db, tenant.tenantId, (tx) => reportDueDays(tx, { now }));
  await Promise.all([run(), run(), run()]);
  expect(await run()).toEqual([]);
  const rows = await api.sql(
    `SELECT recipient, customer_id, status FROM notifications WHERE tenant_id = $1`,
    [tenant.tenantId],
  );
  expect(rows).toEqual([{ recipient: 'other@example.com', customer_id: null, status: 'queued' }]);
  const owed = await api.sql(`SELECT count(*)::int AS count FROM outbox WHERE tenant_id = $1`, [
    tenant.tenantId,
  ]);
  expect(owed).toEqual([{ count: 1 }]);
});

/** The demo tenant: there after every start, with the same key. */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seedDemo } from '../../db/seed/demo.ts';
import { startTestApi, type TestApi, testConfig } from '../support/api.ts';

let api: TestApi;
let home: string;

beforeAll(async () => {
  api = await startTestApi();
  home = await mkdtemp(join(tmpdir(), 'seed-'));
});
afterAll(async () => {
  await api.close();
  await rm(home, { recursive: true });
});

it('seeding again changes nothing, and the key stays the same and works', async () => {
  const first = await seedDemo(api.db, { demoDaySeconds: 5, home, network: 'local' });
  const before = await api.rowCounts();
  expect(await seedDemo(api.db, { demoDaySeconds: 5, home, network: 'local' })).toEqual(first);
  expect(await api.rowCounts()).toEqual(before);
  const plans = await api.request('GET', '/v1/plans', { token: first.apiKey });
  expect(plans.body.data.map(({ code }: { code: string }) => code).sort()).toEqual([
    'free',
    'pro-monthly',
    'pro-yearly',
    'team-monthly',
  ]);
});

it('a key that was lost is replaced by a new one, which works alone', async () => {
  const lost = await seedDemo(api.db, { demoDaySeconds: 5, home, network: 'local' });
  await rm(join(home, 'demo-api-key'));
  const renewed = await seedDemo(api.db, { demoDaySeconds: 5, home, network: 'local' });
  expect(renewed.apiKey).not.toBe(lost.apiKey);
  expect((await api.request('GET', '/v1/plans', { token: renewed.apiKey })).status).toBe(200);
  expect((await api.request('GET', '/v1/plans', { token: lost.apiKey })).status).toBe(401);
});

it('the secret is readable by its owner only', async () => {
  await seedDemo(api.db, { demoDaySeconds: 5, home, network: 'local' });
  expect((await stat(join(home, 'demo-api-key'))).mode & 0o777).toBe(0o600);
});

it('another length of the demo day counts from the next start', async () => {
  const { tenantId } = await seedDemo(api.db, { demoDaySeconds: 20, home, network: 'local' });
  expect(await api.sql('SELECT demo_day_seconds FROM tenants WHERE id = $1', [tenantId])).toEqual([
    { demo_day_seconds: 20 },
  ]);
});

it('coins of value are never paid to the demo, whose keys everybody knows', async () => {
  await api.sql('DELETE FROM crypto_accounts');
  await seedDemo(api.db, { demoDaySeconds: 5, home, network: 'mainnet' });
  expect(await api.sql('SELECT * FROM crypto_accounts')).toEqual([]);
  await seedDemo(api.db, { demoDaySeconds: 5, home, network: 'local' });
  expect(await api.sql('SELECT family, network FROM crypto_accounts ORDER BY family')).toEqual([
    { family: 'bitcoin', network: 'local' },
    { family: 'evm', network: 'local' },
  ]);
});

it('an account that somebody retired stays retired', async () => {
  const { tenantId } = await seedDemo(api.db, { demoDaySeconds: 5, home, network: 'local' });
  await api.sql("UPDATE crypto_accounts SET retired_at = now() WHERE family = 'evm'");
  await seedDemo(api.db, { demoDaySeconds: 5, home, network: 'local' });
  expect(
    await api.sql('SELECT family FROM crypto_accounts WHERE retired_at IS NULL AND tenant_id = $1', [
      tenantId,
    ]),
  ).toEqual([{ family: 'bitcoin' }]);
});

it('the chat of its operators is the sandbox, wherever that listens, unless somebody has set or cleared it', async () => {
  const { encryption } = testConfig;
  const seed = (port: number) => {
    const url = `http://127.0.0.1:${port}/services/T0SANDBOX/B0SANDBOX/operators`;
    return seedDemo(api.db, { demoDaySeconds: 5, home, network: 'local', chat: { url, encryption } });
  };
  const { apiKey: token } = await seed(3017);
  const chat = async () => (await api.request('GET', '/v1/report_settings', { token })).body.chat;
  const put = (body: object) => api.request('PUT', '/v1/report_settings', { token, body });
  expect(await chat()).toEqual({ host: '127.0.0.1:3017' });
  await seed(4017);
  expect(await chat()).toEqual({ host: '127.0.0.1:4017' });

  await put({ recipient: null, chatUrl: 'https://hooks.slack.com/services/T0/B0/own' });
  await seed(3017);
  expect(await chat()).toEqual({ host: 'hooks.slack.com' });
  await put({ recipient: null, chatUrl: null });
  await seed(3017);
  expect(await chat()).toBeNull();
});

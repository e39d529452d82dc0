/** Jobs that do the same for every tenant: what fails for one holds up no other, and the job is tried again. */
import pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createMissedWebhooksActivities } from '../../activities/operations/missed-webhooks.ts';
import { createDailyReportActivities } from '../../activities/reporting/daily-report.ts';
import { createTrialStatisticsActivities } from '../../activities/reporting/trial-statistics.ts';
import { withSystem, withTenant } from '../../db/client.ts';
import { outbox, scheduleRuns } from '../../db/schema/operations.ts';
import { reportSettings, trialStatistics } from '../../db/schema/reporting.ts';
import { databaseServerUrl } from '../support/services.ts';
import { createScene, type Scene } from './collection-scene.ts';
import { placedOrder } from './razorpay-scene.ts';

/** When orders, a report and statistics are due for both. */
const at = '2026-03-03T10:00:00.000Z';
const message = 'The job failed for some tenants: 1';

let scene: Scene;
let broken: string;
let whole: string;

beforeAll(async () => {
  scene = await createScene();
  const tenantIds = [];
  for (const _ of ['one', 'another']) {
    const { tenantId } = await placedOrder(scene);
    const since = new Date('2026-03-01T00:00:00.000Z');
    const wish = { recipient: 'owner@example.com', sendAt: '08:00', clock: 'utc' } as const;
    await withTenant(scene.db, tenantId, (tx) =>
      tx.insert(reportSettings).values({ tenantId, ...wish, since, updatedAt: since }),
    );
    tenantIds.push(tenantId);
  }
  // The first in turn is the one whose rows the database does not take.
  [broken = '', whole = ''] = tenantIds.toSorted();
  for (const table of ['outbox', 'trial_statistics']) {
    await asOwner(`ALTER TABLE ${table} ADD CHECK (tenant_id <> '${broken}') NOT VALID`);
  }
});
afterAll(() => scene?.close());
beforeEach(() => asOwner('DELETE FROM outbox'));

it('the daily report goes to all others', async () => {
  const { sendDailyReports } = createDailyReportActivities(deps());
  await expect(sendDailyReports({ at })).rejects.toThrow(message);
  expect(await owed()).toContain(`${whole} mail.send`);
  expect(await succeeded()).not.toContain('daily-report');
});

it('the statistics of all others are kept', async () => {
  const { refreshTrialStatistics } = createTrialStatisticsActivities(deps());
  await expect(refreshTrialStatistics({ at })).rejects.toThrow(message);
  const kept = await withTenant(scene.db, whole, (tx) => tx.select().from(trialStatistics));
  expect(kept).toHaveLength(1);
  expect(await succeeded()).not.toContain('trial-statistics');
});

it('the orders of all others are looked at, and the events of the card vendor are read', async () => {
  const { reconcileMissedWebhooks } = createMissedWebhooksActivities(deps());
  await expect(reconcileMissedWebhooks({ at })).rejects.toThrow(message);
  expect(await owed()).toContain(`${whole} workflow.signal_with_start`);
  const [run] = await withSystem(scene.db, (tx) => tx.select().from(scheduleRuns));
  expect(run).toMatchObject({ name: 'missed-webhooks', watermark: expect.any(Date), lastSuccessAt: null });
});

const deps = () => ({ db: scene.db, cardVendor: scene.cardVendor, log: pino({ level: 'silent' }) });

async function owed(): Promise<string[]> {
  const rows = await withSystem(scene.db, (tx) => tx.select().from(outbox));
  return rows.map(({ tenantId, topic }) => `${tenantId} ${topic}`);
}

async function succeeded(): Promise<string[]> {
  return (await withSystem(scene.db, (tx) => tx.select().from(scheduleRuns))).map(({ name }) => name);
}

async function asOwner(statement: string): Promise<void> {
  const url = new URL(databaseServerUrl());
  url.pathname = new URL(scene.db.url).pathname;
  const owner = new pg.Client({ connectionString: url.href });
  await owner.connect();
  await owner.query(statement);
  await owner.end();
}

// A schedule that no longer does its work is found, although nothing else would say so.

import pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLogger } from '../../config/logger.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { recordScheduleSuccess } from '../../db/queries/operations/schedule-runs.ts';
import { type ScheduleWatch, watchSchedules } from '../../workers/schedule-watch.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const hourMs = 3_600_000;

let testDatabase: TestDatabase;
let db: Database;
let watch: ScheduleWatch;
let now: Date;
let lines: { level: string; msg: string; schedule?: string }[];

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  db = createDatabase({ url: testDatabase.url });
  lines = [];
  now = new Date();
  const log = createLogger({
    name: 'test',
    destination: { write: (line) => void lines.push(JSON.parse(line)) },
  });
  watch = watchSchedules({ db, log, clock: () => now });
});
afterEach(async () => {
  watch.stop();
  await db.close();
  await testDatabase.drop();
});

const later = (hours: number) => {
  now = new Date(now.getTime() + hours * hourMs);
};
const overdue = async () => (await watch.look()).map(({ schedule }) => schedule).sort();
const succeed = (name: string) => recordScheduleSuccess(db, { name, at: now, result: {} });
const said = () => lines.map(({ level, msg, schedule }) => [level, msg, schedule]);

it('a new installation owes nothing, and what never ran is overdue two intervals later', async () => {
  expect(await overdue()).toEqual([]);
  later(3);
  expect(await overdue()).toEqual(['bank-reconciliation', 'daily-report', 'missed-webhooks', 'relay-sweep']);
  later(10);
  expect(await overdue()).toEqual([
    'bank-reconciliation',
    'daily-report',
    'exchange-rates',
    'missed-webhooks',
    'relay-sweep',
    'trial-statistics',
  ]);
});

it('it is logged when a schedule becomes overdue and when it succeeds again, not at every look', async () => {
  await watch.look();
  later(1);
  await succeed('relay-sweep');
  later(1.5);
  await succeed('relay-sweep');
  await succeed('daily-report');
  await succeed('bank-reconciliation');
  await watch.look();
  await watch.look();
  const late = 'a schedule has not succeeded for two intervals';
  expect(said()).toEqual([['error', late, 'missed-webhooks']]);

  await succeed('missed-webhooks');
  await watch.look();
  await watch.look();
  expect(said().slice(1)).toEqual([['info', 'a schedule succeeds again', 'missed-webhooks']]);
});

it('looking is not stopped by a database that is away for a while', async () => {
  await watch.look();
  const owner = new pg.Client({ connectionString: testDatabase.adminUrl });
  await owner.connect();
  await owner.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'perennial' and datname = current_database()`);
  await owner.end();
  await expect.poll(() => watch.look().catch(() => 'away'), { timeout: 10_000 }).toEqual([]);
});

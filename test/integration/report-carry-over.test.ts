/** The migration that brings the reports: what is active then is carried over as it is, each customer once as new. */
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type Database } from '../../db/client.ts';
import { createPlans, createTenant } from '../../db/seed/tenant.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { businessOf } from './report-scene.ts';

let database: TestDatabase;
let db: Database;
let owner: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase({ url: database.url });
  owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await db.close();
  await database.drop();
});

it('subscriptions that bring revenue are carried over with exactly that, once', async () => {
  const tenantId = await createTenant(db, { name: 'Acme' });
  const shape = { family: 'books', rank: 1, currency: 'USD' } as const;
  const [monthly, weekly, free] = await createPlans(db, tenantId, [
    { ...shape, code: 'm', name: 'M', priceMinor: 2900, interval: { unit: 'month', count: 1 } },
    { ...shape, code: 'w', name: 'W', priceMinor: 500, interval: { unit: 'week', count: 2 } },
    { ...shape, code: 'f', name: 'F', priceMinor: 0, interval: { unit: 'month', count: 1 } },
  ]);
  if (!monthly || !weekly || !free) throw new Error('No plans');
  const { customer, subscribe, begin, happen, fallBack } = businessOf({ db, tenantId });
  const [ada, ben, eve] = [await customer(), await customer(), await customer()];
  await begin(await subscribe(ada, monthly, at(2), 3), at(2));
  const second = await subscribe(ada, weekly, at(5));
  await begin(second, at(5));
  await happen(second, 'payment_failed', at(9));
  const gone = await subscribe(ben, monthly, at(3));
  await begin(gone, at(3));
  await happen(gone, 'cancelled', at(4));
  const freed = await subscribe(eve, monthly, at(3));
  await begin(freed, at(3));
  await happen(freed, 'payment_failed', at(4));
  await fallBack(freed, free, at(6));
  await subscribe(eve, monthly, at(7));

  // A table of this session only stands in front of the real one.
  await owner.query('CREATE TEMP TABLE mrr_movements (LIKE public.mrr_movements INCLUDING ALL)');
  await owner.query(carryOver());
  const { rows } = await owner.query(
    `SELECT kind, cause, at, customer_since, quantity, customer_id, before_numerator::int AS before,
            after_numerator::int AS after, denominator FROM mrr_movements ORDER BY at`,
  );
  const common = { cause: 'carried_over', customer_id: ada, customer_since: new Date(at(2)), before: 0 };
  expect(rows).toEqual([
    { ...common, kind: 'new', at: new Date(at(2)), quantity: 3, after: 8700 * 12, denominator: 12 },
    { ...common, kind: 'expansion', at: new Date(at(5)), quantity: 1, after: 500 * 52, denominator: 24 },
  ]);
});

/** The statement of the migration that fills the table. */
function carryOver(): string {
  const folder = new URL('../../db/migrations/', import.meta.url);
  const name = readdirSync(folder).find((file) => file.endsWith('_reports.sql'));
  const text = readFileSync(new URL(name ?? '', folder), 'utf8');
  const statement = text
    .split('--> statement-breakpoint')
    .find((part) => part.includes('INSERT INTO mrr_movements'));
  if (statement === undefined) throw new Error('The migration carries nothing over');
  return statement;
}

function at(day: number): string {
  return `2026-01-${String(day).padStart(2, '0')}T10:00:00.000Z`;
}

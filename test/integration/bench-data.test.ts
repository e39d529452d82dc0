/** What the bench fills in fits the tables as they are: a column that is added is missed here, and not when somebody measures. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type Database, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { bankAccounts } from '../../db/schema/banking.ts';
import { createTenant } from '../../db/seed/tenant.ts';
import { fillBank, prepareJoin } from '../../scripts/bench/bank-data.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase({ url: database.url });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

it('open invoices, their transfers and movements that name them', async () => {
  const tenantId = await createTenant(db, { name: 'Bench' });
  const accountId = newId('bac');
  const account = { id: accountId, tenantId, name: 'Checking', currency: 'USD', isReceiving: true };
  await withTenant(db, tenantId, (tx) => tx.insert(bankAccounts).values(account));
  await fillBank(database.adminUrl, { tenantId, accountId, count: 100 });
  await prepareJoin(database.adminUrl);
  const { rows } = await withTenant(db, tenantId, (tx) =>
    tx.execute('select count(*)::int as n from bench_codes join bank_transfers on reference = code'),
  );
  expect(rows).toEqual([{ n: 96 }]);
});

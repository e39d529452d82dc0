/** What the database itself refuses, whatever the code above it does: foreign rows, rewritten books, gaps, doubles. */
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type Database, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { createCustomer } from '../../db/queries/billing/customers.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { requestRefund } from '../../db/queries/payments/request-refund.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { customers, invoices } from '../../db/schema/billing.ts';
import { creditNotes, ledgerEntries, ledgerTransactions } from '../../db/schema/payments.ts';
import { createPlans, createTenant } from '../../db/seed/tenant.ts';
import { money } from '../../domain/money.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let db: Database;
let owner: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase({ url: database.url, max: 20 });
  owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await db.close();
  await database.drop();
});

describe('tenants', () => {
  it('every table with tenants has row-level security, forced, and belongs to somebody else than the application', async () => {
    const { rows } = await owner.query<{ table: string; forced: boolean; policies: number; owner: string }>(
      `select t.relname as "table", t.relrowsecurity and t.relforcerowsecurity as forced,
              (select count(*)::int from pg_policy where polrelid = t.oid) as policies,
              pg_get_userbyid(t.relowner) as owner
         from pg_class t join pg_namespace n on n.oid = t.relnamespace
        where n.nspname = 'public' and t.relkind = 'r'
          and (t.relname = 'tenants' or exists (
            select from pg_attribute where attrelid = t.oid and attname = 'tenant_id' and not attisdropped))`,
    );
    expect(rows.length).toBeGreaterThan(20);
    const loose = rows.filter((row) => !row.forced || row.policies === 0 || /^perennial_/.test(row.owner));
    expect(loose).toEqual([]);
  });

  it('one neither sees nor changes what another has, and cannot write in its name', async () => {
    const [mine, theirs] = [await tenantWithCustomer(), await tenantWithCustomer()];
    const seen = await withTenant(db, mine.tenantId, (tx) => tx.select({ id: customers.id }).from(customers));
    expect(seen).toEqual([{ id: mine.customerId }]);

    const changed = await withTenant(db, mine.tenantId, (tx) =>
      tx.update(customers).set({ name: 'Mallory' }).returning({ id: customers.id }),
    );
    expect(changed).toEqual([{ id: mine.customerId }]);
    const forged = withTenant(db, mine.tenantId, (tx) =>
      createCustomer(tx, { tenantId: theirs.tenantId, ...person() }),
    );
    await expect(forged).rejects.toMatchObject({ cause: { code: '42501' } });
  });

  it('without one nothing is visible, although there is something', async () => {
    await tenantWithCustomer();
    const seen = await db.transaction((tx) => tx.select().from(customers));
    expect(seen).toEqual([]);
    expect((await owner.query('select from customers')).rowCount).toBeGreaterThan(0);
  });
});

describe('the ledger', () => {
  it('refuses at the commit what does not balance, in each currency', async () => {
    const { tenantId } = await tenantWithCustomer();
    const before = await entryCount();
    const lopsided = post(tenantId, [
      ['cash:manual', 'USD', 2900],
      ['receivable', 'USD', -2899],
    ]);
    await expect(lopsided).rejects.toMatchObject({ cause: { code: '23514' } });
    const mixed = post(tenantId, [
      ['cash:manual', 'USD', 2900],
      ['receivable', 'EUR', -2900],
    ]);
    await expect(mixed).rejects.toMatchObject({ cause: { code: '23514' } });
    expect(await entryCount()).toBe(before);
  });

  it.each(['ledger_entries', 'ledger_transactions', 'audit_log'])(
    '%s can be neither changed, removed nor emptied, not even by its owner',
    async (table) => {
      const { tenantId } = await tenantWithCustomer();
      await post(tenantId, [
        ['cash:manual', 'USD', 2900],
        ['receivable', 'USD', -2900],
      ]);
      await owner.query(`select set_config('app.tenant_id', $1, false)`, [tenantId]);
      await owner.query(
        `insert into audit_log (id, tenant_id, actor, action, entity_type, entity_id, at)
         values ($1, $2, 'test', 'test', 'test', 'test', now())`,
        [newId('aud'), tenantId],
      );
      for (const statement of [
        `update ${table} set tenant_id = tenant_id`,
        `delete from ${table}`,
        `truncate ${table} cascade`,
      ]) {
        await expect(owner.query(statement), statement).rejects.toMatchObject({ code: '23001' });
      }
      const asApplication = withTenant(db, tenantId, (tx) => tx.execute(sql.raw(`delete from ${table}`)));
      await expect(asApplication).rejects.toMatchObject({ cause: { code: '42501' } });
    },
  );
});

describe('invoices', () => {
  it('are numbered 1 to N without gap or double by 50 concurrent finalisations, 10 of which are rolled back', async () => {
    const tenantId = await createTenant(db, { name: 'Acme' });
    await createPlans(db, tenantId, [plan]);
    const subscriptionIds: string[] = [];
    for (let index = 0; index < 60; index += 1) subscriptionIds.push(await subscribe(tenantId));

    const rolledBack = new Error('rolled back');
    const outcomes = await Promise.allSettled(
      subscriptionIds.map((subscriptionId, index) =>
        withTenant(db, tenantId, async (tx) => {
          const context = await lockSubscription(tx, subscriptionId);
          const { number } = await issuePeriodInvoice(tx, context, {
            periodIndex: 0,
            period,
            at: new Date(),
          });
          if (index % 6 === 5) throw rolledBack;
          return number;
        }),
      ),
    );
    const numbers = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const failures = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(failures).toEqual(Array.from({ length: 10 }, () => rolledBack));
    const gapless = Array.from({ length: 50 }, (_, index) => `INV-${String(index + 1).padStart(6, '0')}`);
    expect(numbers.sort()).toEqual(gapless);
  });

  it('are one for each subscription and period; only a void one makes room for another', async () => {
    const tenantId = await createTenant(db, { name: 'Acme' });
    await createPlans(db, tenantId, [plan]);
    const subscriptionId = await subscribe(tenantId);
    const first = await withTenant(db, tenantId, async (tx) =>
      issuePeriodInvoice(tx, await lockSubscription(tx, subscriptionId), {
        periodIndex: 0,
        period,
        at: new Date(),
      }),
    );
    const copy = { ...first, id: newId('inv'), number: 'INV-000002' };
    const second = () => withTenant(db, tenantId, (tx) => tx.insert(invoices).values(copy));
    await expect(second()).rejects.toMatchObject({ cause: { code: '23505', constraint: 'invoices_period' } });
    await withTenant(db, tenantId, (tx) => tx.update(invoices).set({ status: 'void' }));
    await second();
  });
});

describe('credit notes', () => {
  it('are numbered 1 to N without gap or double by 50 concurrent refunds, 10 more of which are rolled back', async () => {
    const { tenantId, payments } = await paidByHand(12);
    const rolledBack = new Error('rolled back');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, index) =>
        withTenant(db, tenantId, async (tx) => {
          const paymentId = payments[index % payments.length] ?? '';
          await requestRefund(tx, { paymentId, amountMinor: 100, actor: 'test', at: new Date() });
          if (index % 6 === 5) throw rolledBack;
        }),
      ),
    );
    const failures = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(failures).toEqual(Array.from({ length: 10 }, () => rolledBack));
    const notes = await withTenant(db, tenantId, (tx) => tx.select().from(creditNotes));
    const gapless = Array.from({ length: 50 }, (_, index) => `CN-${String(index + 1).padStart(6, '0')}`);
    expect(notes.map(({ number }) => number).sort()).toEqual(gapless);
  });

  it.each(['credit_notes', 'credit_note_lines'])(
    '%s can be neither changed, removed nor emptied, not even by their owner',
    async (table) => {
      const { tenantId, payments } = await paidByHand(1);
      const request = { paymentId: payments[0] ?? '', actor: 'test', at: new Date() };
      await withTenant(db, tenantId, (tx) => requestRefund(tx, request));
      await owner.query(`select set_config('app.tenant_id', $1, false)`, [tenantId]);
      for (const statement of [
        `update ${table} set tenant_id = tenant_id`,
        `delete from ${table}`,
        `truncate ${table} cascade`,
      ]) {
        await expect(owner.query(statement), statement).rejects.toMatchObject({ code: '23001' });
        if (statement.startsWith('truncate')) continue;
        const asApplication = withTenant(db, tenantId, (tx) => tx.execute(sql.raw(statement)));
        await expect(asApplication, statement).rejects.toMatchObject({ cause: { code: '42501' } });
      }
    },
  );
});

/** A tenant whose customers have each paid an invoice beside the card vendor. */
async function paidByHand(count: number): Promise<{ tenantId: string; payments: string[] }> {
  const tenantId = await createTenant(db, { name: 'Acme' });
  await createPlans(db, tenantId, [plan]);
  const payments: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const subscriptionId = await subscribe(tenantId);
    const { paymentId } = await withTenant(db, tenantId, async (tx) => {
      const context = await lockSubscription(tx, subscriptionId);
      const at = new Date();
      const { id: invoiceId } = await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at });
      const amount = money(plan.priceMinor, plan.currency);
      return settlePayment(tx, { tenantId, invoiceId, rail: 'manual', externalId: invoiceId, amount, at });
    });
    payments.push(paymentId);
  }
  return { tenantId, payments };
}

const plan = {
  code: 'pro',
  name: 'Pro',
  family: 'pro',
  rank: 1,
  priceMinor: 2900,
  currency: 'USD',
  interval: { unit: 'month', count: 1 },
} as const;
const period = { startsAt: '2026-03-01T10:00:00.000Z', endsAt: '2026-04-01T10:00:00.000Z' };

function person() {
  const key = newId('cus');
  return { currency: 'USD', email: `${key}@example.com`, name: 'Ada', externalRef: null, personKey: key };
}

async function tenantWithCustomer(): Promise<{ tenantId: string; customerId: string }> {
  const tenantId = await createTenant(db, { name: 'Acme' });
  const customer = await withTenant(db, tenantId, (tx) => createCustomer(tx, { tenantId, ...person() }));
  if (customer === null) throw new Error('The customer was not created');
  return { tenantId, customerId: customer.id };
}

function subscribe(tenantId: string): Promise<string> {
  return withTenant(db, tenantId, async (tx) => {
    const customer = await createCustomer(tx, { tenantId, ...person() });
    if (customer === null) throw new Error('The customer was not created');
    const input = { customerId: customer.id, plan: { code: plan.code }, start: 'payment' } as const;
    return (await createSubscription(tx, { ...input, at: new Date() })).context.subscription.id;
  });
}

/** Entries as no code of ours would write them. */
function post(
  tenantId: string,
  lines: [account: string, currency: string, amountMinor: number][],
): Promise<void> {
  const transactionId = newId('ltx');
  return withTenant(db, tenantId, async (tx) => {
    const fact = { kind: 'test', reference: transactionId, at: new Date() };
    await tx.insert(ledgerTransactions).values({ id: transactionId, tenantId, ...fact });
    await tx.insert(ledgerEntries).values(
      lines.map(([account, currency, amountMinor]) => ({
        id: newId('len'),
        tenantId,
        transactionId,
        account,
        currency,
        amountMinor,
      })),
    );
  });
}

async function entryCount(): Promise<number | null> {
  return (await owner.query('select from ledger_entries')).rowCount;
}

/**
 * What is asked of movements costs the same after years as on the first day. The database itself counts the rows that it looks
 * at for a question; thousands are there that do not concern it.
 */
import { eq, sql } from 'drizzle-orm';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type Database, type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { untoldPendings } from '../../db/queries/payments/adopt-movements.ts';
import { lockChanging } from '../../db/queries/payments/keep-movements.ts';
import { creditsOf } from '../../db/queries/payments/match-credits.ts';
import { invoicesByAmount } from '../../db/queries/payments/match-invoices.ts';
import { listBankTransactions } from '../../db/queries/payments/read-bank-transactions.ts';
import { reconsiderConfirmed } from '../../db/queries/payments/reconsider-movements.ts';
import { tellOfUnseenProofs } from '../../db/queries/payments/unseen-proofs.ts';
import { bankAccounts, bankTransactions } from '../../db/schema/banking.ts';
import { createTenant } from '../../db/seed/tenant.ts';
import type { BankTransaction } from '../../domain/payments/bank-transaction.ts';
import { fillBank } from '../../scripts/bench/bank-data.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const COUNT = 5000;
/** What one question may look at: far from all there is. */
const FEW = 250;
const NOW = new Date('2026-03-06T12:00:00.000Z');

let database: TestDatabase;
let db: Database;
let tenantId: string;
let accountId: string;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase({ url: database.url });
  ({ tenantId, accountId } = await tenantWithAccount());
  await fillBank(database.adminUrl, { tenantId, accountId, count: COUNT });
  await addHistory(await tenantWithAccount());
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

describe('of thousands, the database looks at few movements', () => {
  it('for those that are told otherwise, and their copies', async () => {
    const account = { id: accountId };
    const externalIds = Array.from({ length: 20 }, (_, index) => `m${index + 1}`);
    const { result, read } = await reading('bank_transactions', (tx) =>
      lockChanging(tx, { account, source: 'plaid', externalIds }),
    );
    expect([...result.keys()].toSorted()).toEqual(externalIds.toSorted());
    expect(read).toBeLessThan(FEW);
  });

  it('for the credit whose number a return names, or whose invoice, among all of one amount', async () => {
    const texts = ['WIRE RETURN OF FT2023N17'];
    const transaction: BankTransaction = { ...outflow, texts };
    const { result, read } = await reading('bank_transactions', (tx) =>
      creditsOf(tx, [{ id: 'btx_return', accountId, transaction, invoiceIds: [keyOf('inv', 23)] }]),
    );
    const found = result.get('btx_return')?.map(({ id }) => id);
    expect(found).toContain(keyOf('btx', 17));
    expect(found).toContain(keyOf('btx', 23));
    expect(read).toBeLessThan(FEW);
  });

  it('for the newest of a statement, and the newest of all beside those of another tenant', async () => {
    const page = { cursor: undefined, limit: 10 };
    const ofStatement = await reading('bank_transactions', (tx) =>
      listBankTransactions(tx, { statementId: 'bst_1', ...page }),
    );
    expect(ofStatement.result).toHaveLength(10);
    expect(ofStatement.read).toBeLessThan(FEW);
    const ofAll = await reading('bank_transactions', (tx) => listBankTransactions(tx, page));
    expect(ofAll.result[0]?.id).toBe(keyOf('btx', COUNT));
    expect(ofAll.read).toBeLessThan(FEW);
  });

  it('for those that were told as pending', async () => {
    const account = { id: accountId };
    const { read } = await reading('bank_transactions', (tx) =>
      untoldPendings(tx, { account, connectionId: 'bcn_none', told: [] }),
    );
    expect(read).toBeLessThan(FEW);
  });
});

describe('of thousands of payments on proofs, the database looks at few', () => {
  it('for those of an amount', async () => {
    const wanted = Array.from({ length: 20 }, (_, index) => ({
      amountMinor: 1000 + (index + 1) * 100,
      currency: 'USD',
    }));
    const { result, read } = await reading('payments', (tx) => invoicesByAmount(tx, wanted));
    expect(result.filter(({ provenMinor }) => provenMinor.length > 0).map(({ id }) => id)).toEqual([
      keyOf('inv', 10),
    ]);
    expect(read).toBeLessThan(FEW);
  });

  it('for those whose money is looked for still', async () => {
    const since = new Date('2026-01-05T00:00:00.000Z');
    const { result, read } = await reading('bank_proofs', (tx) =>
      tellOfUnseenProofs(tx, { tenantId, since, at: NOW }),
    );
    expect(result).toBe(1);
    expect(read).toBeLessThan(FEW);
  });
});

it.each([
  ['as the bank’s own number, with separators', { texts: ['WIRE'], bankReference: 'kx-77/0305.19' }],
  ['as a word of a text', { texts: ['WIRE', 'IN KX77030519/SMITH'], bankReference: null }],
  ['in other letters than plain ones', { texts: ['ÜBERTRAG ＫＸ７７０３０５１９'], bankReference: null }],
  ['as the bank’s own number in such letters', { texts: [], bankReference: 'ＫＸ－７７０３０５１９' }],
])('a number that a customer tells is found where it stands %s', async (_where, said) => {
  const id = newId('btx');
  const its = { id, tenantId, accountId, source: 'camt' as const, externalId: id, amountMinor: 100 };
  const told = { ...its, currency: 'USD', bookedOn: '2026-03-05', pending: false, version: 0 };
  await inTenant((tx) =>
    tx.insert(bankTransactions).values({ ...told, ...said, status: 'unmatched', decidedVersion: 0 }),
  );
  await inTenant((tx) => reconsiderConfirmed(tx, { tenantId, number: 'KX 7703 0519', at: NOW }));
  const [row] = await inTenant((tx) => tx.select().from(bankTransactions).where(eq(bankTransactions.id, id)));
  expect(row?.isWaiting).toBe(true);
});

const outflow: BankTransaction = {
  externalId: 'return',
  amountMinor: -2900,
  currency: 'USD',
  bookedOn: '2026-03-05',
  authorisedOn: null,
  pending: false,
  pendingExternalId: null,
  texts: [],
  payer: { name: null, account: null },
  bankReference: null,
};

function inTenant<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
  return withTenant(db, tenantId, work);
}

/** What `work` finds, and how many rows of the table were looked at for it. */
function reading<T>(table: string, work: (tx: Tx) => Promise<T>): Promise<{ result: T; read: number }> {
  return inTenant(async (tx) => {
    const before = await readSoFar(tx, table);
    const result = await work(tx);
    return { result, read: (await readSoFar(tx, table)) - before };
  });
}

async function readSoFar(tx: Tx, table: string): Promise<number> {
  const { rows } = await tx.execute<{ read: number }>(sql`
    select (seq_tup_read + idx_tup_fetch)::int as read from pg_stat_xact_user_tables where relname = ${table}`);
  return rows[0]?.read ?? Number.NaN;
}

async function tenantWithAccount(): Promise<{ tenantId: string; accountId: string }> {
  const made = { tenantId: await createTenant(db, { name: 'Acme' }), accountId: newId('bac') };
  const account = { id: made.accountId, name: 'Checking', currency: 'USD', isReceiving: true };
  await withTenant(db, made.tenantId, (tx) =>
    tx.insert(bankAccounts).values({ ...account, tenantId: made.tenantId }),
  );
  return made;
}

/** As `fillBank` names rows. */
function keyOf(prefix: string, n: number): string {
  return `${prefix}_${n.toString(16).padStart(32, '0')}`;
}

const key = (prefix: string) => `'${prefix}_' || lpad(to_hex(n), 32, '0')`;
const day = `timestamptz '2023-01-01' + n / 5 * interval '1 day'`;

/** Three years: each movement is the money of a payment on a proof, but for the tenth, which was proved of late and not seen. */
const history = [
  `INSERT INTO bank_statements (id, tenant_id, account_id, sha256, source, movements, added, suspected_copies, actor)
   SELECT 'bst_' || n, $1, $3, n, 'plaid', $2::int / 50, $2::int / 50, 0, 'test' FROM generate_series(0, 49) n`,
  `UPDATE bank_transactions SET status = 'matched', decided_version = version, amount_minor = 2900, allocated_minor = 2900,
     booked_on = (${day})::date, bank_reference = 'FT-2023-N' || n, statement_id = 'bst_' || n % 50
   FROM generate_series(1, $2::int) n WHERE tenant_id = $1 AND account_id = $3 AND external_id = 'm' || n`,
  `INSERT INTO payments (id, tenant_id, customer_id, invoice_id, rail, external_id, amount_minor, currency, allocated_minor,
     received_at)
   SELECT ${key('pay')}, $1, ${key('cus')}, ${key('inv')}, 'bank', 'proof:' || ${key('bpr')}, 1000 + n * 100, 'USD', 1000 + n * 100,
     ${day} FROM generate_series(1, $2::int) n WHERE $3::text IS NOT NULL`,
  `INSERT INTO bank_proofs (id, tenant_id, bank_transfer_id, invoice_id, customer_id, sha256, content_type, size_bytes, status,
     uploaded_via, uploaded_by, uploaded_at, decided_at, outcome, payment_id)
   SELECT ${key('bpr')}, $1, ${key('btf')}, ${key('inv')}, ${key('cus')}, n, 'application/pdf', 1, 'approved', 'page', 'test',
     ${day}, CASE n WHEN 10 THEN '2026-01-10' ELSE ${day} END, 'booked', ${key('pay')}
   FROM generate_series(1, $2::int) n WHERE $3::text IS NOT NULL`,
  `INSERT INTO bank_allocations (id, tenant_id, transaction_id, decision_id, payment_id, invoice_id, amount_minor)
   SELECT ${key('bal')}, $1, ${key('btx')}, ${key('bdc')}, ${key('pay')}, ${key('inv')}, 2900
   FROM generate_series(1, $2::int) n WHERE n <> 10 AND $3::text IS NOT NULL`,
];

/** Many more, and heard of later than all of ours. */
const ofOthers = `INSERT INTO bank_transactions (id, tenant_id, account_id, source, external_id, amount_minor, currency, booked_on,
    pending, texts, status)
  SELECT 'btx_f' || lpad(to_hex(n), 31, '0'), $1, $3, 'plaid', n, 2900, 'USD', '2026-03-05', false, '{}', 'matched'
  FROM generate_series(1, $2::int) n`;

async function addHistory(other: { tenantId: string; accountId: string }): Promise<void> {
  const owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
  try {
    await owner.query('SET session_replication_role = replica');
    for (const statement of history) await owner.query(statement, [tenantId, COUNT, accountId]);
    await owner.query(ofOthers, [other.tenantId, 4 * COUNT, other.accountId]);
    await owner.query('RESET session_replication_role');
    await owner.query('VACUUM ANALYZE');
  } finally {
    await owner.end();
  }
}

// Open invoices with references and movements on a bank account, made by the database itself in seconds.

import pg from 'pg';

/**
 * One movement for each invoice: nine of ten name it and bring what is due; of the others some name it with look-alikes of
 * digits, some with a slip, and some not at all.
 */
export async function fillBank(
  adminUrl: string,
  { tenantId, accountId, count }: { tenantId: string; accountId: string; count: number },
): Promise<void> {
  const owner = new pg.Client({ connectionString: adminUrl });
  await owner.connect();
  try {
    // What is filled in is consistent by itself; its references need no look-up each.
    await owner.query('SET session_replication_role = replica');
    for (const statement of statements) await owner.query(statement, [tenantId, count]);
    await owner.query(movements, [tenantId, count, accountId]);
    await owner.query('RESET session_replication_role');
    await owner.query('VACUUM ANALYZE customers, invoices, bank_transfers, bank_transactions');
  } finally {
    await owner.end();
  }
}

const key = (prefix: string) => `'${prefix}_' || lpad(to_hex(n), 32, '0')`;

/** Spread out, and none that reads as a date. */
const code = '(40000000 + (n::bigint * 7919) % 59999999)::text';

/** From 10.00 to 5,010.00: about twenty invoices are due the same. */
const due = '1000 + (n % 5000) * 100';

const statements = [
  `INSERT INTO customers (id, tenant_id, name, name_key, currency, person_key)
   SELECT ${key('cus')}, $1, 'Customer ' || n, n || ' CUSTOMER', 'USD', 'p' || n FROM generate_series(1, $2::int) n`,
  `INSERT INTO invoices (id, tenant_id, customer_id, subscription_id, number, period_index, period_starts_at, period_ends_at,
     status, total_minor, currency, bill_to, issued_at)
   SELECT ${key('inv')}, $1, ${key('cus')}, ${key('sub')}, 'INV-' || lpad(n::text, 6, '0'), n, '2026-03-02', '2026-04-02',
     'open', ${due}, 'USD', '{}', '2026-03-02T09:00:00Z' FROM generate_series(1, $2::int) n`,
  `INSERT INTO bank_transfers (id, tenant_id, customer_id, invoice_id, page_token, reference, status, status_since,
     details_version, instructions, is_international, payer_country, paid_before_minor, currency, issued_at, ask_at, alert_at, expires_at)
   SELECT ${key('btf')}, $1, ${key('cus')}, ${key('inv')}, 'token' || n, 'ADV' || ${code}, 'awaiting', now(), 1, '{}', false,
     'US', 0, 'USD', '2026-03-02T09:00:00Z', now(), now(), '2026-03-09T09:00:00Z' FROM generate_series(1, $2::int) n`,
];

const text = `CASE
  WHEN n % 50 = 0 THEN 'ACH CREDIT CUSTOMER ' || n || ' PPD ID:1234567890'
  WHEN n % 50 = 1 THEN 'ZELLE FROM CUSTOMER REF ADV' || regexp_replace(${code}, '5', 'S')
  WHEN n % 50 = 2 THEN 'WIRE IN ADV' || left(${code}, 7)
  ELSE 'WT FED#01234 TD BANK NA /ORG=CUSTOMER SRF# 000111 TRN#260305 RFB# ADV ' || ${code} END`;

const movements = `INSERT INTO bank_transactions (id, tenant_id, account_id, source, external_id, amount_minor, currency,
     booked_on, pending, texts, status)
   SELECT ${key('btx')}, $1, $3, 'plaid', 'm' || n, ${due}, 'USD', '2026-03-05', false, ARRAY[${text}], 'new'
     FROM generate_series(1, $2::int) n`;

/** A table of the movements with the codes as they would stand in a column of their own, and an index on it. */
export async function prepareJoin(adminUrl: string): Promise<void> {
  const owner = new pg.Client({ connectionString: adminUrl });
  await owner.connect();
  try {
    for (const statement of codes) await owner.query(statement);
  } finally {
    await owner.end();
  }
}

const codes = [
  `CREATE TABLE bench_codes AS SELECT id, amount_minor, currency,
     'ADV' || right(regexp_replace(texts[1], '[^0-9]', '', 'g'), 8) AS code FROM bank_transactions`,
  'CREATE INDEX ON bench_codes (code)',
  'GRANT SELECT ON bench_codes TO perennial_app',
  'VACUUM ANALYZE bench_codes',
];

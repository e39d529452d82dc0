// Open invoices in coins for the measurement of a watcher, made by the database itself in seconds.

import pg from 'pg';

/** The output script of the n-th open invoice. */
export function scriptOf(n: number): string {
  return `0014${n.toString(16).padStart(40, '0')}`;
}

/** Adds open invoices up to this number, each waiting for 0.001 BTC for a day. */
export async function fillOpenInvoices(
  adminUrl: string,
  { tenantId, from, to }: { tenantId: string; from: number; to: number },
): Promise<void> {
  const owner = new pg.Client({ connectionString: adminUrl });
  await owner.connect();
  try {
    // What is filled in is consistent by itself; its references need no look-up each.
    await owner.query(`SET session_replication_role = replica`);
    for (const statement of statements) await owner.query(statement, [tenantId, from, to]);
    await owner.query('RESET session_replication_role');
    await owner.query('VACUUM ANALYZE crypto_invoices, crypto_addresses');
  } finally {
    await owner.end();
  }
}

const key = (prefix: string) => `'${prefix}_' || lpad(to_hex(n), 32, '0')`;

const statements = [
  `INSERT INTO crypto_invoices (id, tenant_id, customer_id, invoice_id, account_id, address_index, checkout_token, chain,
     network, asset, address, status, due_minor, currency, usd_minor, rate, rate_sources, rate_at, due_units, min_due_units,
     quoted_at, expires_at, policy, status_since)
   SELECT ${key('cin')}, $1, ${key('cus')}, ${key('inv')}, 'cacc_bench', n, lpad(n::text, 32, '0'), 'bitcoin', 'local', 'BTC',
          'bcrt1q' || n, 'awaiting', 6000, 'USD', 6000, '60000', '[]', now(), 100000, 98000, now(), now() + interval '1 day',
          (SELECT policy FROM bench_policy), now()
     FROM generate_series($2::int, $3::int) n`,
  `INSERT INTO crypto_addresses (family, target, tenant_id, crypto_invoice_id, kind, address)
   SELECT 'bitcoin', '0014' || lpad(to_hex(n), 40, '0'), $1, ${key('cin')}, 'p2wpkh', 'bcrt1q' || n
     FROM generate_series($2::int, $3::int) n`,
];

/** The policy that all of them are pinned to. */
export async function keepPolicy(adminUrl: string, policy: unknown): Promise<void> {
  const owner = new pg.Client({ connectionString: adminUrl });
  await owner.connect();
  try {
    await owner.query('CREATE TABLE bench_policy AS SELECT $1::jsonb AS policy', [JSON.stringify(policy)]);
  } finally {
    await owner.end();
  }
}

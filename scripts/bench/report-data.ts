// A business of two years for the measurement of reports, made by the database itself in seconds.

import pg from 'pg';

/** Everybody begins somewhere in the 24 months and pays monthly; some grow, some leave, some of these come back. */
export async function fillReports(
  adminUrl: string,
  { tenantId, planId, subscriptions }: { tenantId: string; planId: string; subscriptions: number },
): Promise<[string, string][]> {
  const owner = new pg.Client({ connectionString: adminUrl });
  await owner.connect();
  try {
    // What is filled in is consistent by itself; its references need no look-up each.
    await owner.query(`SET session_replication_role = replica`);
    for (const statement of statements) {
      const used = statement.includes('$3') ? [tenantId, planId, subscriptions] : [tenantId];
      await owner.query(statement, used);
    }
    await owner.query('RESET session_replication_role');
    await owner.query('VACUUM ANALYZE');
    const { rows } = await owner.query<{ name: string; count: string }>(
      ['subscriptions', 'mrr_movements', 'payments', 'refunds']
        .map((name) => `SELECT '${name}' AS name, count(*) FROM ${name}`)
        .join(' UNION ALL '),
    );
    return rows.map(({ name, count }): [string, string] => [name, Number(count).toLocaleString('en')]);
  } finally {
    await owner.end();
  }
}

const key = (prefix: string, of: string) => `'${prefix}_' || lpad(to_hex(${of}), 32, '0')`;

const statements = [
  `INSERT INTO customers (id, tenant_id, currency, person_key)
   SELECT ${key('cus', 'n')}, $1, CASE n % 10 WHEN 0 THEN 'EUR' ELSE 'USD' END, n::text
     FROM generate_series(1, $3::int) n, (SELECT $2::text) plan`,
  `INSERT INTO subscriptions (id, tenant_id, customer_id, plan_id, status, status_since, policy, started_at, converted_at,
     ended_at)
   SELECT ${key('sub', 'n')}, $1, ${key('cus', 'n')}, $2, CASE WHEN n % 4 = 0 THEN 'cancelled' ELSE 'active' END, begun,
          '{}', begun, begun, CASE WHEN n % 4 = 0 THEN begun + interval '5 months' END
     FROM (SELECT n, timestamptz '2024-12-01 00:00Z' + (n * 7919 % 63_072_000) * interval '1 second' AS begun
             FROM generate_series(1, $3::int) n) s`,
  `INSERT INTO mrr_movements (id, tenant_id, customer_id, subscription_id, subscription_version, at, kind, cause, currency,
     before_numerator, after_numerator, denominator, plan_id, quantity, customer_since)
   SELECT 'mov_' || md5(s.id || m.version), $1, s.customer_id,
          s.id, m.version, s.started_at + m.months * interval '1 month', m.kind, m.kind, c.currency, m.before, m.after,
          m.denominator, s.plan_id, 1, s.started_at
     FROM subscriptions s JOIN customers c ON c.id = s.customer_id
     CROSS JOIN LATERAL (VALUES
       (2, 0, 'new', 0, 2900, 1, true),
       (3, 2, 'expansion', 2900, 5800, 1, right(s.id, 1) IN ('0', '1', '2', '4', '8')),
       (4, 3, 'contraction', 17400, 6500, 3, right(s.id, 1) IN ('1', '2')),
       (5, 5, 'churn', 2900, 0, 1, s.status = 'cancelled'),
       (6, 8, 'reactivation', 0, 2900, 1, s.status = 'cancelled' AND right(s.id, 2) < '80')
     ) AS m (version, months, kind, before, after, denominator, happens)
    WHERE m.happens AND s.started_at + m.months * interval '1 month' < '2026-12-01'`,
  `INSERT INTO payments (id, tenant_id, customer_id, invoice_id, rail, external_id, amount_minor, allocated_minor, currency,
     received_at)
   SELECT ${key('pay', 'row_number() OVER ()')}, $1, s.customer_id, ${key('inv', 'row_number() OVER ()')},
          CASE m % 12 WHEN 3 THEN 'manual' WHEN 7 THEN 'credit' ELSE 'stripe' END, s.id || '/' || m, 2900, 2900,
          c.currency, s.started_at + m * interval '1 month'
     FROM subscriptions s JOIN customers c ON c.id = s.customer_id CROSS JOIN generate_series(0, 23) m
    WHERE s.started_at + m * interval '1 month' < coalesce(s.ended_at, '2026-12-01')`,
  `INSERT INTO refunds (id, tenant_id, payment_id, status, amount_minor, currency, requested_at, refunded_at)
   SELECT replace(id, 'pay_', 'ref_'), $1, id, 'succeeded', 900, currency, received_at + interval '2 days',
          received_at + interval '2 days'
     FROM payments WHERE right(id, 2) IN ('00', '55')`,
];

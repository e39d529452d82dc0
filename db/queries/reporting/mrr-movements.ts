/** Movements of recurring revenue as reports read them: added up by interval, by cohort, and row by row. */
import { and, asc, eq, gte, lt, type SQL, sql } from 'drizzle-orm';
import type { CohortTotal } from '../../../domain/reporting/cohorts.ts';
import type { MovementKind } from '../../../domain/reporting/mrr.ts';
import type { MovementTotal } from '../../../domain/reporting/mrr-report.ts';
import type { Tx } from '../../client.ts';
import { mrrMovements } from '../../schema/reporting.ts';

export type MovementRow = typeof mrrMovements.$inferSelect;

type TotalRow = Record<'currency' | 'kind' | 'numerator', string> &
  Record<'interval' | 'denominator' | 'movements', number>;

/** `boundaries`: where intervals begin, and where the last one ends. What is before the first is interval 0. */
export async function movementTotals(
  tx: Tx,
  { boundaries, currency }: { boundaries: readonly string[]; currency: string | undefined },
): Promise<MovementTotal[]> {
  const { rows } = await tx.execute<TotalRow>(sql`
    select currency, kind,
           case when at < ${boundaries[0]}::timestamptz then 0
                else width_bucket(at, ${instants(boundaries)}) end as interval,
           denominator, sum(after_numerator - before_numerator)::text as numerator, count(*)::int as movements
      from mrr_movements
     where at < ${boundaries.at(-1)}::timestamptz and ${ofCurrency(currency)}
     group by 1, 2, 3, 4`);
  return rows.map(toTotal);
}

/** The same, by the month in which the customers first paid. Older cohorts are left out. */
export async function cohortTotals(
  tx: Tx,
  { boundaries, currency }: { boundaries: readonly string[]; currency: string | undefined },
): Promise<CohortTotal[]> {
  const { rows } = await tx.execute<TotalRow & { cohort: number }>(sql`
    select currency, kind, width_bucket(customer_since, ${instants(boundaries)}) as cohort,
           width_bucket(at, ${instants(boundaries)}) as interval, denominator,
           sum(after_numerator - before_numerator)::text as numerator, count(*)::int as movements
      from mrr_movements
     where at >= ${boundaries[0]}::timestamptz and at < ${boundaries.at(-1)}::timestamptz
       and customer_since >= ${boundaries[0]}::timestamptz and ${ofCurrency(currency)}
     group by 1, 2, 3, 4, 5`);
  return rows.map((row) => ({ ...toTotal(row), cohort: row.cohort }));
}

export type MovementFilter = {
  /** Half-open. */
  from: string | undefined;
  to: string | undefined;
  currency: string | undefined;
  kind: MovementKind | undefined;
  customerId: string | undefined;
  subscriptionId: string | undefined;
  /** When the customer first paid, half-open. */
  cohort: { from: string; to: string } | undefined;
  after: { at: string; id: string } | undefined;
  limit: number;
};

/** Oldest first. */
export function listMovements(tx: Tx, filter: MovementFilter): Promise<MovementRow[]> {
  const { from, to, currency, kind, customerId, subscriptionId, cohort, after, limit } = filter;
  const m = mrrMovements;
  return tx
    .select()
    .from(m)
    .where(
      and(
        from === undefined ? undefined : gte(m.at, new Date(from)),
        to === undefined ? undefined : lt(m.at, new Date(to)),
        currency === undefined ? undefined : eq(m.currency, currency),
        kind === undefined ? undefined : eq(m.kind, kind),
        customerId === undefined ? undefined : eq(m.customerId, customerId),
        subscriptionId === undefined ? undefined : eq(m.subscriptionId, subscriptionId),
        cohort && gte(m.customerSince, new Date(cohort.from)),
        cohort && lt(m.customerSince, new Date(cohort.to)),
        after && sql`(${m.at}, ${m.id}) > (${after.at}::timestamptz, ${after.id})`,
      ),
    )
    .orderBy(asc(m.at), asc(m.id))
    .limit(limit);
}

function instants(boundaries: readonly string[]): SQL {
  return sql`${sql.param([...boundaries])}::timestamptz[]`;
}

function ofCurrency(currency: string | undefined): SQL {
  return currency === undefined ? sql`true` : sql`currency = ${currency}`;
}

function toTotal({ currency, kind, interval, numerator, denominator, movements }: TotalRow): MovementTotal {
  return {
    currency,
    kind: kind as MovementKind,
    interval,
    numerator: BigInt(numerator),
    denominator: BigInt(denominator),
    movements,
  };
}

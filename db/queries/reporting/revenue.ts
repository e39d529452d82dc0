/**
 * What came in and went out, by rail: payments, direct debits that banks took back, refunds, refunds that the bank sent
 * back, and money that the vendor took out of our account for a dispute, or put back. Reports add them up by day; each
 * source is read by its own index.
 */
import { type SQL, sql } from 'drizzle-orm';
import type { PaymentRail } from '../../../domain/payments/payment.ts';
import type { RevenueKind, RevenueTotal } from '../../../domain/reporting/revenue.ts';
import type { Tx } from '../../client.ts';
import { disputes, payments, refunds } from '../../schema/payments.ts';

/** Signed: what goes out is negative. */
export type RevenueEntry = {
  id: string;
  kind: RevenueKind;
  rail: PaymentRail;
  currency: string;
  amountMinor: number;
  at: Date;
  paymentId: string;
  invoiceId: string;
  customerId: string;
};

/** `boundaries`: where days begin, and where the last one ends; days are counted from 1. */
export async function revenueTotals(
  tx: Tx,
  { boundaries, currency }: { boundaries: readonly string[]; currency: string | undefined },
): Promise<RevenueTotal[]> {
  type Row = Omit<RevenueTotal, 'amountMinor'> & { amountMinor: string };
  const range = { from: boundaries[0], to: boundaries.at(-1), currency };
  const totals = sources.map(
    (source) => sql`
    select ${source.currency} as currency, ${source.rail} as rail, ${source.kind} as kind,
           width_bucket(${source.at}, ${sql.param([...boundaries])}::timestamptz[]) as day,
           sum(${source.amount})::text as "amountMinor"
      from ${source.tables} where ${within(source, range)} group by 1, 2, 4`,
  );
  const { rows } = await tx.execute<Row>(sql.join(totals, sql` union all `));
  return rows.map((row) => ({ ...row, amountMinor: Number(row.amountMinor) }));
}

type Range = {
  /** Half-open. */
  from: string | undefined;
  to: string | undefined;
  currency: string | undefined;
};

export type RevenueFilter = Range & {
  rails: readonly PaymentRail[];
  kinds: readonly RevenueKind[];
  after: { at: string; id: string; kind: string } | undefined;
  limit: number;
};

/** Oldest first. No source is read for more rows than the page holds. */
export async function listRevenueEntries(
  tx: Tx,
  { rails, kinds, after, limit, ...range }: RevenueFilter,
): Promise<RevenueEntry[]> {
  type Row = Omit<RevenueEntry, 'at' | 'amountMinor'> & { at: string; amountMinor: string };
  const entries = sources.map((source) => {
    const { id, kind, at } = source;
    const isAfter =
      after &&
      sql`and ${at} >= ${after.at}::timestamptz
       and (${at}, ${id}, ${kind}) > (${after.at}::timestamptz, ${after.id}, ${after.kind})`;
    return sql`
    (select ${id} as id, ${kind} as kind, ${source.rail} as rail, ${source.currency} as currency,
            (${source.amount})::text as "amountMinor", ${at} as at, ${source.paymentId} as "paymentId",
            ${source.invoiceId} as "invoiceId", ${source.customerId} as "customerId"
       from ${source.tables}
      where ${within(source, range)} and ${source.rail} = any(${sql.param([...rails])})
        and ${kind} = any(${sql.param([...kinds])}) ${isAfter ?? sql``}
      order by ${at}, ${id} limit ${limit})`;
  });
  const { rows } = await tx.execute<Row>(
    sql`${sql.join(entries, sql` union all `)} order by at, id, kind limit ${limit}`,
  );
  return rows.map((row) => ({ ...row, at: new Date(row.at), amountMinor: Number(row.amountMinor) }));
}

/** Where entries of one kind come from. */
type Source = Record<
  'kind' | 'tables' | 'id' | 'rail' | 'currency' | 'amount' | 'at' | 'paymentId' | 'invoiceId' | 'customerId',
  SQL
>;

function within({ at, currency }: Source, range: Range): SQL {
  const conditions = [
    sql`${at} is not null`,
    ...(range.from === undefined ? [] : [sql`${at} >= ${range.from}::timestamptz`]),
    ...(range.to === undefined ? [] : [sql`${at} < ${range.to}::timestamptz`]),
    ...(range.currency === undefined ? [] : [sql`${currency} = ${range.currency}`]),
  ];
  return sql.join(conditions, sql` and `);
}

const p = payments;
const ofPayment = { id: sql`${p.id}`, rail: sql`${p.rail}`, currency: sql`${p.currency}` };
const ofItsInvoice = {
  paymentId: sql`${p.id}`,
  invoiceId: sql`${p.invoiceId}`,
  customerId: sql`${p.customerId}`,
};

const received: Source = {
  ...ofPayment,
  ...ofItsInvoice,
  kind: sql`'payment'::text`,
  tables: sql`${p}`,
  amount: sql`${p.amountMinor}`,
  at: sql`${p.receivedAt}`,
};

const refunded: Source = {
  ...received,
  kind: sql`'refund'::text`,
  tables: sql`${refunds} join ${p} on ${p.id} = ${refunds.paymentId}`,
  id: sql`${refunds.id}`,
  currency: sql`${refunds.currency}`,
  amount: sql`-${refunds.amountMinor}`,
  at: sql`${refunds.refundedAt}`,
};

const disputed: Source = {
  kind: sql`'dispute_withdrawn'::text`,
  tables: sql`${disputes}`,
  id: sql`${disputes.id}`,
  // Only cards are disputed.
  rail: sql`'stripe'::text`,
  currency: sql`${disputes.currency}`,
  amount: sql`-${disputes.amountMinor}`,
  at: sql`${disputes.withdrawnAt}`,
  paymentId: sql`${disputes.paymentId}`,
  invoiceId: sql`${disputes.invoiceId}`,
  customerId: sql`${disputes.customerId}`,
};

const sources: readonly Source[] = [
  received,
  {
    ...received,
    kind: sql`'payment_returned'::text`,
    amount: sql`-${p.returnedMinor}`,
    at: sql`${p.returnedAt}`,
  },
  refunded,
  {
    ...refunded,
    kind: sql`'refund_reversed'::text`,
    amount: sql`${refunds.amountMinor}`,
    at: sql`${refunds.reversedAt}`,
  },
  disputed,
  {
    ...disputed,
    kind: sql`'dispute_reinstated'::text`,
    amount: sql`${disputes.amountMinor}`,
    at: sql`${disputes.reinstatedAt}`,
  },
];

/** Refunds as they are read, with the payment they are of. */
import { and, desc, eq, lt } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { payments, refunds } from '../../schema/payments.ts';
import type { PaymentRow } from './read-payments.ts';
import type { RefundRow } from './refunds.ts';

export type RefundView = { refund: RefundRow; payment: PaymentRow };

export type RefundFilter = {
  customerId: string | undefined;
  paymentId: string | undefined;
  cursor: string | undefined;
  limit: number;
};

/** Newest first. */
export function listRefunds(tx: Tx, filter: RefundFilter): Promise<RefundView[]> {
  const { customerId, paymentId, cursor, limit } = filter;
  return select(tx)
    .where(
      and(
        customerId === undefined ? undefined : eq(payments.customerId, customerId),
        paymentId === undefined ? undefined : eq(refunds.paymentId, paymentId),
        cursor === undefined ? undefined : lt(refunds.id, cursor),
      ),
    )
    .orderBy(desc(refunds.id))
    .limit(limit);
}

export async function findRefund(tx: Tx, refundId: string): Promise<RefundView | null> {
  const [view] = await select(tx).where(eq(refunds.id, refundId));
  return view ?? null;
}

function select(tx: Tx) {
  return tx
    .select({ refund: refunds, payment: payments })
    .from(refunds)
    .innerJoin(payments, eq(payments.id, refunds.paymentId));
}

/** Disputes as they are read. */
import { and, desc, eq, lt } from 'drizzle-orm';
import type { DisputeStatus } from '../../../domain/payments/dispute.ts';
import type { Tx } from '../../client.ts';
import { disputes } from '../../schema/payments.ts';

export type DisputeRow = typeof disputes.$inferSelect;

export type DisputeFilter = {
  customerId: string | undefined;
  paymentId: string | undefined;
  status: DisputeStatus | undefined;
  cursor: string | undefined;
  limit: number;
};

/** Newest first. */
export function listDisputes(tx: Tx, filter: DisputeFilter): Promise<DisputeRow[]> {
  const { customerId, paymentId, status, cursor, limit } = filter;
  return tx
    .select()
    .from(disputes)
    .where(
      and(
        customerId === undefined ? undefined : eq(disputes.customerId, customerId),
        paymentId === undefined ? undefined : eq(disputes.paymentId, paymentId),
        status === undefined ? undefined : eq(disputes.status, status),
        cursor === undefined ? undefined : lt(disputes.id, cursor),
      ),
    )
    .orderBy(desc(disputes.id))
    .limit(limit);
}

export async function findDispute(tx: Tx, disputeId: string): Promise<DisputeRow | null> {
  const [row] = await tx.select().from(disputes).where(eq(disputes.id, disputeId));
  return row ?? null;
}

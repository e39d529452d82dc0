/** Payments as they are read. */
import { and, desc, eq, gt, lt } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { payments } from '../../schema/payments.ts';

export type PaymentRow = typeof payments.$inferSelect;

export type PaymentFilter = {
  customerId: string | undefined;
  invoiceId: string | undefined;
  cursor: string | undefined;
  limit: number;
};

/** Newest first. */
export function listPayments(tx: Tx, filter: PaymentFilter): Promise<PaymentRow[]> {
  const { customerId, invoiceId, cursor, limit } = filter;
  return tx
    .select()
    .from(payments)
    .where(
      and(
        customerId === undefined ? undefined : eq(payments.customerId, customerId),
        invoiceId === undefined ? undefined : eq(payments.invoiceId, invoiceId),
        cursor === undefined ? undefined : lt(payments.id, cursor),
      ),
    )
    .orderBy(desc(payments.id))
    .limit(limit);
}

/** The payment that the vendor of its rail knows by this id, or that was recorded with this reference. */
export async function findPaymentByReference(
  tx: Tx,
  { rail, externalId }: Pick<PaymentRow, 'rail' | 'externalId'>,
): Promise<PaymentRow | null> {
  const [row] = await tx
    .select()
    .from(payments)
    .where(and(eq(payments.rail, rail), eq(payments.externalId, externalId)));
  return row ?? null;
}

/** The last payment by which something of the invoice is paid; null where nothing is. */
export async function lastPaymentOf(tx: Tx, invoiceId: string): Promise<PaymentRow | null> {
  const [row] = await tx
    .select()
    .from(payments)
    .where(and(eq(payments.invoiceId, invoiceId), gt(payments.allocatedMinor, 0)))
    .orderBy(desc(payments.id))
    .limit(1);
  return row ?? null;
}

export async function findPayment(tx: Tx, paymentId: string): Promise<PaymentRow | null> {
  const [row] = await tx.select().from(payments).where(eq(payments.id, paymentId));
  return row ?? null;
}

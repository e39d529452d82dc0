/** The order at Razorpay that stands for an invoice now, and what is known of its payment. */
import { and, eq, inArray } from 'drizzle-orm';
import type { KnownPayment } from '../../../domain/payments/razorpay-order.ts';
import type { Tx } from '../../client.ts';
import { razorpayOrders } from '../../schema/payments.ts';

export type OrderRow = typeof razorpayOrders.$inferSelect;

/** The one order of the invoice that a customer can pay, or could in a moment; null where there is none. */
export async function currentOrder(tx: Tx, invoiceId: string): Promise<OrderRow | null> {
  const [row] = await tx
    .select()
    .from(razorpayOrders)
    .where(
      and(eq(razorpayOrders.invoiceId, invoiceId), inArray(razorpayOrders.status, ['creating', 'open'])),
    );
  return row ?? null;
}

export function knownPayment({ paymentId, paymentStatus, paymentAt }: OrderRow): KnownPayment | null {
  if (paymentId === null || paymentStatus === null || paymentAt === null) return null;
  return { externalId: paymentId, status: paymentStatus, at: paymentAt.toISOString() };
}

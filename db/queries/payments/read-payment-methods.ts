/** Payment methods as they are read. */
import { desc, eq } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { paymentMethods } from '../../schema/payments.ts';

export type PaymentMethodRow = typeof paymentMethods.$inferSelect;

/** All that the customer has ever named, the latest first. */
export function listPaymentMethods(tx: Tx, customerId: string): Promise<PaymentMethodRow[]> {
  return tx
    .select()
    .from(paymentMethods)
    .where(eq(paymentMethods.customerId, customerId))
    .orderBy(desc(paymentMethods.attachedAt), desc(paymentMethods.id));
}

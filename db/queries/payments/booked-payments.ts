/** What the coins of an invoice have become in the books. */
import { and, asc, eq, like } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { payments } from '../../schema/payments.ts';
import type { PaymentRow } from './read-payments.ts';

/** The payments that an invoice in coins has become, the first one first. */
export function bookedPayments(tx: Tx, cryptoInvoiceId: string): Promise<PaymentRow[]> {
  return tx
    .select()
    .from(payments)
    .where(and(eq(payments.rail, 'crypto'), like(payments.externalId, `${cryptoInvoiceId}:%`)))
    .orderBy(asc(payments.id));
}

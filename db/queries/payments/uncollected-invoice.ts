/**
 * An invoice that was issued and that nobody has tried to collect yet. Issuing and collecting are two steps: a worker
 * that dies between them leaves this, and whoever repeats the first step is told to go on with the second.
 */
import { and, eq, isNull, notExists } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { chargeAttempts } from '../../schema/payments.ts';
import type { InvoiceRow } from '../billing/invoices.ts';

/** The earliest such invoice; null when there is none. Call under the customer's lock. */
export async function uncollectedInvoice(tx: Tx, subscriptionId: string): Promise<InvoiceRow | null> {
  const attempts = tx
    .select({ id: chargeAttempts.id })
    .from(chargeAttempts)
    .where(eq(chargeAttempts.invoiceId, invoices.id));
  const [invoice] = await tx
    .select()
    .from(invoices)
    .where(
      and(
        eq(invoices.subscriptionId, subscriptionId),
        eq(invoices.status, 'open'),
        // A customer without a card is no attempt, but the failure is noted.
        isNull(invoices.firstFailedAt),
        notExists(attempts),
      ),
    )
    .orderBy(invoices.id)
    .limit(1);
  return invoice ?? null;
}

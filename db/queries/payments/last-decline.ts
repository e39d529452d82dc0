/** Why the last charge of an invoice failed. */
import { and, desc, eq, isNotNull } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { chargeAttempts } from '../../schema/payments.ts';

/** The decline code of the latest failed attempt; `payment_method_missing` when nothing could be charged at all. */
export async function lastDecline(tx: Tx, invoiceId: string): Promise<string> {
  const [attempt] = await tx
    .select({ code: chargeAttempts.declineCode })
    .from(chargeAttempts)
    .where(and(eq(chargeAttempts.invoiceId, invoiceId), isNotNull(chargeAttempts.declineCode)))
    .orderBy(desc(chargeAttempts.ordinal))
    .limit(1);
  return attempt?.code ?? 'payment_method_missing';
}

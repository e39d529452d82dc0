/** What of an invoice paid in coins was forgiven because it lay within the tolerance, as the books say. */
import { and, eq, inArray, like, sql } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { ledgerEntries, ledgerTransactions, payments } from '../../schema/payments.ts';

/** Minor units that are forgiven now: granted with a payment, and neither paid since nor owed again. */
export async function forgivenMinorOf(tx: Tx, cryptoInvoiceId: string): Promise<number> {
  const [row] = await tx
    .select({ minor: sql<number>`coalesce(sum(${ledgerEntries.amountMinor}), 0)::int8`.mapWith(Number) })
    .from(ledgerEntries)
    .innerJoin(ledgerTransactions, eq(ledgerTransactions.id, ledgerEntries.transactionId))
    // A payment that is taken back in parts has a fact for each of them.
    .innerJoin(payments, eq(payments.id, sql`split_part(${ledgerTransactions.reference}, ':', 1)`))
    .where(
      and(
        eq(ledgerEntries.account, 'crypto_tolerance'),
        inArray(ledgerTransactions.kind, ['payment', 'payment_returned']),
        eq(payments.rail, 'crypto'),
        like(payments.externalId, `${cryptoInvoiceId}:%`),
      ),
    );
  return row?.minor ?? 0;
}

/**
 * Numbers of documents, gapless per tenant and kind. A number is taken from a locked counter in the transaction that issues
 * the document, so documents wait for each other and a rollback gives its number back.
 */
import { sql } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { invoiceCounters } from '../../schema/billing.ts';
import { creditNoteCounters } from '../../schema/payments.ts';

const documents = {
  invoice: { counters: invoiceCounters, prefix: 'INV' },
  credit_note: { counters: creditNoteCounters, prefix: 'CN' },
} as const;

/** `INV-000001`, `CN-000001`. */
export async function nextNumber(
  tx: Tx,
  tenantId: string,
  document: keyof typeof documents,
): Promise<string> {
  const { counters, prefix } = documents[document];
  const [counter] = await tx
    .insert(counters)
    .values({ tenantId, lastNumber: 1 })
    .onConflictDoUpdate({ target: counters.tenantId, set: { lastNumber: sql`${counters.lastNumber} + 1` } })
    .returning({ lastNumber: counters.lastNumber });
  if (counter === undefined) throw new Error('A counter was not returned');
  return `${prefix}-${String(counter.lastNumber).padStart(6, '0')}`;
}

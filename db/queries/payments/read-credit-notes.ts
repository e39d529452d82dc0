/** Credit notes as they are read: lists and one with its lines. */
import { and, asc, desc, eq, lt } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { creditNoteLines, creditNotes } from '../../schema/payments.ts';

export type CreditNoteRow = typeof creditNotes.$inferSelect;
export type CreditNoteLineRow = typeof creditNoteLines.$inferSelect;

export type CreditNoteFilter = {
  customerId: string | undefined;
  invoiceId: string | undefined;
  cursor: string | undefined;
  limit: number;
};

/** Newest first. */
export function listCreditNotes(tx: Tx, filter: CreditNoteFilter): Promise<CreditNoteRow[]> {
  const { customerId, invoiceId, cursor, limit } = filter;
  return tx
    .select()
    .from(creditNotes)
    .where(
      and(
        customerId === undefined ? undefined : eq(creditNotes.customerId, customerId),
        invoiceId === undefined ? undefined : eq(creditNotes.invoiceId, invoiceId),
        cursor === undefined ? undefined : lt(creditNotes.id, cursor),
      ),
    )
    .orderBy(desc(creditNotes.id))
    .limit(limit);
}

export async function findCreditNote(
  tx: Tx,
  creditNoteId: string,
): Promise<{ note: CreditNoteRow; lines: CreditNoteLineRow[] } | null> {
  const [note] = await tx.select().from(creditNotes).where(eq(creditNotes.id, creditNoteId));
  if (note === undefined) return null;
  const lines = await tx
    .select()
    .from(creditNoteLines)
    .where(eq(creditNoteLines.creditNoteId, creditNoteId))
    .orderBy(asc(creditNoteLines.position));
  return { note, lines };
}

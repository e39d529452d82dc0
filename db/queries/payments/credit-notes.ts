/**
 * Credit notes: every refund that takes back what an invoice billed has one, with a gapless number of its own. Money that
 * had paid no invoice is given back without: there is nothing to correct. Issued documents never change; where a refund
 * did not arrive, a second note with the same amounts below zero takes the first one back. So the notes of an invoice sum
 * up to what of it was given back.
 *
 * Why it is safe to run twice: a refund has one note and a note is taken back once (unique indexes), in the transaction
 * that books the refund. The number is taken from a locked counter in the same transaction, so a rollback gives it back.
 */
import { asc, eq, inArray, sql } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { invoiceLines } from '../../schema/billing.ts';
import { creditNoteCounters, creditNoteLines, creditNotes, type refunds } from '../../schema/payments.ts';
import type { InvoiceRow } from '../billing/invoices.ts';

type RefundRow = typeof refunds.$inferSelect;
type CreditNoteRow = typeof creditNotes.$inferSelect;
type NewLine = Pick<typeof creditNoteLines.$inferSelect, 'invoiceLineId' | 'description' | 'amountMinor'>;

/** Corrects the invoice of a refund that was given. */
export async function issueCreditNote(
  tx: Tx,
  { refund, invoice, at }: { refund: RefundRow; invoice: InvoiceRow; at: Date },
): Promise<void> {
  const totalMinor = refund.amountMinor - refund.creditMinor;
  if (totalMinor === 0) return;
  const { customerId, id: invoiceId } = invoice;
  const lines =
    refund.lines.length > 0
      ? await linesByName(tx, refund)
      : [
          {
            invoiceLineId: null,
            description: `Refund of invoice ${invoice.number}`,
            amountMinor: totalMinor,
          },
        ];
  await insertNote(tx, { refund, customerId, invoiceId, reversesId: null, totalMinor, lines, at });
}

/** The refund did not arrive. One that was booked before there were credit notes has none to take back. */
export async function reverseCreditNote(
  tx: Tx,
  { refund, at }: { refund: RefundRow; at: Date },
): Promise<void> {
  const [note] = await tx.select().from(creditNotes).where(eq(creditNotes.refundId, refund.id));
  if (note === undefined) return;
  const issued = await tx
    .select()
    .from(creditNoteLines)
    .where(eq(creditNoteLines.creditNoteId, note.id))
    .orderBy(asc(creditNoteLines.position));
  const lines = issued.map(({ invoiceLineId, description, amountMinor }) => ({
    invoiceLineId,
    description,
    amountMinor: -amountMinor,
  }));
  const { customerId, invoiceId } = note;
  const totalMinor = -note.totalMinor;
  await insertNote(tx, { refund, customerId, invoiceId, reversesId: note.id, totalMinor, lines, at });
}

async function linesByName(tx: Tx, refund: RefundRow): Promise<NewLine[]> {
  const ids = refund.lines.map(({ lineId }) => lineId);
  const billed = await tx.select().from(invoiceLines).where(inArray(invoiceLines.id, ids));
  return refund.lines.map(({ lineId, amountMinor }) => {
    const description = billed.find(({ id }) => id === lineId)?.description;
    if (description === undefined) throw new Error(`Invoice line ${lineId} disappeared`);
    return { invoiceLineId: lineId, description, amountMinor };
  });
}

async function insertNote(
  tx: Tx,
  {
    refund: { id: refundId, tenantId, currency },
    lines,
    at,
    ...note
  }: Pick<CreditNoteRow, 'customerId' | 'invoiceId' | 'reversesId' | 'totalMinor'> & {
    refund: RefundRow;
    lines: NewLine[];
    at: Date;
  },
): Promise<void> {
  const id = newId('cn');
  const number = await nextNumber(tx, tenantId);
  await tx.insert(creditNotes).values({ id, tenantId, refundId, currency, number, issuedAt: at, ...note });
  await tx
    .insert(creditNoteLines)
    .values(
      lines.map((line, position) => ({ id: newId('cnl'), tenantId, creditNoteId: id, position, ...line })),
    );
}

async function nextNumber(tx: Tx, tenantId: string): Promise<string> {
  const [counter] = await tx
    .insert(creditNoteCounters)
    .values({ tenantId, lastNumber: 1 })
    .onConflictDoUpdate({
      target: creditNoteCounters.tenantId,
      set: { lastNumber: sql`${creditNoteCounters.lastNumber} + 1` },
    })
    .returning({ lastNumber: creditNoteCounters.lastNumber });
  if (counter === undefined) throw new Error('The counter of credit notes was not returned');
  return `CN-${String(counter.lastNumber).padStart(6, '0')}`;
}

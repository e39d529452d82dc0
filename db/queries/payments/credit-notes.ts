/**
 * Credit notes: every refund that takes back what an invoice billed has one, with a gapless number of its own. Money that
 * had paid no invoice is given back without: there is nothing to correct. Issued documents never change; where a refund
 * did not arrive, a second note with the same amounts below zero takes the first one back. So the notes of an invoice sum
 * up to what of it was given back. Each takes back the invoice's tax in proportion: what the notes together should have
 * taken back, less what the earlier ones did, so that a wholly refunded invoice bears no tax to the last unit.
 *
 * Why it is safe to run twice: a refund has one note and a note is taken back once (unique indexes), in the transaction
 * that books the refund. The number is taken from a locked counter in the same transaction, so a rollback gives it back.
 */
import { asc, eq, inArray, sql } from 'drizzle-orm';
import { taxPart } from '../../../domain/billing/tax-amounts.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { invoiceLines } from '../../schema/billing.ts';
import { creditNoteLines, creditNotes, type refunds } from '../../schema/payments.ts';
import { nextNumber } from '../billing/document-number.ts';
import type { InvoiceRow } from '../billing/invoices.ts';
import { oweReversal, oweUndo } from '../billing/tax-records.ts';

type RefundRow = typeof refunds.$inferSelect;
type CreditNoteRow = typeof creditNotes.$inferSelect;
type NewLine = Pick<typeof creditNoteLines.$inferSelect, 'invoiceLineId' | 'description' | 'amountMinor'>;

/** What of an invoice was taken back by the notes that it has. */
export async function correctedOf(
  tx: Tx,
  invoiceId: string,
): Promise<{ totalMinor: number; taxMinor: number }> {
  const [sums] = await tx
    .select({
      totalMinor: sql<number>`coalesce(sum(${creditNotes.totalMinor}), 0)::int8`.mapWith(Number),
      taxMinor: sql<number>`coalesce(sum(${creditNotes.taxMinor}), 0)::int8`.mapWith(Number),
    })
    .from(creditNotes)
    .where(eq(creditNotes.invoiceId, invoiceId));
  return sums ?? { totalMinor: 0, taxMinor: 0 };
}

/**
 * Corrects the invoice of a refund that was given. Returns the tax that is taken back with it: none of a voided invoice,
 * which has taken back all of it already.
 */
export async function issueCreditNote(
  tx: Tx,
  { refund, invoice, at }: { refund: RefundRow; invoice: InvoiceRow; at: Date },
): Promise<{ taxMinor: number }> {
  const totalMinor = refund.amountMinor - refund.creditMinor;
  if (totalMinor === 0) return { taxMinor: 0 };
  const { customerId, id: invoiceId } = invoice;
  const corrected = await correctedOf(tx, invoiceId);
  const isVoid = invoice.status === 'void';
  const taxMinor = isVoid ? 0 : taxPart(invoice, corrected.totalMinor + totalMinor) - corrected.taxMinor;
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
  const wanted = { refund, customerId, invoiceId, reversesId: null, totalMinor, taxMinor, lines, at };
  const reference = await insertNote(tx, wanted);
  if (!isVoid) await oweReversal(tx, invoice, { reference, totalMinor, taxMinor, at });
  return { taxMinor };
}

/**
 * The refund did not arrive. One that was booked before there were credit notes has none to take back. Returns the tax
 * that is owed again.
 */
export async function reverseCreditNote(
  tx: Tx,
  { refund, invoice, at }: { refund: RefundRow; invoice: InvoiceRow; at: Date },
): Promise<{ taxMinor: number }> {
  const [note] = await tx.select().from(creditNotes).where(eq(creditNotes.refundId, refund.id));
  if (note === undefined) return { taxMinor: 0 };
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
  const [totalMinor, taxMinor] = [0 - note.totalMinor, 0 - note.taxMinor];
  const reference = await insertNote(tx, {
    refund,
    customerId,
    invoiceId,
    reversesId: note.id,
    totalMinor,
    taxMinor,
    lines,
    at,
  });
  if (invoice.status === 'void') return { taxMinor: 0 };
  await oweUndo(tx, invoice, { reference, reversed: note.id, at });
  return { taxMinor: note.taxMinor };
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

/** Returns its id. */
async function insertNote(
  tx: Tx,
  {
    refund: { id: refundId, tenantId, currency },
    lines,
    at,
    ...note
  }: Pick<CreditNoteRow, 'customerId' | 'invoiceId' | 'reversesId' | 'totalMinor' | 'taxMinor'> & {
    refund: RefundRow;
    lines: NewLine[];
    at: Date;
  },
): Promise<string> {
  const id = newId('cn');
  const number = await nextNumber(tx, tenantId, 'credit_note');
  await tx.insert(creditNotes).values({ id, tenantId, refundId, currency, number, issuedAt: at, ...note });
  await tx
    .insert(creditNoteLines)
    .values(
      lines.map((line, position) => ({ id: newId('cnl'), tenantId, creditNoteId: id, position, ...line })),
    );
  return id;
}

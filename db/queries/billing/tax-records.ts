/**
 * What a tax engine is owed: each invoice that was issued by its calculation, and whatever takes that back, as rows written
 * in the transaction that decided it, with an outbox row by which the relay tells the engine. Invoices that own rates
 * decided owe nothing.
 *
 * Why it is safe to run twice: a record has a reference of its own, made of what it is for, and a unique index; only who
 * finds it `owed` marks it.
 */
import { and, eq, ne, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { referenceOf } from '../../../domain/billing/tax-engine.ts';
import { partOfSale, type RecordedLine, restOfSale } from '../../../domain/billing/tax-record.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { invoiceLines, invoices } from '../../schema/billing.ts';
import { taxCalculations, taxRecords } from '../../schema/tax.ts';
import { appendOutbox } from '../operations/outbox.ts';
import type { InvoiceRow } from './invoices.ts';
import { addTimelineEntry } from './subscriptions.ts';

export type TaxRecordRow = typeof taxRecords.$inferSelect;

/** A line of an invoice as it was issued, without what only balances it. */
type IssuedLine = { id: string; netMinor: number; taxMinor: number; creditsLineId?: string | undefined };

/** Of an invoice that has just been issued: its sale, and what its credits take back of earlier ones. */
export async function oweInvoice(
  tx: Tx,
  invoice: InvoiceRow,
  { lines, at }: { lines: readonly IssuedLine[]; at: Date },
): Promise<void> {
  const owed: NewRecord[] = [];
  if (invoice.taxCalculationId !== null) {
    // By their place, as the engine was asked; credits were not asked about.
    const sold = lines
      .map(({ id, netMinor, taxMinor }, index) => ({
        reference: referenceOf(index),
        lineId: id,
        netMinor,
        taxMinor,
      }))
      .filter(({ netMinor, taxMinor }, index) => {
        return lines[index]?.creditsLineId === undefined && netMinor + taxMinor > 0;
      });
    owed.push({ kind: 'sale', reference: invoice.id, originalId: null, lines: sold });
  }
  for (const line of lines) {
    if (line.creditsLineId === undefined) continue;
    const found = await saleOfLine(tx, line.creditsLineId);
    if (found === null) continue;
    const part = { ...found.line, netMinor: 0 - line.netMinor, taxMinor: 0 - line.taxMinor };
    const reference = `${invoice.id}:${line.id}`;
    owed.push({ kind: 'reversal', reference, originalId: found.saleId, lines: [part] });
  }
  await owe(tx, invoice, owed, at);
}

/** Of a credit note over a part of the invoice, tax included. `reference` is the note's id. */
export async function oweReversal(
  tx: Tx,
  invoice: InvoiceRow,
  {
    reference,
    totalMinor,
    taxMinor,
    at,
  }: { reference: string; totalMinor: number; taxMinor: number; at: Date },
): Promise<void> {
  const sale = await saleOf(tx, invoice);
  if (sale === null) return;
  const lines = partOfSale(sale.lines, { totalMinor, taxMinor });
  await owe(tx, invoice, [{ kind: 'reversal', reference, originalId: sale.id, lines }], at);
}

/** Of a credit note that was taken back: `reversed` is the note's id, `reference` that of the one that takes it back. */
export async function oweUndo(
  tx: Tx,
  invoice: InvoiceRow,
  { reference, reversed, at }: { reference: string; reversed: string; at: Date },
): Promise<void> {
  if (invoice.taxCalculationId === null) return;
  const [reversal] = await tx.select().from(taxRecords).where(eq(taxRecords.reference, reversed));
  if (reversal === undefined) return;
  await owe(tx, invoice, [{ kind: 'undo', reference, originalId: reversal.id, lines: reversal.lines }], at);
}

/** Of an invoice that is voided: what is left of its sale is taken back, and what its credits took back is owed again. */
export async function oweVoid(tx: Tx, invoice: InvoiceRow, at: Date): Promise<void> {
  // Only a change has credits, which may take back what an engine was told before.
  if (invoice.taxCalculationId === null && invoice.kind !== 'change') return;
  const { id: invoiceId } = invoice;
  const records = await tx.select().from(taxRecords).where(eq(taxRecords.invoiceId, invoiceId));
  const undone = new Set(records.filter(({ kind }) => kind === 'undo').map(({ originalId }) => originalId));
  const reversals = records.filter(({ kind, id }) => kind === 'reversal' && !undone.has(id));
  const sale = records.find(({ kind }) => kind === 'sale');
  const [own, credits] = [
    reversals.filter(({ originalId }) => originalId === sale?.id),
    reversals.filter(({ originalId }) => originalId !== sale?.id),
  ];
  const owed = credits.map(({ id, reference, lines }): NewRecord => {
    return { kind: 'undo', reference: `${reference}:void`, originalId: id, lines };
  });
  if (sale !== undefined) {
    const takenBack = [...own, ...(await takenBackElsewhere(tx, sale.id, invoiceId))];
    const lines = restOfSale(
      sale.lines,
      takenBack.flatMap((record) => record.lines),
    );
    owed.push({ kind: 'reversal', reference: `${invoiceId}:void`, originalId: sale.id, lines });
  }
  await owe(tx, invoice, owed, at);
}

/** By credits on later invoices. */
async function takenBackElsewhere(tx: Tx, saleId: string, invoiceId: string): Promise<TaxRecordRow[]> {
  const undo = alias(taxRecords, 'undo');
  const rows = await tx
    .select({ record: taxRecords, undoneBy: undo.id })
    .from(taxRecords)
    .leftJoin(undo, eq(undo.originalId, taxRecords.id))
    .where(and(eq(taxRecords.originalId, saleId), ne(taxRecords.invoiceId, invoiceId)));
  return rows.flatMap(({ record, undoneBy }) => (undoneBy === null ? [record] : []));
}

type NewRecord = Pick<TaxRecordRow, 'kind' | 'reference' | 'originalId' | 'lines'>;

async function owe(tx: Tx, invoice: InvoiceRow, wanted: readonly NewRecord[], at: Date): Promise<void> {
  const { tenantId, id: invoiceId } = invoice;
  const rows = wanted
    .filter(({ lines }) => lines.length > 0)
    .map((record) => ({ id: newId('trec'), tenantId, invoiceId, ...record, owedAt: at }));
  if (rows.length === 0) return;
  await tx.insert(taxRecords).values(rows);
  await appendOutbox(
    tx,
    tenantId,
    rows.map(({ id }) => ({ topic: 'tax.record' as const, recordId: id })),
  );
}

async function saleOf(tx: Tx, { id, taxCalculationId }: InvoiceRow): Promise<TaxRecordRow | null> {
  if (taxCalculationId === null) return null;
  const [sale] = await tx
    .select()
    .from(taxRecords)
    .where(and(eq(taxRecords.invoiceId, id), eq(taxRecords.kind, 'sale')));
  return sale ?? null;
}

async function saleOfLine(tx: Tx, lineId: string): Promise<{ saleId: string; line: RecordedLine } | null> {
  const [found] = await tx
    .select({ sale: taxRecords })
    .from(invoiceLines)
    .innerJoin(taxRecords, and(eq(taxRecords.invoiceId, invoiceLines.invoiceId), eq(taxRecords.kind, 'sale')))
    .where(eq(invoiceLines.id, lineId));
  const line = found?.sale.lines.find((each) => each.lineId === lineId);
  return found === undefined || line === undefined ? null : { saleId: found.sale.id, line };
}

/** A record with everything the engine must be told. */
export type RecordToTell = {
  record: TaxRecordRow;
  invoice: InvoiceRow;
  /** The engine's id of the calculation; null for what is no sale. */
  calculation: string | null;
  /** What it takes back, and for a reversal whether the amounts of that sale contain their tax. */
  original: { record: TaxRecordRow; isInclusive: boolean } | null;
};

/** `null` when there is no such record. */
export async function readRecord(tx: Tx, recordId: string): Promise<RecordToTell | null> {
  const original = alias(taxRecords, 'original');
  const soldBy = alias(invoices, 'sold_by');
  const [found] = await tx
    .select({
      record: taxRecords,
      invoice: invoices,
      calculation: taxCalculations.externalId,
      original,
      isInclusive: soldBy.taxInclusive,
    })
    .from(taxRecords)
    .innerJoin(invoices, eq(invoices.id, taxRecords.invoiceId))
    .leftJoin(taxCalculations, eq(taxCalculations.id, invoices.taxCalculationId))
    .leftJoin(original, eq(original.id, taxRecords.originalId))
    .leftJoin(soldBy, eq(soldBy.id, original.invoiceId))
    .where(eq(taxRecords.id, recordId));
  if (found === undefined) return null;
  const { record, invoice, calculation } = found;
  return {
    record,
    invoice,
    calculation: record.kind === 'sale' ? calculation : null,
    original: found.original && { record: found.original, isInclusive: found.isInclusive ?? false },
  };
}

/** The engine has it. */
export async function markRecorded(
  tx: Tx,
  recordId: string,
  answer: { externalId: string | null; externalLines: Record<string, string> },
): Promise<void> {
  await tx
    .update(taxRecords)
    .set({ status: 'recorded', recordedAt: sql`now()`, failure: null, ...answer })
    .where(and(eq(taxRecords.id, recordId), eq(taxRecords.status, 'owed')));
}

/** The engine does not take it: said on the timeline, for a person to correct at the engine. */
export async function markRefused(
  tx: Tx,
  { record, invoice }: Pick<RecordToTell, 'record' | 'invoice'>,
  failure: string,
): Promise<void> {
  const refused = await tx
    .update(taxRecords)
    .set({ status: 'refused', failure })
    .where(and(eq(taxRecords.id, record.id), eq(taxRecords.status, 'owed')))
    .returning({ id: taxRecords.id });
  if (refused.length === 0) return;
  const { subscriptionId: id, tenantId } = invoice;
  await addTimelineEntry(tx, { id, tenantId }, record.owedAt, {
    kind: 'tax_record_refused',
    message: `The tax engine did not take what invoice ${invoice.number} owes it (${words[record.kind]}); correct it there by hand.`,
    details: { invoiceId: invoice.id, recordId: record.id, reference: record.reference },
  });
}

const words: Record<TaxRecordRow['kind'], string> = {
  sale: 'the sale',
  reversal: 'a part that was taken back',
  undo: 'a part that is owed again',
};

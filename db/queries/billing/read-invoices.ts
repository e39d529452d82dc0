/** Invoices as they are read: lists and one with its lines. */
import { and, asc, desc, eq, lt } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { type InvoiceStatus, invoiceLines, invoiceLineTaxes, invoices } from '../../schema/billing.ts';
import { together } from '../../together.ts';
import type { InvoiceRow } from './invoices.ts';

export type InvoiceLineRow = typeof invoiceLines.$inferSelect & {
  taxes: (typeof invoiceLineTaxes.$inferSelect)[];
};

export type InvoiceFilter = {
  customerId: string | undefined;
  subscriptionId: string | undefined;
  status: InvoiceStatus | undefined;
  cursor: string | undefined;
  limit: number;
};

/** Newest first. */
export function listInvoices(tx: Tx, filter: InvoiceFilter): Promise<InvoiceRow[]> {
  const { customerId, subscriptionId, status, cursor, limit } = filter;
  return tx
    .select()
    .from(invoices)
    .where(
      and(
        customerId === undefined ? undefined : eq(invoices.customerId, customerId),
        subscriptionId === undefined ? undefined : eq(invoices.subscriptionId, subscriptionId),
        status === undefined ? undefined : eq(invoices.status, status),
        cursor === undefined ? undefined : lt(invoices.id, cursor),
      ),
    )
    .orderBy(desc(invoices.id))
    .limit(limit);
}

export async function findInvoice(
  tx: Tx,
  invoiceId: string,
): Promise<{ invoice: InvoiceRow; lines: InvoiceLineRow[] } | null> {
  const [[invoice], lines, taxes] = await together([
    tx.select().from(invoices).where(eq(invoices.id, invoiceId)).execute(),
    tx
      .select()
      .from(invoiceLines)
      .where(eq(invoiceLines.invoiceId, invoiceId))
      .orderBy(asc(invoiceLines.position))
      .execute(),
    tx
      .select()
      .from(invoiceLineTaxes)
      .where(eq(invoiceLineTaxes.invoiceId, invoiceId))
      .orderBy(asc(invoiceLineTaxes.position))
      .execute(),
  ]);
  if (invoice === undefined) return null;
  return {
    invoice,
    lines: lines.map((line) => ({ ...line, taxes: taxes.filter(({ lineId }) => lineId === line.id) })),
  };
}

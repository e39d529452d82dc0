/** Invoices as they are read: lists and one with its lines. */
import { and, asc, desc, eq, lt } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { type InvoiceStatus, invoiceLines, invoices } from '../../schema/billing.ts';
import type { InvoiceRow } from './invoices.ts';

export type InvoiceLineRow = typeof invoiceLines.$inferSelect;

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
  const [invoice] = await tx.select().from(invoices).where(eq(invoices.id, invoiceId));
  if (invoice === undefined) return null;
  const lines = await tx
    .select()
    .from(invoiceLines)
    .where(eq(invoiceLines.invoiceId, invoiceId))
    .orderBy(asc(invoiceLines.position));
  return { invoice, lines };
}

/** An invoice that operations on issued ones name; of a draft they say what to do first. */
import type { Tx } from '../../db/client.ts';
import { findDraft } from '../../db/queries/billing/invoice-drafts.ts';
import type { InvoiceRow } from '../../db/queries/billing/invoices.ts';
import { findInvoice } from '../../db/queries/billing/read-invoices.ts';
import { notFound, Problem } from '../problem.ts';

/** Throws the problem of `notIssued`. */
export async function readIssued(tx: Tx, invoiceId: string): Promise<InvoiceRow> {
  const found = await findInvoice(tx, invoiceId);
  if (found === null) throw await notIssued(tx, invoiceId);
  return found.invoice;
}

/** What to answer where there is no such invoice: there is a draft of this id, or nothing. */
export async function notIssued(tx: Tx, invoiceId: string): Promise<Problem> {
  if ((await findDraft(tx, invoiceId)) === null) return notFound('invoice', invoiceId);
  return new Problem({
    code: 'state_conflict',
    reason: 'invoice_draft',
    detail: 'The invoice is a draft; issue it with POST /v1/invoices/{invoiceId}/finalise first.',
  });
}

/** What the document that goes with a message says now. */
import type { InvoiceDocument } from '../../../domain/billing/invoice-document.ts';
import type { AttachedDocument } from '../../../domain/messaging/notification.ts';
import type { Tx } from '../../client.ts';
import { findInvoiceDocument, findReceiptDocument } from '../billing/invoice-document.ts';

export async function readAttachedDocument(tx: Tx, attaches: AttachedDocument): Promise<InvoiceDocument> {
  const document =
    attaches.kind === 'invoice'
      ? await findInvoiceDocument(tx, attaches.invoiceId)
      : await findReceiptDocument(tx, attaches.paymentId);
  if (document === null) throw new Error(`The ${attaches.kind} of a message disappeared`);
  return document;
}

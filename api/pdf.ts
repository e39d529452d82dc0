/** Documents as files to download. */
import { fileNameOf, type InvoiceDocument } from '../domain/billing/invoice-document.ts';
import { renderInvoicePdf } from '../integrations/pdf/invoice-pdf.ts';
import type { FileBody, FileSpec } from './route.ts';

/** What an operation that answers with a document declares. */
export function pdfResponse(description: string): FileSpec {
  return { description, mediaType: 'application/pdf' };
}

export function pdfOf(document: InvoiceDocument): FileBody {
  return { fileName: fileNameOf(document), content: () => renderInvoicePdf(document) };
}

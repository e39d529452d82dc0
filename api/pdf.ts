/** Documents as files to download. */
import type { InvoiceDocument } from '../domain/billing/invoice-document.ts';
import { renderInvoicePdf } from '../integrations/pdf/invoice-pdf.ts';
import type { FileBody, FileSpec } from './route.ts';

/** What an operation that answers with a document declares. */
export function pdfResponse(description: string): FileSpec {
  return { description, mediaType: 'application/pdf' };
}

/** `INV-000001.pdf`, `receipt-pay_….pdf` */
export function pdfOf(document: InvoiceDocument): FileBody {
  const prefix = document.kind === 'receipt' ? 'receipt-' : '';
  return {
    fileName: `${prefix}${document.number.replace(/[^\w.-]/g, '_')}.pdf`,
    content: () => renderInvoicePdf(document),
  };
}

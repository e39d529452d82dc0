/**
 * The invoices of conversions. The charge of one may wait for the customer's confirmation, while the trial (or the window
 * to take it up) goes on. When the trial ends, or a conversion is asked for anew, the old one gives way: its charge is called back at the
 * vendor and its invoice voided, so that the next invoice bills from its own day and nobody pays twice.
 */
import { and, eq } from 'drizzle-orm';
import { conversionKey } from '../../../domain/payments/payment.ts';
import type { Tx } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { chargeAttempts } from '../../schema/payments.ts';
import { giveBackPeriod } from '../billing/coupons.ts';
import { closeUnpaidInvoice, type InvoiceRow, readInvoice } from '../billing/invoices.ts';
import { addTimelineEntry, type SubscriptionContext } from '../billing/subscriptions.ts';

/** The open invoice whose charge waits for the customer; null when there is none. Call under the customer's lock. */
export async function unconfirmedInvoice(tx: Tx, subscriptionId: string): Promise<InvoiceRow | null> {
  const [row] = await tx
    .select({ invoice: invoices })
    .from(invoices)
    .innerJoin(chargeAttempts, eq(chargeAttempts.invoiceId, invoices.id))
    .where(
      and(
        eq(invoices.subscriptionId, subscriptionId),
        eq(invoices.status, 'open'),
        eq(chargeAttempts.status, 'requires_action'),
      ),
    );
  return row?.invoice ?? null;
}

/** The invoice a request to convert issued; null for a free plan, which needs none. Call under the customer's lock. */
export async function conversionInvoice(
  tx: Tx,
  { subscription }: SubscriptionContext,
  requestId: string,
): Promise<string | null> {
  const originKey = conversionKey(requestId);
  const planned = subscription.plannedCharges.find((charge) => charge.originKey === originKey);
  if (planned !== undefined) return planned.invoiceId;
  const [tried] = await tx
    .select({ invoiceId: invoices.id })
    .from(invoices)
    .innerJoin(chargeAttempts, eq(chargeAttempts.invoiceId, invoices.id))
    .where(and(eq(invoices.subscriptionId, subscription.id), eq(chargeAttempts.originKey, originKey)));
  return tried?.invoiceId ?? null;
}

/** Voids the invoice of a conversion that did not work; the coupon it was reduced by has its period again. */
export async function voidConversion(tx: Tx, invoice: InvoiceRow, at: Date): Promise<void> {
  const wasOpen = await closeUnpaidInvoice(tx, invoice, { as: 'void', at });
  if (wasOpen && invoice.kind === 'period') await giveBackPeriod(tx, invoice);
}

/** Voids the invoice of a conversion whose charge has been called back. */
export async function lapseConversion(tx: Tx, invoiceId: string, at: Date): Promise<void> {
  const invoice = await readInvoice(tx, invoiceId);
  await voidConversion(tx, invoice, at);
  await addTimelineEntry(tx, { id: invoice.subscriptionId, tenantId: invoice.tenantId }, at, {
    kind: 'conversion_lapsed',
    message: `Nobody confirmed the charge for invoice ${invoice.number}: it was called back and the invoice voided.`,
    details: { invoiceId },
  });
}

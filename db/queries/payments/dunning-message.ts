/** The variables every mail about an unpaid invoice shares. */
import type { NotificationVariables } from '../../../domain/messaging/notification.ts';
import { formatMoney } from '../../../domain/money.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import type { SubscriptionContext } from '../billing/subscriptions.ts';

/** `reason` and `nextStep` are clauses that continue a sentence ("your card has expired", "we try again on …"). */
export function dunningVariables(
  { plan, tenant }: SubscriptionContext,
  { invoice, reason, nextStep }: { invoice: InvoiceRow; reason: string; nextStep: string },
): NotificationVariables['payment_failed'] {
  return {
    planName: plan.name,
    invoiceNumber: invoice.number,
    amount: formatMoney(dueOf(invoice)),
    reason,
    nextStep,
    payUrl: payUrl(tenant.portalUrl, invoice.id),
  };
}

/** Where the customer pays the invoice. */
export function payUrl(portalUrl: string, invoiceId: string): string {
  const url = new URL(portalUrl);
  url.searchParams.set('invoice', invoiceId);
  return url.toString();
}

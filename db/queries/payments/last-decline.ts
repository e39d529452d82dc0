/** Why the last charge of an invoice failed. */
import { and, desc, eq, isNotNull } from 'drizzle-orm';
import { RAZORPAY_CHARGE_FAILED } from '../../../domain/payments/razorpay-subscription.ts';
import type { Tx } from '../../client.ts';
import { customers, subscriptions } from '../../schema/billing.ts';
import { chargeAttempts, paymentMethods } from '../../schema/payments.ts';
import type { InvoiceRow } from '../billing/invoices.ts';

/** The decline code of the latest failed attempt; where none was made, why nothing could be charged. */
export async function lastDecline(tx: Tx, { id, customerId, subscriptionId }: InvoiceRow): Promise<string> {
  const [attempt] = await tx
    .select({ code: chargeAttempts.declineCode })
    .from(chargeAttempts)
    .where(and(eq(chargeAttempts.invoiceId, id), isNotNull(chargeAttempts.declineCode)))
    .orderBy(desc(chargeAttempts.ordinal))
    .limit(1);
  if (attempt?.code != null) return attempt.code;
  const [customer] = await tx
    .select({
      cardId: customers.defaultPaymentMethodId,
      collectedByRazorpay: subscriptions.collectedByRazorpay,
    })
    .from(customers)
    .innerJoin(subscriptions, eq(subscriptions.id, subscriptionId))
    .where(eq(customers.id, customerId));
  if (customer?.collectedByRazorpay) return RAZORPAY_CHARGE_FAILED;
  return customer?.cardId == null ? whyNoCard(tx, customerId) : 'generic_decline';
}

/** Why a customer has no card to charge: there never was one, or it was refused for good. */
export async function whyNoCard(
  tx: Tx,
  customerId: string,
): Promise<'payment_method_missing' | 'payment_method_refused'> {
  const refused = await tx
    .select({ id: paymentMethods.id })
    .from(paymentMethods)
    .where(and(eq(paymentMethods.customerId, customerId), isNotNull(paymentMethods.refusedAt)))
    .limit(1);
  return refused.length === 0 ? 'payment_method_missing' : 'payment_method_refused';
}

/**
 * A charge that waits for the customer over more than is still due, because a part was paid otherwise: whoever followed its
 * link now would pay too much. It gives way to a charge over the rest, which is planned in the row; collecting that calls the
 * waiting one back first. A customer who was quicker has paid, and what is too much is credit.
 */
import { and, eq, gt } from 'drizzle-orm';
import { planCharge, technicalRetry } from '../../../domain/billing/planned-charge.ts';
import { isTerminal } from '../../../domain/billing/subscription.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { cardAmount } from '../../../domain/payments/card-payment.ts';
import type { Tx } from '../../client.ts';
import { chargeAttempts } from '../../schema/payments.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import { changeSubscription, type SubscriptionContext } from '../billing/subscriptions.ts';
import { releaseCharges } from './release-charges.ts';

/** The vendor was asked for more than a charge would be over now. */
export function isExcessive({ amountMinor }: { amountMinor: number }, invoice: InvoiceRow): boolean {
  return amountMinor > cardAmount(dueOf(invoice)).amountMinor;
}

/**
 * Plans the charge over the rest, where a waiting one is over more. Nobody is charged for what has ended: there the waiting
 * one is only called back. Returns the subscription as it is then; the caller announces it.
 */
export async function replaceExcessiveCharge(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, at }: { invoice: InvoiceRow; at: Date },
): Promise<SubscriptionContext> {
  const { tenantId, id: invoiceId, number, currency } = invoice;
  const [waiting] = await tx
    .select({ amountMinor: chargeAttempts.amountMinor })
    .from(chargeAttempts)
    .where(
      and(
        eq(chargeAttempts.invoiceId, invoiceId),
        eq(chargeAttempts.status, 'requires_action'),
        gt(chargeAttempts.amountMinor, cardAmount(dueOf(invoice)).amountMinor),
      ),
    );
  if (waiting === undefined) return context;
  const { status, plannedCharges } = context.subscription;
  if (isTerminal(status)) {
    await releaseCharges(tx, { tenantId, invoiceId });
    return context;
  }
  const rest = technicalRetry(invoiceId, at.toISOString(), 0);
  return changeSubscription(tx, context, {
    set: { plannedCharges: planCharge(plannedCharges, rest) },
    at,
    entry: {
      kind: 'charge_replaced',
      message: `The charge of ${formatMoney(money(waiting.amountMinor, currency))} for invoice ${number} that waits for the customer is called back: only ${formatMoney(dueOf(invoice))} is due any more, and is charged instead.`,
      details: { invoiceId },
    },
  });
}

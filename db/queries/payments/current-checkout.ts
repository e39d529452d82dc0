/** The checkout at Coinbase that stands for an invoice now. */
import { and, eq, isNull } from 'drizzle-orm';
import { isCheckoutUnderWay } from '../../../domain/payments/coinbase-checkout.ts';
import type { Tx } from '../../client.ts';
import { coinbaseCheckouts } from '../../schema/coinbase.ts';

export type CheckoutRow = typeof coinbaseCheckouts.$inferSelect;

/** The one checkout of the invoice that a customer can pay, or could in a moment; null where there is none. */
export async function currentCheckout(tx: Tx, invoiceId: string): Promise<CheckoutRow | null> {
  const [row] = await tx
    .select()
    .from(coinbaseCheckouts)
    .where(
      and(
        eq(coinbaseCheckouts.invoiceId, invoiceId),
        eq(coinbaseCheckouts.provider, 'business'),
        isNull(coinbaseCheckouts.closedAt),
      ),
    );
  return row ?? null;
}

/** Whether the customer has paid the invoice at Coinbase, and the money is not final yet. */
export async function isPayingAtCoinbase(tx: Tx, invoiceId: string, at: Date): Promise<boolean> {
  const checkout = await currentCheckout(tx, invoiceId);
  return checkout !== null && isUnderWay(checkout, at);
}

export function isUnderWay({ status, processingAt }: CheckoutRow, at: Date): boolean {
  const since = processingAt?.toISOString() ?? null;
  return isCheckoutUnderWay({ status, processingAt: since }, at.toISOString());
}

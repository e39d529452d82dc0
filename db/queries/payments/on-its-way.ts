/** Whether money for an invoice may be on its way, however the customer pays: nothing that waits for it is given up meanwhile. */
import { isUnderWay } from '../../../domain/payments/razorpay-order.ts';
import type { Tx } from '../../client.ts';
import { areCoinsUnderWay } from './crypto-offer.ts';
import { isPayingAtCoinbase } from './current-checkout.ts';
import { currentOrder, knownPayment } from './current-order.ts';
import { isTransferLookedInto } from './follow-transfer.ts';
import { hasUndecidedCharge } from './undecided-charge.ts';

/** Whether nobody knows what becomes of its payment: money is on its way, or somebody looks into its transfer. */
export async function isUndecided(tx: Tx, asked: { invoiceId: string; at: Date }): Promise<boolean> {
  return (await onItsWay(tx, asked)) !== null || (await isTransferLookedInto(tx, asked.invoiceId));
}

/** How, as a code; null where none is. */
export async function onItsWay(
  tx: Tx,
  { invoiceId, at }: { invoiceId: string; at: Date },
): Promise<'charge_in_flight' | 'coins_under_way' | 'payment_under_way' | null> {
  if (await hasUndecidedCharge(tx, invoiceId)) return 'charge_in_flight';
  if (await areCoinsUnderWay(tx, invoiceId)) return 'coins_under_way';
  if (await isPayingAtCoinbase(tx, invoiceId, at)) return 'payment_under_way';
  const order = await currentOrder(tx, invoiceId);
  const isBeingPaid = order !== null && isUnderWay(knownPayment(order), at.toISOString());
  return isBeingPaid ? 'payment_under_way' : null;
}

/** Whether money for an invoice may be on its way, however the customer pays: nothing that waits for it is given up meanwhile. */
import { isUnderWay } from '../../../domain/payments/razorpay-order.ts';
import type { Tx } from '../../client.ts';
import { areCoinsUnderWay } from './crypto-offer.ts';
import { isPayingAtCoinbase } from './current-checkout.ts';
import { currentOrder, knownPayment } from './current-order.ts';
import { hasUndecidedCharge } from './undecided-charge.ts';

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

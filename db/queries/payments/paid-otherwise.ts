/** What else is about to pay an invoice, so that coins for it would pay it twice. */
import { isUnderWay } from '../../../domain/payments/razorpay-order.ts';
import type { Tx } from '../../client.ts';
import type { InvoiceRow } from '../billing/invoices.ts';
import type { SubscriptionContext } from '../billing/subscriptions.ts';
import { razorpaysPart } from './collected-by-razorpay.ts';
import { isPayingAtCoinbase } from './current-checkout.ts';
import { currentOrder, knownPayment } from './current-order.ts';
import { hasUndecidedCharge } from './undecided-charge.ts';

export type PaidOtherwise = {
  reason: 'collected_by_razorpay' | 'charge_in_flight' | 'payment_under_way';
  /** What to do. */
  message: string;
};

/** Null where nothing does. The customer is locked. */
export async function paidOtherwise(
  tx: Tx,
  { context, invoice, at }: { context: SubscriptionContext; invoice: InvoiceRow; at: Date },
): Promise<PaidOtherwise | null> {
  const { id, number } = invoice;
  if ((await razorpaysPart(tx, context, invoice)).kind === 'collects') {
    return {
      reason: 'collected_by_razorpay',
      message: `Invoice ${number} is charged by Razorpay itself; end that first to have it paid otherwise.`,
    };
  }
  if (await hasUndecidedCharge(tx, id)) {
    return {
      reason: 'charge_in_flight',
      message: `Invoice ${number} is being charged to the card of the customer; wait for the outcome.`,
    };
  }
  const order = await currentOrder(tx, id);
  if (order !== null && isUnderWay(knownPayment(order), at.toISOString())) {
    return {
      reason: 'payment_under_way',
      message: `Invoice ${number} is being paid at Razorpay; wait for the outcome.`,
    };
  }
  if (await isPayingAtCoinbase(tx, id, at)) {
    return {
      reason: 'payment_under_way',
      message: `Invoice ${number} is being paid at Coinbase; wait for the outcome.`,
    };
  }
  return null;
}

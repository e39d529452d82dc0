/**
 * A bank takes back what a direct debit had paid, days or weeks later. Stripe tells of it by a dispute that is lost from the
 * beginning: the money has left our account, and nobody can contest it.
 */
import { blockAfter, isBankAccount, returnReason } from './bank-accounts.ts';
import { noRequest, requireIntent, type StripeContext } from './context.ts';
import { type Disputed, newDispute, noteOf, withdraw } from './disputes.ts';
import { emit } from './events.ts';

export function returnDebit(context: StripeContext, paymentIntent: string, networkCode: string): Disputed {
  const intent = requireIntent(context, paymentIntent);
  const charge = context.charges.get(String(intent.latest_charge));
  const method = context.paymentMethods.get(String(charge?.payment_method));
  if (!charge?.paid || !method || !isBankAccount(method)) {
    throw new RangeError(`Payment ${paymentIntent} is no direct debit that was paid`);
  }
  if (charge.disputed) throw new RangeError(`Payment ${paymentIntent} has been returned`);
  const dispute = newDispute(charge, {
    amount: charge.amount - charge.amount_refunded,
    reason: returnReason(networkCode),
    status: 'lost',
    createdSeconds: context.clock.seconds(),
  });
  Object.assign(dispute, { network_reason_code: networkCode });
  charge.disputed = true;
  context.charges.put(charge.id, charge);
  context.disputes.put(dispute.id, dispute);
  withdraw(context, dispute);
  blockAfter(context, method, networkCode);
  for (const type of ['created', 'funds_withdrawn', 'closed']) {
    emit(context, `charge.dispute.${type}`, dispute, noRequest);
  }
  return { dispute, note: noteOf(charge, dispute, dispute.amount) };
}

/**
 * Books what the card vendor says about one of our payments, from outside the charging call: webhook, reconciler, or
 * a look of our own. Safe to repeat and in any order: charges only move forward, refunds are unique by their id, and a payment
 * is returned once.
 */
import { isTerminal } from '../../../domain/billing/subscription.ts';
import type { CardCharge } from '../../../domain/payments/card-payment.ts';
import type { Tx } from '../../client.ts';
import { callBack, findAttempt, finishCharge, lockInvoice } from './charge-attempts.ts';
import { isExcessive } from './excessive-charge.ts';
import { bookRefunds } from './refunds.ts';
import { bookReturn } from './returned-payment.ts';

/**
 * Returns true when the charge still waits for the customer although its invoice no longer needs it, or not all of it after
 * the subscription has ended; it is called back then, and the caller cancels it at the vendor.
 */
export async function bookCharge(
  tx: Tx,
  { attemptId, charge, at }: { attemptId: string; charge: CardCharge; at: Date },
): Promise<boolean> {
  const attempt = await findAttempt(tx, attemptId);
  if (attempt === null) return false;
  await finishCharge(tx, { attemptId, charge, at });
  await bookRefunds(tx, { charge, at });
  await bookReturn(tx, { attempt, charge, at });
  const { context, invoice } = await lockInvoice(tx, attempt.invoiceId);
  // While the subscription runs, the charge over the rest takes the place of one over too much.
  const isTooMuch = isTerminal(context.subscription.status) && isExcessive(attempt, invoice);
  const isNeedless = charge.status === 'requires_action' && (invoice.status !== 'open' || isTooMuch);
  if (isNeedless) await callBack(tx, attemptId, at);
  return isNeedless;
}

/**
 * Books what the card vendor says about one of our payments, from outside the charging call: webhook, reconciler, or
 * a look of our own. Safe to repeat and in any order: charges only move forward, refunds are unique by their id.
 */
import type { CardCharge } from '../../../domain/payments/card-payment.ts';
import type { Tx } from '../../client.ts';
import { readInvoice } from '../billing/invoices.ts';
import { callBack, findAttempt, finishCharge } from './charge-attempts.ts';
import { bookRefunds } from './refunds.ts';

/**
 * Returns true when the charge still waits for the customer although its invoice no longer needs it; it is called back
 * then, and the caller cancels it at the vendor.
 */
export async function bookCharge(
  tx: Tx,
  { attemptId, charge, at }: { attemptId: string; charge: CardCharge; at: Date },
): Promise<boolean> {
  const attempt = await findAttempt(tx, attemptId);
  if (attempt === null) return false;
  await finishCharge(tx, { attemptId, charge, at });
  await bookRefunds(tx, { charge, at });
  const invoice = await readInvoice(tx, attempt.invoiceId);
  const isNeedless = charge.status === 'requires_action' && invoice.status !== 'open';
  if (isNeedless) await callBack(tx, attemptId, at);
  return isNeedless;
}

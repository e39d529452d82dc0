/**
 * A direct debit that had paid its invoice and is returned by the bank afterwards, days or weeks later. The payment is taken
 * back; see `take-back-payment.ts`.
 *
 * Why it is safe to run twice: a payment is returned once, under the customer's lock; its row remembers it in the
 * transaction that moves the books, so events that come twice, late or out of order change nothing more.
 */
import { eq } from 'drizzle-orm';
import { type CardCharge, declineClassOf } from '../../../domain/payments/card-payment.ts';
import type { Tx } from '../../client.ts';
import { chargeAttempts } from '../../schema/payments.ts';
import type { ChargeAttemptRow } from './charge-attempts.ts';
import { findPaymentByReference } from './read-payments.ts';
import { lockPayment } from './refunds.ts';
import { takeBackPayment } from './take-back-payment.ts';

/** Books the return of a payment, where the vendor tells of one and it is not booked yet. */
export async function bookReturn(
  tx: Tx,
  { attempt, charge, at }: { attempt: ChargeAttemptRow; charge: CardCharge; at: Date },
): Promise<void> {
  const { returned } = charge;
  if (returned === undefined) return;
  const payment = await findPaymentByReference(tx, { rail: 'stripe', externalId: charge.externalId });
  if (payment === null) return;
  const subject = await lockPayment(tx, payment.id);
  if (subject.payment.returnedAt !== null) return;
  const { code } = returned;
  await tx
    .update(chargeAttempts)
    .set({ declineCode: code, declineClass: declineClassOf(code) })
    .where(eq(chargeAttempts.id, attempt.id));
  await takeBackPayment(tx, subject, { returned, attempt, at });
}

/**
 * A cheque or a money order that was recorded as paid, and that the bank does not pay, or a transfer that was booked on a proof and
 * never came: the payment is taken back whole, with what its excess has paid of other invoices and what is left of it as credit.
 * What had been given back of it before stays given.
 *
 * Why it is safe to run twice: a payment is taken back once, under the customer's lock; its row remembers it in the transaction
 * that moves the books. A refund at the same moment comes before it, or is refused after it.
 */
import { asc, eq, or, sql } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { bounceCodeOf, manualMethodInWords } from '../../../domain/payments/manual-payment.ts';
import type { Tx } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { notifications } from '../../schema/messaging.ts';
import { payments } from '../../schema/payments.ts';
import type { InvoiceRow } from '../billing/invoices.ts';
import { enqueueOperatorNotice } from '../messaging/operator-notices.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { creditGivenBack } from './book-refund.ts';
import { isOnProof, isSeen } from './proof-payments.ts';
import type { PaymentRow } from './read-payments.ts';
import { lockPayment } from './refunds.ts';
import { takeBackPayment } from './take-back-payment.ts';

/** Throws `not_found` and `state_conflict` (`payment_cannot_bounce`). Returns the payment as it is then. */
export async function bouncePayment(
  tx: Tx,
  { paymentId, reason, actor, at }: { paymentId: string; reason: string; actor: string; at: Date },
): Promise<PaymentRow> {
  const subject = await lockPayment(tx, paymentId);
  const { payment, invoice } = subject;
  const { method, tenantId } = payment;
  const code = isOnProof(payment) ? 'transfer_not_received' : bounceCodeOf(method);
  if (code === null) {
    throw stateConflict(
      'payment_cannot_bounce',
      'Only a cheque or a money order that was recorded by hand, or a transfer that was booked on a proof, can fail to come. Give other money back with POST /v1/payments/{paymentId}/refunds.',
    );
  }
  if (payment.returnedAt !== null) return payment;
  if (await isSeen(tx, paymentId)) {
    throw stateConflict(
      'payment_cannot_bounce',
      'Its money has come. Where a movement was taken for it wrongly, take that match back first (POST /v1/bank_transactions/{transactionId}/unmatch).',
    );
  }
  const givenBackMinor = payment.refundedMinor - (await creditGivenBack(tx, paymentId));
  const returned = { amountMinor: payment.amountMinor, code, givenBackMinor };
  await takeBackPayment(tx, subject, { returned, attempt: null, at });
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'payment.bounced',
    entityType: 'payment',
    entityId: paymentId,
    reason,
    details: { invoiceId: invoice.id, amountMinor: payment.amountMinor, currency: payment.currency },
    at,
  });
  const came = money(
    payment.receivedMinor ?? payment.amountMinor,
    payment.receivedCurrency ?? payment.currency,
  );
  const whatCame =
    method === null
      ? `The transfer of ${formatMoney(came)} that was booked on a proof did not come`
      : `${manualMethodInWords(method, null)} over ${formatMoney(came)} was not paid by the bank`;
  const given = money(payment.refundedMinor, payment.currency);
  const lost =
    payment.refundedMinor === 0
      ? []
      : [`${formatMoney(given)} of it had been given back before and are lost.`];
  await enqueueOperatorNotice(tx, {
    tenantId,
    at,
    key: `payment:${paymentId}:bounced`,
    template: 'payment_operator_alert',
    variables: {
      invoiceNumber: invoice.number,
      what: [`${whatCame} (${paymentId}).`, ...(await standingOf(tx, paymentId)), ...lost].join(' '),
    },
  });
  return (await lockPayment(tx, paymentId)).payment;
}

/** What has become of each invoice that it, or its excess, had paid, and whether the customer has been told. */
async function standingOf(tx: Tx, paymentId: string): Promise<string[]> {
  const rows = await tx
    .select({ number: invoices.number, status: invoices.status, noticeId: notifications.id })
    .from(payments)
    .innerJoin(invoices, eq(invoices.id, payments.invoiceId))
    .leftJoin(notifications, eq(notifications.dedupeKey, sql`'payment:' || ${payments.id} || ':returned'`))
    .where(or(eq(payments.id, paymentId), eq(payments.sourcePaymentId, paymentId)))
    .orderBy(asc(payments.id));
  return rows.map(({ number, status, noticeId }) => {
    const told = noticeId === null ? 'has not been told' : 'has been told';
    return `Invoice ${number} ${standings[status]}, and the customer ${told}.`;
  });
}

const standings: Record<InvoiceRow['status'], string> = {
  open: 'is owed again',
  paid: 'is paid all the same',
  void: 'stays void',
  uncollectible: 'is bad debt',
};

/**
 * A direct debit that had paid its invoice and is returned by the bank afterwards, days or weeks later. The payment is taken
 * back in the books: cash leaves, the invoice is owed again, and what had become the customer's credit is theirs no more. What
 * credit is left pays it first. The invoice is no other one than before, so there is no credit note. What follows is what follows from any return: a debit that
 * is presented again, or the ladder.
 *
 * Why it is safe to run twice: a payment is returned once, under the customer's lock; its row remembers it in the
 * transaction that moves the books, so events that come twice, late or out of order change nothing more.
 */
import { eq } from 'drizzle-orm';
import { isTerminal } from '../../../domain/billing/subscription.ts';
import { money } from '../../../domain/money.ts';
import {
  type CardCharge,
  declineClassOf,
  declineReasonForCustomer,
} from '../../../domain/payments/card-payment.ts';
import { allocate } from '../../../domain/payments/payment.ts';
import { creditUsed } from '../../../domain/payments/smallest-charge.ts';
import type { Tx } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { chargeAttempts, payments } from '../../schema/payments.ts';
import { addCredit } from '../billing/customers.ts';
import {
  closeUnpaidInvoice,
  dueOf,
  type InvoiceRow,
  negative,
  readInvoice,
  unpaidTaxOf,
} from '../billing/invoices.ts';
import { announceSubscription, lockSubscription } from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { unspentCredit } from './book-refund.ts';
import type { ChargeAttemptRow } from './charge-attempts.ts';
import { dunningVariables } from './dunning-message.ts';
import { applyFailedCharge } from './failed-charge.ts';
import { type LedgerAccount, postToLedger } from './ledger.ts';
import { findPaymentByReference } from './read-payments.ts';
import { lockPayment, type RefundContext } from './refunds.ts';
import { settlePayment } from './settle-payment.ts';

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
  const reopened = await takeBack(tx, subject, { returned, at });
  const { invoice, context } = await payFromWhatIsLeft(tx, subject, { invoice: reopened, at });
  await tx
    .update(chargeAttempts)
    .set({ declineCode: code, declineClass: declineClassOf(code) })
    .where(eq(chargeAttempts.id, attempt.id));
  const { paymentMethodId, origin, id: attemptId } = attempt;
  const after = await applyFailedCharge(tx, context, {
    invoice,
    origin,
    code,
    declineClass: declineClassOf(code),
    paymentMethodId,
    attemptId,
    returned: 'late',
    actionUrl: null,
    at,
  });
  if (isTerminal(after.subscription.status))
    await settleWithFormer(tx, subject, { invoice, attemptId, code, at });
  const current = await lockSubscription(tx, after.subscription.id);
  if (current.subscription.version > subject.context.subscription.version)
    await announceSubscription(tx, current);
}

/**
 * What we still hold for the customer pays the invoice that is owed again: most of it may be the credit that plan changes
 * gave for time the returned payment had paid.
 */
async function payFromWhatIsLeft(
  tx: Tx,
  { payment, context: { subscription, customer } }: RefundContext,
  { invoice, at }: { invoice: InvoiceRow; at: Date },
): Promise<Pick<RefundContext, 'invoice' | 'context'>> {
  const { creditMinor } = await lockSubscription(tx, subscription.id).then((context) => context.customer);
  const { currency } = invoice;
  const usedMinor = creditUsed({ creditMinor, dueMinor: dueOf(invoice).amountMinor, currency });
  if (invoice.status === 'open' && usedMinor > 0 && customer.erasedAt === null) {
    const amount = money(usedMinor, currency);
    const { id: externalId, tenantId } = payment;
    await settlePayment(tx, { tenantId, invoiceId: invoice.id, rail: 'credit', externalId, amount, at });
  }
  return { invoice: await readInvoice(tx, invoice.id), context: await lockSubscription(tx, subscription.id) };
}

/** The books, payment and invoice. Returns the invoice as it is then: open again, unless it had been given up before. */
async function takeBack(
  tx: Tx,
  subject: RefundContext,
  { returned, at }: { returned: NonNullable<CardCharge['returned']>; at: Date },
): Promise<InvoiceRow> {
  const { payment, invoice, context } = subject;
  const returnedMinor = Math.min(returned.amountMinor, payment.amountMinor);
  const { allocatedMinor, excessMinor } = allocate({
    amountMinor: returnedMinor,
    dueMinor: payment.allocatedMinor,
  });
  const creditMinor = Math.min(excessMinor, await unspentCredit(tx, payment, context));
  await tx
    .update(payments)
    .set({
      returnedAt: at,
      returnedMinor,
      returnCode: returned.code,
      allocatedMinor: payment.allocatedMinor - allocatedMinor,
    })
    .where(eq(payments.id, payment.id));
  await addCredit(tx, payment.customerId, -creditMinor);
  const reopened = await reopen(tx, invoice, { allocatedMinor, at });

  // What was given up as bad debt, and paid after all, is bad debt again; its tax is not owed any more.
  const isGivenUp = reopened.status === 'uncollectible';
  const claim: LedgerAccount = isGivenUp ? 'bad_debt' : 'receivable';
  const { currency } = payment;
  const amount = money(returnedMinor, currency);
  const taxMinor = isGivenUp ? unpaidTaxOf(reopened) - unpaidTaxOf(invoice) : 0;
  await postToLedger(tx, {
    tenantId: payment.tenantId,
    kind: 'payment_returned',
    reference: payment.id,
    at,
    lines: [
      { account: `cash:${payment.rail}` as LedgerAccount, amount: negative(amount) },
      { account: claim, amount: money(allocatedMinor - taxMinor, currency) },
      { account: 'tax_payable', amount: money(taxMinor, currency) },
      { account: 'customer_credit', amount: money(creditMinor, currency) },
      // It has paid other invoices since, which stay paid.
      { account: 'bad_debt', amount: money(excessMinor - creditMinor, currency) },
    ],
  });
  return reopened;
}

async function reopen(
  tx: Tx,
  invoice: InvoiceRow,
  { allocatedMinor, at }: { allocatedMinor: number; at: Date },
): Promise<InvoiceRow> {
  if (allocatedMinor === 0) return invoice;
  const [row] = await tx
    .update(invoices)
    .set({
      paidMinor: invoice.paidMinor - allocatedMinor,
      paidAt: null,
      // It has a closing date where it had been given up.
      ...(invoice.status === 'paid' && { status: invoice.closedAt === null ? 'open' : 'uncollectible' }),
      firstFailedAt: null,
      reopenedAt: at,
    })
    .where(eq(invoices.id, invoice.id))
    .returning();
  if (row === undefined) throw new Error(`Invoice ${invoice.id} disappeared`);
  return row;
}

/**
 * Nobody is chased for a subscription that has ended: the invoice stays open, the customer is told and may pay it. Where the
 * customer has been erased nobody can be told, and it is bad debt at once.
 */
async function settleWithFormer(
  tx: Tx,
  { context }: RefundContext,
  { invoice, attemptId, code, at }: { invoice: InvoiceRow; attemptId: string; code: string; at: Date },
): Promise<void> {
  if (invoice.status !== 'open') return;
  if (context.customer.erasedAt !== null) {
    await closeUnpaidInvoice(tx, invoice, { as: 'uncollectible', at });
    return;
  }
  await enqueueNotification(tx, {
    tenantId: invoice.tenantId,
    at,
    request: {
      template: 'payment_returned',
      variables: dunningVariables(context, {
        invoice,
        reason: declineReasonForCustomer(code),
        nextStep: 'nothing more will be debited',
      }),
      customerId: invoice.customerId,
      subscriptionId: invoice.subscriptionId,
      dedupeKey: `attempt:${attemptId}:returned`,
    },
  });
}

/**
 * A payment that had paid its invoice and does not stand: a bank returned the direct debit or did not pay the cheque, or a chain
 * lost the coins. It is taken back in the books: cash leaves, the invoice is owed again, and what had become the customer's
 * credit is theirs no more. What credit is left pays it first. The invoice is no other one than before, so there is no credit
 * note. What follows is what follows from any return: a debit that is presented again, or the ladder.
 *
 * What a payment was too much may have paid other invoices: where all of it is taken back, they are owed again with it.
 *
 * Coins may be lost in parts. What paid no invoice goes first; where nothing is owed again, nobody is chased.
 *
 * Why it is safe to run twice: a payment is taken back under the customer's lock, never more of it than is left; its row
 * remembers how much in the transaction that moves the books.
 */
import { asc, eq } from 'drizzle-orm';
import { isTerminal } from '../../../domain/billing/subscription.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { declineClassOf, declineReasonForCustomer } from '../../../domain/payments/card-payment.ts';
import type { ChargeOrigin, PaymentRail } from '../../../domain/payments/payment.ts';
import { creditUsed } from '../../../domain/payments/smallest-charge.ts';
import type { Tx } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { payments } from '../../schema/payments.ts';
import { addCredit } from '../billing/customers.ts';
import {
  closeUnpaidInvoice,
  dueOf,
  type InvoiceRow,
  readInvoice,
  taxOwedAgain,
} from '../billing/invoices.ts';
import { addTimelineEntry, announceSubscription, lockSubscription } from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { creditGivenBack, unspentCredit } from './book-refund.ts';
import { forgivenMinorOf } from './crypto-tolerance.ts';
import { dunningVariables } from './dunning-message.ts';
import { applyFailedCharge, type FailedCharge, noticeOf } from './failed-charge.ts';
import { lookAtTransferOf } from './follow-transfer.ts';
import { foreignPartReturned, outflowLines } from './inflow.ts';
import { fundsOf, type LedgerAccount, postToLedger } from './ledger.ts';
import { lockPayment, type RefundContext } from './refunds.ts';
import { rejectLostPayouts } from './reject-lost-payouts.ts';
import { settlePayment } from './settle-payment.ts';

export type TakenBack = {
  /**
   * What (more) of it does not stand, and why, as a code (`R01`, `double_spent`). `forgiveMinor`: what of the invoice may be
   * unpaid then and is nobody's debt, as the tolerance of a payment in coins; nothing unless given. `givenBackMinor`: what of the
   * part that had paid the invoice was given back before, and is taken all the same; the invoice stays corrected by it, and it
   * is lost.
   */
  returned: { amountMinor: number; code: string; forgiveMinor?: number; givenBackMinor?: number };
  /** The charge that stands for it; null for money that came unasked. */
  attempt: { id: string; origin: ChargeOrigin; paymentMethodId: string } | null;
  at: Date;
};

/** Changes nothing where all of it was taken back before. */
export async function takeBackPayment(
  tx: Tx,
  subject: RefundContext,
  { returned, attempt, at }: TakenBack,
): Promise<void> {
  const { payment } = subject;
  if (payment.returnedMinor === payment.amountMinor) return;
  if (payment.rail === 'crypto') await rejectLostPayouts(tx, subject, at);
  const { code } = returned;
  const isWhole = returned.amountMinor >= payment.amountMinor - payment.returnedMinor;
  // That makes it credit again, which leaves with the payment.
  const passedOn = isWhole ? await takeBackPassedOn(tx, payment, { code, at }) : [];
  const own = await takeBack(tx, subject, { returned, at });
  const by = takers[payment.rail] ?? 'bank';
  await follow(tx, { ...own, subject }, { code, by, attempt, at });
  for (const each of passedOn) await follow(tx, each, { code, by, attempt: null, at });
}

type Reopened = { subject: RefundContext; invoice: InvoiceRow; returnedMinor: number; unpaidMinor: number };

/**
 * What of a payment's excess has paid other invoices, as far as it is not the credit again already: it was given back, or its
 * invoice was voided.
 */
async function takeBackPassedOn(
  tx: Tx,
  { id }: RefundContext['payment'],
  { code, at }: { code: string; at: Date },
): Promise<Reopened[]> {
  const rows = await tx
    .select({ id: payments.id })
    .from(payments)
    .where(eq(payments.sourcePaymentId, id))
    .orderBy(asc(payments.id));
  const reopened: Reopened[] = [];
  for (const { id: passedOnId } of rows) {
    const subject = await lockPayment(tx, passedOnId);
    const { amountMinor, allocatedMinor, refundedMinor, returnedMinor } = subject.payment;
    const leftMinor = amountMinor - refundedMinor - returnedMinor;
    if (leftMinor <= 0 || allocatedMinor === 0) continue;
    const returned = { amountMinor: leftMinor, code };
    reopened.push({ ...(await takeBack(tx, subject, { returned, at })), subject });
  }
  return reopened;
}

/** A cheque that bounces was never money; all others are the bank's, or the chain's. */
const takers: Partial<Record<PaymentRail, NonNullable<FailedCharge['takenBack']>['by']>> = {
  crypto: 'chain',
  manual: 'cheque',
};

/** What is owed again is paid from what we still hold, or chased. */
async function follow(
  tx: Tx,
  { subject, invoice: reopened, returnedMinor, unpaidMinor }: Reopened,
  {
    code,
    by,
    attempt,
    at,
  }: {
    code: string;
    by: NonNullable<FailedCharge['takenBack']>['by'];
    attempt: TakenBack['attempt'];
    at: Date;
  },
): Promise<void> {
  const { payment } = subject;
  if (unpaidMinor === 0 && attempt === null) {
    await addTimelineEntry(tx, subject.context.subscription, at, {
      kind: 'payment_returned',
      message: `${formatMoney(money(returnedMinor, payment.currency))} received for invoice ${reopened.number} does not stand (${code}); the invoice did not need it.`,
      details: { invoiceId: reopened.id, paymentId: payment.id, returnedMinor },
    });
    return;
  }
  const { invoice, context } = await payFromWhatIsLeft(tx, subject, { invoice: reopened, at });
  const failed = {
    invoice,
    origin: attempt?.origin ?? 'renewal',
    code,
    declineClass: declineClassOf(code),
    paymentMethodId: attempt?.paymentMethodId ?? null,
    attemptId: attempt?.id ?? null,
    returned: 'late',
    actionUrl: null,
    at,
    ...(attempt === null && { takenBack: { paymentId: payment.id, by } }),
  } as const;
  const after = await applyFailedCharge(tx, context, failed);
  if (invoice.kind === 'one_off' || isTerminal(after.subscription.status))
    await leaveUnchased(tx, subject, failed);
  await lookAtTransferOf(tx, invoice.id, at);
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

/** The books, payment and invoice. Returns the invoice as it is then: what is unpaid opens it, unless it had been given up before. */
async function takeBack(
  tx: Tx,
  subject: RefundContext,
  { returned, at }: Pick<TakenBack, 'returned' | 'at'>,
): Promise<Omit<Reopened, 'subject'>> {
  const { payment, invoice, context } = subject;
  const leftMinor = payment.amountMinor - payment.returnedMinor;
  const returnedMinor = Math.min(returned.amountMinor, leftMinor);
  const givenMinor = await creditGivenBack(tx, payment.id);
  // Where the invoice was voided since, nothing is allocated, and what was given back of it did not become credit.
  const owedAgainMinor = Math.max(0, payment.allocatedMinor - (returned.givenBackMinor ?? 0));
  const boundMinor = Math.max(payment.allocatedMinor, returned.givenBackMinor ?? 0);
  const freeMinor = Math.min(returnedMinor, Math.max(0, leftMinor - boundMinor - givenMinor));
  const allocatedMinor = Math.min(returnedMinor - freeMinor, owedAgainMinor);
  const excessMinor = returnedMinor - allocatedMinor;
  const creditMinor = Math.min(freeMinor, await unspentCredit(tx, payment, context));
  await tx
    .update(payments)
    .set({
      returnedAt: at,
      returnedMinor: payment.returnedMinor + returnedMinor,
      returnCode: returned.code,
      allocatedMinor: payment.allocatedMinor - allocatedMinor,
    })
    .where(eq(payments.id, payment.id));
  // What was paid out of the credit is credit again.
  const toCreditMinor = payment.rail === 'credit' ? returnedMinor : 0;
  await addCredit(tx, payment.customerId, toCreditMinor - creditMinor);
  const forgivenBefore = payment.rail === 'crypto' ? await forgivenMinorOf(tx, cryptoInvoiceOf(payment)) : 0;
  const forgivenAfter = Math.min(forgivenBefore + allocatedMinor, returned.forgiveMinor ?? 0);
  // A rest was let go because the others were paid.
  const writtenOffMinor = allocatedMinor > 0 ? invoice.writtenOffMinor : 0;
  const unpaidMinor = allocatedMinor + forgivenBefore - forgivenAfter + writtenOffMinor;
  const reopened = await reopen(tx, invoice, { unpaidMinor, at });

  // What was given up as bad debt, and paid after all, is bad debt again; its tax is not owed any more.
  const isGivenUp = reopened.status === 'uncollectible';
  const claim: LedgerAccount = isGivenUp ? 'bad_debt' : 'receivable';
  const { currency } = payment;
  const amount = money(returnedMinor, currency);
  const taxMinor = isGivenUp ? await taxOwedAgain(tx, reopened, invoice) : 0;
  await postToLedger(tx, {
    tenantId: payment.tenantId,
    kind: 'payment_returned',
    reference: payment.returnedMinor === 0 ? payment.id : `${payment.id}:${payment.returnedMinor}`,
    at,
    lines: [
      ...outflowLines(fundsOf(payment.rail), amount, foreignPartReturned(payment, returnedMinor)),
      { account: claim, amount: money(unpaidMinor - taxMinor, currency) },
      { account: 'crypto_tolerance', amount: money(forgivenAfter - forgivenBefore, currency) },
      { account: 'write_off', amount: money(0 - writtenOffMinor, currency) },
      { account: 'tax_payable', amount: money(taxMinor, currency) },
      { account: 'customer_credit', amount: money(creditMinor, currency) },
      // It has paid other invoices since, which stay paid, or was given back.
      { account: 'bad_debt', amount: money(excessMinor - creditMinor, currency) },
    ],
  });
  return { invoice: reopened, returnedMinor, unpaidMinor };
}

/** The invoice in coins, whose id the payment's reference begins with. */
function cryptoInvoiceOf({ externalId }: RefundContext['payment']): string {
  return externalId.split(':')[0] ?? externalId;
}

/** What had been paid whole was given, and is chased from its return on; of another one the clock that runs goes on. */
async function reopen(
  tx: Tx,
  invoice: InvoiceRow,
  { unpaidMinor, at }: { unpaidMinor: number; at: Date },
): Promise<InvoiceRow> {
  if (unpaidMinor === 0) return invoice;
  const [row] = await tx
    .update(invoices)
    .set({
      paidMinor: invoice.paidMinor - unpaidMinor,
      writtenOffMinor: 0,
      paidAt: null,
      ...(invoice.status === 'paid' && {
        // It has a closing date where it had been given up.
        status: invoice.closedAt === null ? 'open' : 'uncollectible',
        firstFailedAt: null,
        reopenedAt: at,
      }),
    })
    .where(eq(invoices.id, invoice.id))
    .returning();
  if (row === undefined) throw new Error(`Invoice ${invoice.id} disappeared`);
  return row;
}

/**
 * Nobody is chased for a one-off, nor for a subscription that has ended: the invoice stays open, the customer is told and may pay
 * it. Where the customer has been erased nobody can be told, and it is bad debt at once.
 */
async function leaveUnchased(tx: Tx, { context }: RefundContext, failed: FailedCharge): Promise<void> {
  const { invoice, code, at } = failed;
  if (invoice.status !== 'open') return;
  if (context.customer.erasedAt !== null) {
    await closeUnpaidInvoice(tx, invoice, { as: 'uncollectible', at });
    return;
  }
  await enqueueNotification(tx, {
    tenantId: invoice.tenantId,
    at,
    request: {
      ...noticeOf(failed),
      variables: dunningVariables(context, {
        invoice,
        reason: declineReasonForCustomer(code),
        nextStep: 'nothing more will be debited',
      }),
      customerId: invoice.customerId,
      subscriptionId: invoice.subscriptionId,
    },
  });
}

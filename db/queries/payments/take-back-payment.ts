/**
 * A payment that had paid its invoice and does not stand: a bank returned the direct debit, or a chain the coins. It is taken
 * back in the books: cash leaves, the invoice is owed again, and what had become the customer's credit is theirs no more. What
 * credit is left pays it first. The invoice is no other one than before, so there is no credit note. What follows is what
 * follows from any return: a debit that is presented again, or the ladder.
 *
 * Coins may be lost in parts. What paid no invoice goes first; where nothing is owed again, nobody is chased.
 *
 * Why it is safe to run twice: a payment is taken back under the customer's lock, never more of it than is left; its row
 * remembers how much in the transaction that moves the books.
 */
import { eq } from 'drizzle-orm';
import { isTerminal } from '../../../domain/billing/subscription.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { declineClassOf, declineReasonForCustomer } from '../../../domain/payments/card-payment.ts';
import type { ChargeOrigin } from '../../../domain/payments/payment.ts';
import { creditUsed } from '../../../domain/payments/smallest-charge.ts';
import type { Tx } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { payments } from '../../schema/payments.ts';
import { addCredit } from '../billing/customers.ts';
import {
  closeUnpaidInvoice,
  dueOf,
  type InvoiceRow,
  negative,
  readInvoice,
  unpaidTaxOf,
} from '../billing/invoices.ts';
import { addTimelineEntry, announceSubscription, lockSubscription } from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { creditGivenBack, unspentCredit } from './book-refund.ts';
import { forgivenMinorOf } from './crypto-tolerance.ts';
import { dunningVariables } from './dunning-message.ts';
import { applyFailedCharge, type FailedCharge, noticeOf } from './failed-charge.ts';
import { fundsOf, type LedgerAccount, postToLedger } from './ledger.ts';
import type { RefundContext } from './refunds.ts';
import { rejectLostPayouts } from './reject-lost-payouts.ts';
import { settlePayment } from './settle-payment.ts';

export type TakenBack = {
  /**
   * What (more) of it does not stand, and why, as a code (`R01`, `double_spent`). `forgiveMinor`: what of the invoice may be
   * unpaid then and is nobody's debt, as the tolerance of a payment in coins; nothing unless given.
   */
  returned: { amountMinor: number; code: string; forgiveMinor?: number };
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
  const { code } = returned;
  if (payment.rail === 'crypto') await rejectLostPayouts(tx, subject, at);
  const { invoice: reopened, returnedMinor, unpaidMinor } = await takeBack(tx, subject, { returned, at });
  if (unpaidMinor === 0 && attempt === null) {
    await addTimelineEntry(tx, subject.context.subscription, at, {
      kind: 'payment_returned',
      message: `${formatMoney(money(returnedMinor, payment.currency))} received for invoice ${reopened.number} does not stand (${code}); the invoice did not need it.`,
      details: { invoiceId: reopened.id, paymentId: payment.id, returnedMinor },
    });
    return;
  }
  const { invoice, context } = await payFromWhatIsLeft(tx, subject, { invoice: reopened, at });
  const by = payment.rail === 'crypto' ? 'chain' : 'bank';
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
    ...(attempt === null && { takenBack: { paymentId: payment.id, by } as const }),
  } as const;
  const after = await applyFailedCharge(tx, context, failed);
  if (isTerminal(after.subscription.status)) await settleWithFormer(tx, subject, failed);
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
): Promise<{ invoice: InvoiceRow; returnedMinor: number; unpaidMinor: number }> {
  const { payment, invoice, context } = subject;
  const leftMinor = payment.amountMinor - payment.returnedMinor;
  const returnedMinor = Math.min(returned.amountMinor, leftMinor);
  const givenMinor = await creditGivenBack(tx, payment.id);
  const freeMinor = Math.min(returnedMinor, Math.max(0, leftMinor - payment.allocatedMinor - givenMinor));
  const allocatedMinor = Math.min(returnedMinor - freeMinor, payment.allocatedMinor);
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
  await addCredit(tx, payment.customerId, -creditMinor);
  const forgivenBefore = payment.rail === 'crypto' ? await forgivenMinorOf(tx, cryptoInvoiceOf(payment)) : 0;
  const forgivenAfter = Math.min(forgivenBefore + allocatedMinor, returned.forgiveMinor ?? 0);
  const unpaidMinor = allocatedMinor + forgivenBefore - forgivenAfter;
  const reopened = await reopen(tx, invoice, { unpaidMinor, at });

  // What was given up as bad debt, and paid after all, is bad debt again; its tax is not owed any more.
  const isGivenUp = reopened.status === 'uncollectible';
  const claim: LedgerAccount = isGivenUp ? 'bad_debt' : 'receivable';
  const { currency } = payment;
  const amount = money(returnedMinor, currency);
  const taxMinor = isGivenUp ? unpaidTaxOf(reopened) - unpaidTaxOf(invoice) : 0;
  await postToLedger(tx, {
    tenantId: payment.tenantId,
    kind: 'payment_returned',
    reference: payment.returnedMinor === 0 ? payment.id : `${payment.id}:${payment.returnedMinor}`,
    at,
    lines: [
      { account: fundsOf(payment.rail), amount: negative(amount) },
      { account: claim, amount: money(unpaidMinor - taxMinor, currency) },
      { account: 'crypto_tolerance', amount: money(forgivenAfter - forgivenBefore, currency) },
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
async function settleWithFormer(tx: Tx, { context }: RefundContext, failed: FailedCharge): Promise<void> {
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

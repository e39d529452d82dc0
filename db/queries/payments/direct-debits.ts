/**
 * What direct debits of bank accounts have of their own: a debit that came back for want of funds is presented once more, and
 * what waits for its payment waits as long as banks take. Runs in the transaction that books the bank's answer, under the
 * customer's lock; the plan is in the subscription's row, so a worker that dies loses nothing and presents nothing twice.
 */
import { and, count, eq, gt, inArray, isNull } from 'drizzle-orm';
import { holdUntil } from '../../../domain/billing/dunning.ts';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import {
  type PlannedCharge,
  planCharge,
  plannedFor,
  representment,
} from '../../../domain/billing/planned-charge.ts';
import { firstPaymentAwaitedUntil, isTerminal, statusAfter } from '../../../domain/billing/subscription.ts';
import { addDays, inWords, realDayMs } from '../../../domain/instant.ts';
import {
  fundsCodes,
  isRepresentmentForbidden,
  representAt,
  representmentsMax,
} from '../../../domain/payments/direct-debit.ts';
import type { Tx } from '../../client.ts';
import { chargeAttempts, paymentMethods } from '../../schema/payments.ts';
import { holdCase } from '../billing/dunning-cases.ts';
import { type InvoiceRow, openInvoicesOf } from '../billing/invoices.ts';
import {
  changeSubscription,
  type SubscriptionContext,
  snapshotOf,
  statusChange,
} from '../billing/subscriptions.ts';
import { awaitPayment } from './await-payment.ts';
import type { FailedCharge } from './failed-charge.ts';
import { firstPeriod } from './settle-payment.ts';

/**
 * Plans to present a returned debit again; null where that is not done: another reason than want of funds, a second return,
 * or nothing that is owed (a conversion that did not work gives way). Until the bank has answered again the ladder neither
 * begins nor goes on.
 */
export async function planRepresentment(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, code, paymentMethodId, attemptId, at }: FailedCharge,
): Promise<{ after: SubscriptionContext; nextStep: string } | null> {
  if (attemptId === null || paymentMethodId === null || !isOwed(context)) return null;
  const dayMs = dayLengthMs(context.tenant);
  const returns = await returnsForWantOfFunds(tx, { invoiceId: invoice.id, paymentMethodId });
  const due = representAt({ code, returns, returnedAt: at.toISOString(), dayMs });
  if (due === null) return null;

  const { status, plannedCharges } = context.subscription;
  // An upgrade that was never paid gave nothing: the old terms stay.
  const wasGiven = invoice.kind === 'period' || invoice.reopenedAt !== null;
  const fallsPastDue = wasGiven && status !== 'incomplete' && statusAfter(status, 'payment_failed') !== null;
  const waiting = await awaitBank(tx, context, { invoice, startedAt: due, at });
  const after = await changeSubscription(tx, waiting, {
    set: {
      plannedCharges: planCharge(plannedCharges, representment(invoice.id, attemptId, due)),
      ...(fallsPastDue && {
        ...statusChange(context, 'payment_failed', at),
        ...(status === 'trialing' && firstPeriod(invoice)),
        ladder: 'grace',
      }),
    },
    at,
    entry: {
      kind: 'representment_planned',
      message: `The bank returned the debit for invoice ${invoice.number} for want of funds; the account is debited once more on ${inWords(due)}.`,
      details: { invoiceId: invoice.id, code, at: due },
    },
  });
  await holdCase(tx, after, invoice.id);
  return { after, nextStep: `we debit your bank account again on ${inWords(due)}` };
}

/**
 * Nobody is debited for what has ended. A trial that was converted early, or not in time, goes on as if nobody had tried.
 */
function isOwed({ subscription: { status, periodEndsAt } }: SubscriptionContext): boolean {
  return !isTerminal(status) && status !== 'suspended' && !(status === 'trialing' && periodEndsAt === null);
}

/** The bank works on a debit, or will: what waits for the payment waits as long as that may take. */
export async function awaitBank(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, startedAt, at }: { invoice: InvoiceRow; startedAt: string; at: Date },
): Promise<SubscriptionContext> {
  const until = holdUntil(startedAt, dayLengthMs(context.tenant));
  return awaitPayment(tx, context, { invoice, until, at });
}

/** A first payment came back for good: the customer has as long as at the beginning to name another method. */
export async function awaitAnotherMethod(
  tx: Tx,
  context: SubscriptionContext,
  at: Date,
): Promise<SubscriptionContext> {
  if (context.subscription.status !== 'incomplete') return context;
  const anew = firstPaymentAwaitedUntil({
    ...snapshotOf(context),
    statusSince: at.toISOString(),
    firstPaymentUntil: at.toISOString(),
  });
  return changeSubscription(tx, context, { set: { firstPaymentUntil: new Date(anew) }, at });
}

/**
 * A paused subscription is not chased for what a bank took back meanwhile: that is charged when it goes on. Returns the plan
 * with these charges.
 */
export async function planReturned(
  tx: Tx,
  { subscription: { id, plannedCharges } }: Pick<SubscriptionContext, 'subscription'>,
  at: Date,
): Promise<PlannedCharge[]> {
  const returned = (await openInvoicesOf(tx, id)).filter(
    (invoice) => invoice.reopenedAt !== null && plannedFor(plannedCharges, invoice.id) === undefined,
  );
  const due = {
    origin: 'renewal',
    originKey: `resumed:${at.toISOString()}`,
    at: at.toISOString(),
    failures: 0,
  } as const;
  return returned.reduce<PlannedCharge[]>(
    (planned, { id: invoiceId }) => planCharge(planned, { ...due, invoiceId }),
    plannedCharges,
  );
}

/** Whether the network forbids to debit the account for this invoice once more. */
export async function isAskedTooOften(
  tx: Tx,
  { invoiceId, paymentMethodId, at }: { invoiceId: string; paymentMethodId: string; at: Date },
): Promise<boolean> {
  const since = new Date(addDays(at.toISOString(), -representmentsMax.days, realDayMs));
  return isRepresentmentForbidden(await returnsForWantOfFunds(tx, { invoiceId, paymentMethodId, since }));
}

/** The mandate is over; the account itself is refused as a card is after a hard decline. */
export async function endMandate(tx: Tx, paymentMethodId: string, at: Date): Promise<void> {
  await tx
    .update(paymentMethods)
    .set({ mandateEndedAt: at })
    .where(and(eq(paymentMethods.id, paymentMethodId), isNull(paymentMethods.mandateEndedAt)));
}

async function returnsForWantOfFunds(
  tx: Tx,
  { invoiceId, paymentMethodId, since }: { invoiceId: string; paymentMethodId: string; since?: Date },
): Promise<number> {
  const [found] = await tx
    .select({ returns: count() })
    .from(chargeAttempts)
    .where(
      and(
        eq(chargeAttempts.invoiceId, invoiceId),
        eq(chargeAttempts.paymentMethodId, paymentMethodId),
        inArray(chargeAttempts.declineCode, [...fundsCodes]),
        since && gt(chargeAttempts.startedAt, since),
      ),
    );
  return found?.returns ?? 0;
}

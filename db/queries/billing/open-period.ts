/**
 * Opens periods: each is computed from the anchor, and where the plan has a price, its invoice and the plan to charge it
 * are written with it. Runs in the caller's transaction, under the customer's lock; one invoice per subscription and
 * period is the database's own rule.
 */
import { priceOf } from '../../../domain/billing/recurring-price.ts';
import { periodOf } from '../../../domain/calendar.ts';
import { inWords } from '../../../domain/instant.ts';
import type { Tx } from '../../client.ts';
import { payFromCredit } from '../payments/pay-from-credit.ts';
import { firstPeriod } from '../payments/settle-payment.ts';
import { takeUpDowngrade } from './apply-change.ts';
import type { InvoiceRow } from './invoices.ts';
import { issuePeriodInvoice } from './issue-invoice.ts';
import { planFirstTry } from './planned-charges.ts';
import {
  addTimelineEntry,
  calendarOf,
  changeSubscription,
  type SubscriptionContext,
  statusChange,
  termsOf,
} from './subscriptions.ts';

/** A first period needs a card to charge or Razorpay's word to collect it, unless the plan is free. */
export function canBegin(context: SubscriptionContext): boolean {
  const { customer, subscription } = context;
  return isFree(context) || customer.defaultPaymentMethodId !== null || subscription.collectedByRazorpay;
}

function isFree(context: SubscriptionContext): boolean {
  return priceOf(termsOf(context)) === 0;
}

/**
 * Issues the invoice of the first period, anchored at `at`. A free plan needs none, and one that a coupon makes free is
 * not waited for: both are active at once.
 */
export async function beginFirstPeriod(
  tx: Tx,
  context: SubscriptionContext,
  at: Date,
): Promise<{ after: SubscriptionContext; invoice: InvoiceRow | null }> {
  const { tenant, plan } = context;
  const period = periodOf({
    anchor: at.toISOString(),
    interval: plan.interval,
    index: 0,
    calendar: calendarOf(tenant),
  });
  const invoice = isFree(context)
    ? null
    : await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at });
  if (invoice?.status === 'open') return { after: context, invoice };
  const after = await changeSubscription(tx, context, {
    set: {
      ...statusChange(context, 'paid', at),
      anchor: at,
      periodIndex: 0,
      periodStartsAt: at,
      periodEndsAt: new Date(period.endsAt),
      convertedAt: at,
    },
    at,
    entry: {
      kind: 'activated',
      message: `Activated: ${invoice === null ? 'the plan is free' : `invoice ${invoice.number} costs nothing`}.`,
    },
  });
  return { after, invoice: null };
}

/** Opens the period that the first invoice bills, so that it is issued once and what follows is its collection. */
export async function openFirstPeriod(
  tx: Tx,
  { after, invoice }: { after: SubscriptionContext; invoice: InvoiceRow | null },
  { due, at }: { due: { at: string }; at: string },
): Promise<{ after: SubscriptionContext; invoice: InvoiceRow | null }> {
  if (invoice === null) return { after, invoice };
  const opened = await changeSubscription(tx, after, {
    set: {
      ...firstPeriod(invoice),
      ...planFirstTry(after, invoice, { origin: 'first_invoice', at: due.at }),
    },
    at: new Date(at),
  });
  return { after: await payFromCredit(tx, opened, { invoice, at: new Date(at) }), invoice };
}

/** Opens the period after the running one, from the anchor, on the terms a downgrade has waited for it with. */
export async function openPeriod(
  tx: Tx,
  before: SubscriptionContext,
  { due, at }: { due: { at: string }; at: Date },
): Promise<{ after: SubscriptionContext; invoice: InvoiceRow | null }> {
  const { periodIndex, periodEndsAt } = before.subscription;
  if (periodIndex === null || periodEndsAt === null)
    throw new Error('A subscription without a period cannot renew');
  const { context, reanchors } = await takeUpDowngrade(tx, before, at);
  const index = periodIndex + 1;
  const anchored = reanchors
    ? { anchor: periodEndsAt, anchorIndex: index }
    : { anchor: context.subscription.anchor ?? periodEndsAt, anchorIndex: context.subscription.anchorIndex };
  const period = periodOf({
    anchor: anchored.anchor.toISOString(),
    interval: context.plan.interval,
    index: index - anchored.anchorIndex,
    calendar: calendarOf(context.tenant),
  });
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'renewed',
    message: `A new period runs until ${inWords(period.endsAt)}.`,
    details: { periodIndex: index },
  });
  const invoice =
    isFree(context) && context.subscription.unbilledChange === null
      ? null
      : await issuePeriodInvoice(tx, context, { periodIndex: index, period, at });
  const opened = await changeSubscription(tx, context, {
    set: {
      ...anchored,
      periodIndex: index,
      periodStartsAt: new Date(period.startsAt),
      periodEndsAt: new Date(period.endsAt),
      ...(invoice?.status === 'open' && planFirstTry(context, invoice, { origin: 'renewal', at: due.at })),
      unbilledChange: null,
    },
    at,
  });
  if (invoice === null) return { after: opened, invoice };
  return { after: await payFromCredit(tx, opened, { invoice, at }), invoice };
}

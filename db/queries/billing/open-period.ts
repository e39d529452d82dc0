/**
 * Opens periods: each is computed from the anchor, and where the plan has a price, its invoice and the plan to charge it
 * are written with it. Runs in the caller's transaction, under the customer's lock; one invoice per subscription and
 * period is the database's own rule.
 */
import { periodOf } from '../../../domain/calendar.ts';
import { inWords } from '../../../domain/instant.ts';
import type { Tx } from '../../client.ts';
import { firstPeriod } from '../payments/settle-payment.ts';
import { type InvoiceRow, issueInvoice } from './invoices.ts';
import { planFirstTry } from './planned-charges.ts';
import {
  addTimelineEntry,
  calendarOf,
  changeSubscription,
  type SubscriptionContext,
  statusChange,
} from './subscriptions.ts';

/** A first period needs a card to charge, unless the plan is free. */
export function canBegin({ plan, customer }: SubscriptionContext): boolean {
  return plan.priceMinor === 0 || customer.defaultPaymentMethodId !== null;
}

/** Issues the invoice of the first period, anchored at `at`. A free plan needs none and is active at once. */
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
  if (plan.priceMinor > 0)
    return { after: context, invoice: await issueInvoice(tx, context, { periodIndex: 0, period, at }) };
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
    entry: { kind: 'activated', message: 'Activated: the plan is free.' },
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
  return { after: opened, invoice };
}

export async function openPeriod(
  tx: Tx,
  context: SubscriptionContext,
  { index, anchor, due, at }: { index: number; anchor: Date; due: { at: string }; at: Date },
): Promise<{ after: SubscriptionContext; invoice: InvoiceRow | null }> {
  const { tenant, plan } = context;
  const period = periodOf({
    anchor: anchor.toISOString(),
    interval: plan.interval,
    index: index - context.subscription.anchorIndex,
    calendar: calendarOf(tenant),
  });
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'renewed',
    message: `A new period runs until ${inWords(period.endsAt)}.`,
    details: { periodIndex: index },
  });
  const invoice =
    plan.priceMinor > 0 ? await issueInvoice(tx, context, { periodIndex: index, period, at }) : null;
  const after = await changeSubscription(tx, context, {
    set: {
      periodIndex: index,
      periodStartsAt: new Date(period.startsAt),
      periodEndsAt: new Date(period.endsAt),
      ...(invoice !== null && planFirstTry(context, invoice, { origin: 'renewal', at: due.at })),
    },
    at,
  });
  return { after, invoice };
}

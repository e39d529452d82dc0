/**
 * Books what Razorpay says about a subscription by which it collects one of ours: the payments of its cycles settle our
 * invoices, and its state decides whether anything else may be charged.
 *
 * Why it is safe to run twice and in any order: a payment settles once, by its id; a state that has ended is never left, and
 * an answer that was asked for before the last one that is booked changes nothing; all of it happens under the customer's
 * lock. A charge whose invoice we have not issued yet is booked by the look that the invoice asks for.
 */
import { and, asc, desc, eq, inArray, isNull, lt, or, sql } from 'drizzle-orm';
import { type PlannedCharge, planCharge, plannedFor } from '../../../domain/billing/planned-charge.ts';
import { isTerminal } from '../../../domain/billing/subscription.ts';
import {
  type CyclePayment,
  collectsPeriod,
  expectsInvoice,
  type FetchedSubscription,
  hasFailed,
  invoiceOfCycle,
  isCollecting,
  isEnded,
  RAZORPAY_CHARGE_FAILED,
  subscriptionLooks,
} from '../../../domain/payments/razorpay-subscription.ts';
import { takeUpSubscription } from '../../../workflows/billing/subscription.contract.ts';
import type { Tx } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { payments } from '../../schema/payments.ts';
import { razorpaySubscriptions } from '../../schema/razorpay.ts';
import { type InvoiceRow, openInvoicesOf } from '../billing/invoices.ts';
import {
  announceSubscription,
  changeSubscription,
  lockSubscription,
  type SubscriptionContext,
} from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { applyFailedCharge } from './failed-charge.ts';
import { endInWords, tellOfTheEnd } from './razorpay-subscription-message.ts';
import {
  findRazorpaySubscription,
  livingRazorpaySubscriptions,
  lockRazorpaySubscription,
  type RazorpaySubscriptionRow,
} from './razorpay-subscriptions.ts';
import { bookRefunds } from './refunds.ts';
import { settlePayment } from './settle-payment.ts';

/** What is to be done about it at Razorpay, and the payments whose invoice is still to be issued. */
export type BookedSubscription = { mustEnd: boolean; waiting: string[] };

/** Which of these payments are booked already: they need not be read again. */
export async function bookedPayments(tx: Tx, externalIds: readonly string[]): Promise<Set<string>> {
  if (externalIds.length === 0) return new Set();
  const rows = await tx
    .select({ externalId: payments.externalId })
    .from(payments)
    .where(and(eq(payments.rail, 'razorpay'), inArray(payments.externalId, [...externalIds])));
  return new Set(rows.map(({ externalId }) => externalId));
}

/** `readAt` is when the answer was asked for, by the clock of whoever asked. */
export async function bookRazorpaySubscription(
  tx: Tx,
  {
    seen,
    paid,
    at,
    readAt,
  }: { seen: FetchedSubscription; paid: readonly CyclePayment[]; at: Date; readAt: Date },
): Promise<BookedSubscription> {
  const { razorpaySubscriptionId } = seen.owner;
  if ((await findRazorpaySubscription(tx, razorpaySubscriptionId)) === null)
    return { mustEnd: false, waiting: [] };
  const { row } = await lockRazorpaySubscription(tx, razorpaySubscriptionId);
  // Of two that a lost answer made, only the one we know is ever shown to a customer.
  if (row.externalId !== null && row.externalId !== seen.externalId) return { mustEnd: false, waiting: [] };

  const waiting = await bookPayments(tx, row, { paid, at });
  const isOld = row.readAt !== null && readAt < row.readAt;
  if (!isOld && !isEnded(row.status)) await follow(tx, row, { seen, at, readAt });
  const { status, endRequestedAt } = await lockedRow(tx, razorpaySubscriptionId);
  return { mustEnd: endRequestedAt !== null && !isEnded(status), waiting };
}

/** Returns the payments that wait for their invoice. */
async function bookPayments(
  tx: Tx,
  { tenantId, subscriptionId }: RazorpaySubscriptionRow,
  { paid, at }: { paid: readonly CyclePayment[]; at: Date },
): Promise<string[]> {
  const waiting: string[] = [];
  for (const { cycleStartsAt, payment } of paid) {
    const { externalId, amount, captured, createdAt, refunds } = payment;
    const isBooked = (await bookedPayments(tx, [externalId])).has(externalId);
    if (!isBooked && captured) {
      const invoice = await invoiceFor(tx, subscriptionId, cycleStartsAt);
      if (invoice === null) {
        waiting.push(externalId);
        continue;
      }
      const receivedAt = new Date(Math.min(Date.parse(createdAt), at.getTime()));
      const money = { rail: 'razorpay', externalId, amount, at, receivedAt } as const;
      await settlePayment(tx, { tenantId, invoiceId: invoice.id, ...money });
    }
    await bookRefunds(tx, { rail: 'razorpay', charge: { externalId, refunds }, at });
  }
  return waiting;
}

/** A charge for a period we never bill goes to the latest invoice, and so becomes the customer's credit. */
async function invoiceFor(tx: Tx, subscriptionId: string, cycleStartsAt: string): Promise<InvoiceRow | null> {
  const issued = await tx
    .select()
    .from(invoices)
    .where(and(eq(invoices.subscriptionId, subscriptionId), eq(invoices.kind, 'period')))
    .orderBy(desc(invoices.id));
  const found = invoiceOfCycle(issued, cycleStartsAt);
  if (found !== null) return found;
  const { subscription } = await lockSubscription(tx, subscriptionId);
  const { status, cancelAtPeriodEnd, ladder, periodEndsAt, trialEndsAt } = subscription;
  const nextAt = periodEndsAt ?? (status === 'trialing' ? trialEndsAt : null);
  const isComing =
    ladder !== 'suspended' &&
    expectsInvoice({ status, cancelAtPeriodEnd, nextAt: nextAt?.toISOString() ?? null }, cycleStartsAt);
  return isComing ? null : (issued[0] ?? null);
}

/** Remembers the state, and draws from it what it means for our subscription. */
async function follow(
  tx: Tx,
  before: RazorpaySubscriptionRow,
  { seen, at, readAt }: { seen: FetchedSubscription; at: Date; readAt: Date },
): Promise<void> {
  const { status, externalId, shortUrl } = seen;
  const ends = isEnded(status);
  await tx
    .update(razorpaySubscriptions)
    .set({
      status,
      externalId,
      shortUrl,
      lookedAt: at,
      readAt,
      ...(ends && { endedAt: at, endReason: before.endReason ?? 'ended_at_razorpay' }),
    })
    .where(eq(razorpaySubscriptions.id, before.id));
  const row = await lockedRow(tx, before.id);
  // What an earlier failure means is drawn once, when it is met; while Razorpay tries again, whatever it is owed for.
  if (status === 'pending' || (hasFailed(status) && status !== before.status)) await fail(tx, row, at);
  await decideWhoCollects(tx, row, { before, at });
}

/** Razorpay's charge failed: the ladder begins, as after a card that was declined. */
async function fail(tx: Tx, row: RazorpaySubscriptionRow, at: Date): Promise<void> {
  const [invoice] = (await openPeriods(tx, row)).filter(({ firstFailedAt }) => firstFailedAt === null);
  const context = await lockSubscription(tx, row.subscriptionId);
  if (invoice === undefined || context.subscription.periodEndsAt === null) return;
  const isFirst = context.subscription.convertedAt === null;
  const after = await applyFailedCharge(tx, context, {
    invoice,
    origin: isFirst ? 'first_invoice' : 'renewal',
    code: RAZORPAY_CHARGE_FAILED,
    declineClass: 'soft',
    paymentMethodId: null,
    actionUrl: null,
    attemptId: row.id,
    returned: null,
    at,
  });
  if (after.subscription.version > context.subscription.version) await announceSubscription(tx, after);
}

async function decideWhoCollects(
  tx: Tx,
  row: RazorpaySubscriptionRow,
  { before, at }: { before: RazorpaySubscriptionRow; at: Date },
): Promise<void> {
  const context = await lockSubscription(tx, row.subscriptionId);
  const living = await livingRazorpaySubscriptions(tx, row.subscriptionId);
  const collects = living.some(({ status }) => isCollecting(status));
  if (collects === context.subscription.collectedByRazorpay) return;
  const { tenantId, id: subscriptionId, status } = context.subscription;
  const plannedCharges = collects ? null : await plannedAgain(tx, context, row, at);
  const after = await changeSubscription(tx, context, {
    set: { collectedByRazorpay: collects, ...(plannedCharges !== null && { plannedCharges }) },
    at,
    entry: {
      kind: collects ? 'razorpay_collects' : 'razorpay_ended',
      message: collects
        ? 'The customer has authorised Razorpay: it charges each period by itself, and no card is charged.'
        : `Razorpay does not charge any more: ${endInWords(row)}.`,
      details: { razorpaySubscriptionId: row.id },
    },
  });
  await announceSubscription(tx, after);
  if (!collects) await tellOfTheEnd(tx, after, { row, at });
  if (collects && status === 'suspended' && before.startsAt === null) {
    const request = { actor: `razorpay:${row.externalId}`, requestId: `razorpay:${row.id}` };
    await appendOutbox(tx, tenantId, [takeUpSubscription(subscriptionId, request)]);
  }
}

/** What Razorpay was to charge, and has not, is charged otherwise now; what failed is left to the ladder. */
async function plannedAgain(
  tx: Tx,
  { subscription }: SubscriptionContext,
  row: RazorpaySubscriptionRow,
  at: Date,
): Promise<PlannedCharge[]> {
  if (isTerminal(subscription.status)) return subscription.plannedCharges;
  const origin = subscription.convertedAt === null ? 'first_invoice' : 'renewal';
  let planned: PlannedCharge[] = subscription.plannedCharges;
  for (const { id: invoiceId, firstFailedAt } of await openPeriods(tx, row)) {
    if (firstFailedAt !== null || plannedFor(planned, invoiceId) !== undefined) continue;
    const originKey = `razorpay:${row.id}`;
    planned = planCharge(planned, { invoiceId, origin, originKey, at: at.toISOString(), failures: 0 });
  }
  return planned;
}

/** The open invoices of periods that Razorpay was to charge, the earliest first. */
async function openPeriods(
  tx: Tx,
  { subscriptionId, startsAt }: Pick<RazorpaySubscriptionRow, 'subscriptionId' | 'startsAt'>,
): Promise<InvoiceRow[]> {
  const from = { startsAt: startsAt?.toISOString() ?? null };
  return (await openInvoicesOf(tx, subscriptionId)).filter(
    ({ kind, periodStartsAt }) => kind === 'period' && collectsPeriod(from, periodStartsAt.toISOString()),
  );
}

async function lockedRow(tx: Tx, razorpaySubscriptionId: string): Promise<RazorpaySubscriptionRow> {
  return (await lockRazorpaySubscription(tx, razorpaySubscriptionId)).row;
}

/** The vendor's ids of those that nobody has looked at for a while, the longest ago first; see `subscriptionLooks`. */
export async function razorpaySubscriptionsToLookAt(
  tx: Tx,
  { at, limit }: { at: Date; limit: number },
): Promise<string[]> {
  const ago = (hours: number) => new Date(at.getTime() - hours * 3_600_000);
  const { externalId, endedAt, endRequestedAt, lookedAt, subscriptionId } = razorpaySubscriptions;
  const waits = sql`exists (select 1 from ${invoices} where ${invoices.subscriptionId} = ${subscriptionId} and ${invoices.status} = 'open')`;
  const rows = await tx
    .select({ externalId })
    .from(razorpaySubscriptions)
    .where(
      and(
        isNull(endedAt),
        lt(lookedAt, ago(subscriptionLooks.hours)),
        or(sql`${endRequestedAt} is not null`, waits, lt(lookedAt, ago(subscriptionLooks.idleHours))),
      ),
    )
    .orderBy(asc(lookedAt))
    .limit(limit);
  return rows.flatMap((row) => (row.externalId === null ? [] : [row.externalId]));
}

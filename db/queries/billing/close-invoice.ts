/**
 * An operator gives an open invoice up: void, because nothing was given for it, or uncollectible, because it was given and
 * nobody pays. A charge that waits for the customer is called back with it; the ladder goes on without it, and a
 * subscription for which nothing is unpaid any more has its access back.
 *
 * Why it is safe to run twice: one transaction under the customer's lock, and only an open invoice is closed. While money
 * may be on its way it is refused, so that nobody gives up what is being paid.
 */
import { and, eq, inArray } from 'drizzle-orm';
import { type DomainError, stateConflict } from '../../../domain/errors.ts';
import type { Tx } from '../../client.ts';
import { invoiceLines } from '../../schema/billing.ts';
import { onItsWay } from '../payments/on-its-way.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { findOpenCase, moveOnCase } from './dunning-cases.ts';
import { closeUnpaidInvoice, type InvoiceRow, readInvoice, unpaidInvoices } from './invoices.ts';
import { forgetPlan } from './planned-charges.ts';
import { resumedPeriod } from './resumed-period.ts';
import {
  addTimelineEntry,
  announceSubscription,
  changeSubscription,
  lockSubscription,
  type SubscriptionContext,
  statusChange,
} from './subscriptions.ts';

/** Throws `not_found`, and `state_conflict` with a reason of `whyNot`. Returns the invoice as it is then. */
export async function closeInvoice(
  tx: Tx,
  {
    invoiceId,
    as,
    reason,
    actor,
    at,
  }: {
    invoiceId: string;
    as: 'void' | 'uncollectible';
    reason: string | undefined;
    actor: string;
    at: Date;
  },
): Promise<InvoiceRow> {
  const { subscriptionId } = await readInvoice(tx, invoiceId);
  const context = await lockSubscription(tx, subscriptionId);
  const invoice = await readInvoice(tx, invoiceId);
  const refusal = await whyNot(tx, context, { invoice, at });
  if (refusal !== null) throw refused(invoice, refusal);
  await closeUnpaidInvoice(tx, invoice, { as, at });
  const words = as === 'void' ? 'voided' : 'given up as uncollectible';
  await addTimelineEntry(tx, context.subscription, at, {
    kind: as === 'void' ? 'invoice_voided' : 'invoice_uncollectible',
    message: `Invoice ${invoice.number} was ${words}.`,
    details: { invoiceId },
  });
  await writeAudit(tx, {
    tenantId: invoice.tenantId,
    actor,
    action: as === 'void' ? 'invoice.voided' : 'invoice.marked_uncollectible',
    entityType: 'invoice',
    entityId: invoiceId,
    ...(reason !== undefined && { reason }),
    at,
  });
  const planless = await forgetPlan(tx, context, { invoice, at });
  const after = await recover(tx, planless, {
    message: `Recovered: invoice ${invoice.number} was ${words}.`,
    at,
  });
  const dunningCase = await findOpenCase(tx, invoice.customerId);
  if (dunningCase !== null) {
    const outcome = as === 'void' ? 'void' : 'written_off';
    await moveOnCase(tx, context.tenant, dunningCase, { at, outcome });
  }
  if (after !== context) await announceSubscription(tx, after);
  return readInvoice(tx, invoiceId);
}

/**
 * Throws `state_conflict` (`invoice_not_open`, `charge_in_flight`, `coins_under_way`, `payment_under_way`) unless the invoice is
 * open and no money for it may be on its way.
 */
export async function refuseWhilePaid(
  tx: Tx,
  { invoice, at }: { invoice: InvoiceRow; at: Date },
): Promise<void> {
  const refusal =
    invoice.status === 'open' ? await onItsWay(tx, { invoiceId: invoice.id, at }) : 'invoice_not_open';
  if (refusal !== null) throw refused(invoice, refusal);
}

function refused({ number }: InvoiceRow, reason: keyof typeof messages): DomainError {
  return stateConflict(reason, `Invoice ${number} ${messages[reason]}`);
}

const messages = {
  invoice_not_open: 'is not open; only what is still to be paid can be given up.',
  change_awaited:
    'is part of a change of plan that waits for its payment; take the change back with POST /v1/subscriptions/{subscriptionId}/undo_change.',
  subscription_awaited: 'begins a subscription; cancel the subscription instead.',
  charge_in_flight: 'is being charged to the card of the customer; wait for the outcome.',
  payment_under_way: 'is being paid by the customer just now; wait for the outcome.',
  coins_under_way: 'is being paid in coins; wait for the outcome.',
};

async function whyNot(
  tx: Tx,
  { subscription }: SubscriptionContext,
  { invoice, at }: { invoice: InvoiceRow; at: Date },
): Promise<keyof typeof messages | null> {
  if (invoice.status !== 'open') return 'invoice_not_open';
  if (await isOfPendingChange(tx, subscription, invoice)) return 'change_awaited';
  const hasBegun = subscription.status !== 'trialing' && subscription.status !== 'incomplete';
  if (invoice.kind === 'period' && !hasBegun) return 'subscription_awaited';
  return onItsWay(tx, { invoiceId: invoice.id, at });
}

/** What it waits for, or what it credits: nobody knows yet whether that credit will be given. */
async function isOfPendingChange(
  tx: Tx,
  { pendingChange }: SubscriptionContext['subscription'],
  { id }: InvoiceRow,
): Promise<boolean> {
  const changeId = pendingChange?.invoiceId ?? null;
  if (changeId === null || changeId === id) return changeId === id;
  const own = tx.select({ id: invoiceLines.id }).from(invoiceLines).where(eq(invoiceLines.invoiceId, id));
  const [credited] = await tx
    .select({ id: invoiceLines.id })
    .from(invoiceLines)
    .where(and(eq(invoiceLines.invoiceId, changeId), inArray(invoiceLines.creditsLineId, own)))
    .limit(1);
  return credited !== undefined;
}

/** As after a payment: nothing of this subscription is unpaid any more. */
async function recover(
  tx: Tx,
  context: SubscriptionContext,
  { message, at }: { message: string; at: Date },
): Promise<SubscriptionContext> {
  const { id, status, customerId } = context.subscription;
  if (status !== 'past_due') return context;
  const unpaid = await unpaidInvoices(tx, customerId);
  if (unpaid.some(({ subscriptionId }) => subscriptionId === id)) return context;
  return changeSubscription(tx, context, {
    set: { ...statusChange(context, 'paid', at), ...resumedPeriod(context, at), ladder: null },
    at,
    entry: { kind: 'recovered', message },
  });
}

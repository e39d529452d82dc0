/**
 * Carries a change of plan or seats out on the row, or takes a pending one back. Runs in the caller's transaction,
 * under the customer's lock; what is pending is cleared with it, so it happens once.
 */
import type { PendingChange } from '../../../domain/billing/plan-change.ts';
import { termsInWords } from '../../../domain/billing/plan-change.ts';
import type { Tx } from '../../client.ts';
import { closeUnpaidInvoice, type InvoiceRow, readInvoice } from './invoices.ts';
import { findPlan } from './plans.ts';
import {
  changeSubscription,
  notFound,
  type PlanRow,
  type SubscriptionContext,
  termsOf,
} from './subscriptions.ts';

/** Puts the subscription on the new terms. With an invoice that begins a new period, the anchor moves to it. */
export async function applyChange(
  tx: Tx,
  context: SubscriptionContext,
  {
    plan,
    quantity,
    newPeriod,
    at,
  }: { plan: PlanRow; quantity: number; newPeriod: InvoiceRow | null; at: Date },
): Promise<SubscriptionContext> {
  const to = { planName: plan.name, quantity };
  return changeSubscription(tx, context, {
    plan,
    set: {
      planId: plan.id,
      quantity,
      pendingChange: null,
      ...(newPeriod !== null && {
        anchor: newPeriod.periodStartsAt,
        anchorIndex: newPeriod.periodIndex,
        periodIndex: newPeriod.periodIndex,
        periodStartsAt: newPeriod.periodStartsAt,
        periodEndsAt: newPeriod.periodEndsAt,
      }),
    },
    at,
    entry: {
      kind: 'plan_changed',
      message: `Changed from ${termsInWords(termsOf(context))} to ${termsInWords(to)}.`,
      details: { from: termsOf(context).planId, to: plan.id, quantity },
    },
  });
}

/** The upgrade that an invoice was waited for with. Nothing changes where another change has taken its place. */
export async function applyPaidChange(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, at }: { invoice: InvoiceRow; at: Date },
): Promise<SubscriptionContext> {
  const { pendingChange } = context.subscription;
  if (pendingChange === null || pendingChange.invoiceId !== invoice.id) return context;
  const { quantity, reanchors } = pendingChange;
  const plan = await readPlan(tx, pendingChange);
  return applyChange(tx, context, { plan, quantity, newPeriod: reanchors ? invoice : null, at });
}

/** The terms the next period is billed on: a downgrade that waited for it takes effect. */
export async function takeUpDowngrade(
  tx: Tx,
  context: SubscriptionContext,
  at: Date,
): Promise<{ context: SubscriptionContext; reanchors: boolean }> {
  const { pendingChange } = context.subscription;
  if (pendingChange?.kind !== 'downgrade') return { context, reanchors: false };
  const { quantity, reanchors } = pendingChange;
  const plan = await readPlan(tx, pendingChange);
  return { context: await applyChange(tx, context, { plan, quantity, newPeriod: null, at }), reanchors };
}

/** Voids the invoice an upgrade waits for; a charge that waits for the customer is called back with it. */
export async function voidPendingChange(
  tx: Tx,
  { subscription }: SubscriptionContext,
  at: Date,
): Promise<void> {
  const invoiceId = subscription.pendingChange?.invoiceId ?? null;
  if (invoiceId === null) return;
  await closeUnpaidInvoice(tx, await readInvoice(tx, invoiceId), { as: 'void', at });
}

async function readPlan(tx: Tx, { planId }: PendingChange): Promise<PlanRow> {
  const plan = await findPlan(tx, { id: planId });
  if (plan === null) throw notFound('plan', planId);
  return plan;
}

/**
 * What a change of plan or seats would do to a subscription as it is now: gathered here, decided by the pure rules.
 * The preview reads it; the act reads it again under the customer's lock and carries it out.
 */
import { and, desc, eq, gt, inArray, lte, notExists } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import {
  type ChangeDecision,
  decideChange,
  type PlanTerms,
  type ProrationMode,
} from '../../../domain/billing/plan-change.ts';
import type { BilledLine } from '../../../domain/billing/proration.ts';
import type { Tx } from '../../client.ts';
import { invoiceLines, invoices } from '../../schema/billing.ts';
import { chargeAttempts } from '../../schema/payments.ts';
import { openInvoicesOf } from './invoices.ts';
import { type Pause, pausedMsSince, pausesSince } from './pauses.ts';
import { findPlan } from './plans.ts';
import {
  calendarOf,
  notFound,
  type PlanRow,
  type SubscriptionContext,
  termsOf,
  termsOfPlan,
} from './subscriptions.ts';

/** What is asked for; without a plan only the seats change, without a quantity only the plan. */
export type ChangeRequest = {
  plan?: { id: string } | { code: string };
  quantity?: number;
  proration: ProrationMode;
};

export type WeighedChange = { decision: ChangeDecision; target: PlanTerms; targetPlan: PlanRow };

/** Throws `not_found` for a plan that is not there. */
export async function weighChange(
  tx: Tx,
  context: SubscriptionContext,
  { request, at }: { request: ChangeRequest; at: Date },
): Promise<WeighedChange> {
  const { subscription, plan, tenant } = context;
  const targetPlan = request.plan === undefined ? plan : await findPlan(tx, request.plan);
  if (targetPlan === null) throw notFound('plan', nameOf(request));
  const target = termsOfPlan(targetPlan, request.quantity ?? subscription.quantity);
  const open = await openInvoicesOf(tx, subscription.id);
  const { periodStartsAt, periodEndsAt } = subscription;
  const pauses = periodStartsAt === null ? [] : await pausesSince(tx, subscription.id, periodStartsAt);
  const decision = decideChange({
    subscription: {
      status: subscription.status,
      period:
        periodStartsAt === null || periodEndsAt === null
          ? null
          : {
              // Without the time it stood still, the period is as long as the one that was billed.
              startsAt: moved(periodStartsAt, pausedMsSince(pauses, periodStartsAt)),
              endsAt: periodEndsAt.toISOString(),
            },
      cancelAtPeriodEnd: subscription.cancelAtPeriodEnd,
      hasOpenCharge: open.some(({ kind }) => kind === 'period') || isConverting(context),
      hasUndecidedChange: await hasUndecidedCharge(tx, context),
      incompleteHours: subscription.policy.incompleteHours,
    },
    current: termsOf(context),
    target: { ...target, isArchived: targetPlan.archivedAt !== null && targetPlan.id !== plan.id },
    proration: request.proration,
    billed: await billedLines(tx, subscription.id, { at, pauses }),
    calendar: calendarOf(tenant),
    at: at.toISOString(),
  });
  return { decision, target, targetPlan };
}

/** The invoice a change issued; null where it needed none. */
export async function changeInvoiceId(
  tx: Tx,
  subscriptionId: string,
  changeId: string,
): Promise<string | null> {
  const [invoice] = await tx
    .select({ id: invoices.id })
    .from(invoices)
    .where(and(eq(invoices.subscriptionId, subscriptionId), eq(invoices.changeId, changeId)));
  return invoice?.id ?? null;
}

function nameOf({ plan }: ChangeRequest): string {
  if (plan === undefined) return '';
  return 'id' in plan ? plan.id : plan.code;
}

function isConverting({ subscription }: SubscriptionContext): boolean {
  return subscription.status === 'trialing' && subscription.plannedCharges.length > 0;
}

/** The vendor has been asked for the money of an earlier upgrade and nobody knows the answer. */
async function hasUndecidedCharge(tx: Tx, { subscription }: SubscriptionContext): Promise<boolean> {
  const invoiceId = subscription.pendingChange?.invoiceId ?? null;
  if (invoiceId === null) return false;
  const undecided = await tx
    .select({ id: chargeAttempts.id })
    .from(chargeAttempts)
    .where(
      and(eq(chargeAttempts.invoiceId, invoiceId), inArray(chargeAttempts.status, ['pending', 'processing'])),
    );
  return undecided.length > 0;
}

/**
 * What was billed, and paid, for service that runs at `at` and was not taken back by an earlier change. A change that
 * waits for its payment has taken nothing back yet. What was given back of an invoice is not credited again, whichever
 * line it was for.
 */
async function billedLines(
  tx: Tx,
  subscriptionId: string,
  { at, pauses }: { at: Date; pauses: readonly Pause[] },
): Promise<BilledLine[]> {
  const longestMs = pausedMsSince(pauses, new Date(0));
  const credit = alias(invoiceLines, 'credit');
  const creditInvoice = alias(invoices, 'credit_invoice');
  const credits = tx
    .select({ id: credit.id })
    .from(credit)
    .innerJoin(creditInvoice, eq(creditInvoice.id, credit.invoiceId))
    .where(and(eq(credit.creditsLineId, invoiceLines.id), eq(creditInvoice.status, 'paid')));
  const rows = await tx
    .select({ line: invoiceLines, refundedMinor: invoices.refundedMinor })
    .from(invoiceLines)
    .innerJoin(invoices, eq(invoices.id, invoiceLines.invoiceId))
    .where(
      and(
        eq(invoices.subscriptionId, subscriptionId),
        eq(invoices.status, 'paid'),
        inArray(invoiceLines.kind, ['plan', 'change_charge']),
        lte(invoiceLines.periodStartsAt, at),
        gt(invoiceLines.periodEndsAt, new Date(at.getTime() - longestMs)),
        notExists(credits),
      ),
    )
    .orderBy(desc(invoiceLines.id));
  return rows
    .map(({ line, refundedMinor }) => {
      const pausedMs = pausedMsSince(pauses, line.periodStartsAt);
      return {
        lineId: line.id,
        amountMinor: line.amountMinor,
        period: {
          startsAt: moved(line.periodStartsAt, pausedMs),
          endsAt: moved(line.periodEndsAt, pausedMs),
        },
        paidMinor: Math.max(0, line.amountMinor - refundedMinor),
      };
    })
    .filter(({ period }) => Date.parse(period.endsAt) > at.getTime());
}

function moved(instant: Date, ms: number): string {
  return new Date(instant.getTime() + ms).toISOString();
}

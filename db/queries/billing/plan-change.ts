/**
 * What a change of plan or seats would do to a subscription as it is now: gathered here, decided by the pure rules.
 * The preview reads it; the act reads it again under the customer's lock and carries it out.
 */
import { and, desc, eq, gt, inArray, lte, notExists } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { periodReduction } from '../../../domain/billing/coupon.ts';
import {
  billedLinesOf,
  type ChangeDecision,
  decideChange,
  isBilledLater,
  type PlanTerms,
  type ProrationMode,
} from '../../../domain/billing/plan-change.ts';
import type { BilledLine } from '../../../domain/billing/proration.ts';
import { priceOf } from '../../../domain/billing/recurring-price.ts';
import type { TaxedLines } from '../../../domain/billing/tax.ts';
import type { Tx } from '../../client.ts';
import { invoiceLines, invoices } from '../../schema/billing.ts';
import { type TakenBack, takenBackOf } from '../payments/taken-back.ts';
import { hasUndecidedCharge } from '../payments/undecided-charge.ts';
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
import { taxesOf } from './tax-calculations.ts';
import { readTaxRules } from './tax-rules.ts';

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
      hasUndecidedChange: await hasUndecidedChange(tx, context),
      hasUnbilledChange: subscription.unbilledChange !== null,
      hasTaxEngine: await hasTaxEngine(tx, context),
      incompleteHours: subscription.policy.incompleteHours,
    },
    current: termsOf(context),
    target: { ...target, isArchived: targetPlan.archivedAt !== null && targetPlan.id !== plan.id },
    proration: request.proration,
    discount: subscription.discount,
    billed: await billedLines(tx, subscription.id, { at, pauses }),
    calendar: calendarOf(tenant),
    at: at.toISOString(),
  });
  return { decision, target, targetPlan };
}

async function hasTaxEngine(tx: Tx, context: SubscriptionContext): Promise<boolean> {
  const { settings } = await readTaxRules(tx, context);
  return settings !== null && settings.engine !== 'own_rates';
}

/** The tax of what a change would bill now, and of each renewal after it. */
export async function taxesOfChange(
  tx: Tx,
  context: SubscriptionContext,
  {
    decision,
    target,
    at,
  }: { decision: Exclude<ChangeDecision, { kind: 'refused' }>; target: PlanTerms; at: Date },
): Promise<{ taxed: TaxedLines; renewal: TaxedLines }> {
  const rules = await readTaxRules(tx, context);
  const taxCode = target.taxCode ?? null;
  const lines = billedLinesOf(decision).map((line) => ({ ...line, taxCode }));
  const { discount, unbilledChange } = context.subscription;
  const priceMinor = priceOf(target);
  const price = { amountMinor: priceMinor - periodReduction(discount, priceMinor), taxCode };
  const later = [price, ...(unbilledChange?.lines ?? []), ...(isBilledLater(decision) ? lines : [])];
  const change = await taxesOf(tx, context, { rules, lines, subject: 'preview', at });
  const renewal = await taxesOf(tx, context, { rules, lines: later, subject: 'preview:renewal', at });
  return { taxed: change.taxed, renewal: renewal.taxed };
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

/** An earlier upgrade is being charged. */
async function hasUndecidedChange(tx: Tx, { subscription }: SubscriptionContext): Promise<boolean> {
  const invoiceId = subscription.pendingChange?.invoiceId ?? null;
  return invoiceId !== null && (await hasUndecidedCharge(tx, invoiceId));
}

/**
 * What was billed, and paid, for service that runs at `at` and was not taken back by an earlier change. A change that
 * waits for its payment has taken nothing back yet. What was given back of an invoice, or lost to the
 * customer's bank, is not credited again, whichever line it was for.
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
    .select({ line: invoiceLines, invoice: invoices })
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
  const takenBack = new Map<string, TakenBack>();
  for (const { invoice } of rows) {
    if (!takenBack.has(invoice.id)) takenBack.set(invoice.id, await takenBackOf(tx, invoice));
  }
  return rows
    .map(({ line, invoice }) => {
      const { amountMinor: backMinor = 0, unsettled = null } = takenBack.get(invoice.id) ?? {};
      const pausedMs = pausedMsSince(pauses, line.periodStartsAt);
      return {
        lineId: line.id,
        amountMinor: line.amountMinor,
        period: {
          startsAt: moved(line.periodStartsAt, pausedMs),
          endsAt: moved(line.periodEndsAt, pausedMs),
        },
        paidMinor: Math.max(0, line.amountMinor - backMinor),
        ...(unsettled !== null && { unsettled }),
        taxedAs: { rates: line.taxRates, isInclusive: invoice.taxInclusive },
      };
    })
    .filter(({ period }) => Date.parse(period.endsAt) > at.getTime());
}

function moved(instant: Date, ms: number): string {
  return new Date(instant.getTime() + ms).toISOString();
}

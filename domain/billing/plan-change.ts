/**
 * Changing what a subscription pays for: another plan, more or fewer seats, another interval. A pure decision over the
 * subscription as it is; the process carries it out, and the preview shows it without doing anything.
 *
 * An upgrade takes effect at once and is billed to the instant; a downgrade waits for the end of the period, so that
 * nobody cashes in what was bought (knowledge: billing §1.2, pains 10 and 11).
 */
import { type Calendar, type Period, periodOf } from '../calendar.ts';
import { addHours } from '../instant.ts';
import { creditUsed, smallestCharge } from '../payments/smallest-charge.ts';
import { type Discount, lastingReduction } from './coupon.ts';
import { type BilledLine, creditFor, prorate, type UnsettledMoney } from './proration.ts';
import {
  compareMonthly,
  isBillable,
  isSameInterval,
  priceOf,
  type RecurringPrice,
} from './recurring-price.ts';
import { isTerminal, type SubscriptionStatus } from './subscription.ts';
import type { TaxedLines } from './tax.ts';
import type { LineTaxation } from './tax-amounts.ts';

/** A plan with a number of seats. */
export type PlanTerms = RecurringPrice & {
  planId: string;
  planName: string;
  rank: number;
  currency: string;
  /** What is sold, in the tax office's words; null where nobody asks. */
  taxCode?: string | null;
};

/**
 * How an upgrade is billed.
 * - `invoice_now`: the rest of the old plan is credited, the rest of the period charged (as usual).
 * - `next_invoice`: the same two lines, on the next invoice; the new terms count at once, on trust.
 * - `reset`: a full new period begins now; the rest of the old one is credited.
 * - `none`: nothing is billed; the new price counts from the next renewal.
 */
export type ProrationMode = 'invoice_now' | 'next_invoice' | 'reset' | 'none';

export const prorationModes: readonly ProrationMode[] = ['invoice_now', 'next_invoice', 'reset', 'none'];

/** A line of the invoice a change causes. A credit is negative and names the line it takes back. */
export type ChangeLine =
  | {
      kind: 'change_credit';
      amountMinor: number;
      period: Period;
      creditsLineId: string;
      /** How the line it takes back was taxed. */
      taxedAs: LineTaxation;
    }
  | {
      kind: 'change_charge';
      /** Without the discount. */
      amountMinor: number;
      /** What a lasting coupon takes off; absent where there is none. */
      discountMinor?: number;
      period: Period;
    };

/** The lines of an upgrade that counts already and is billed with the next invoice. Kept with the subscription. */
export type UnbilledChange = {
  changeId: string;
  lines: (ChangeLine & { description: string; taxCode: string | null; discountCode: string | null })[];
};

/** A change that waits: a downgrade for its day, an upgrade for its payment. Kept with the subscription. */
export type PendingChange = {
  /** The caller's idempotency key: the change's identity. */
  changeId: string;
  kind: 'upgrade' | 'downgrade';
  planId: string;
  planName: string;
  quantity: number;
  /** A downgrade takes effect then; an upgrade lapses then unless it is paid. */
  at: string;
  /** The invoice an upgrade waits for. */
  invoiceId: string | null;
  /** Whether a new period begins with it, at a new anchor. */
  reanchors: boolean;
};

export type ChangeDecision =
  /** In the trial there is nothing to bill; the trial's end stays. */
  | { kind: 'in_trial' }
  | {
      kind: 'upgrade';
      lines: ChangeLine[];
      /** Whether the lines wait for the next invoice; otherwise an invoice of their own is paid first. */
      billedLater: boolean;
      reanchors: boolean;
      period: Period;
      lapsesAt: string;
    }
  | { kind: 'downgrade'; at: string; reanchors: boolean }
  | { kind: 'refused'; reason: ChangeRefusal; message: string };

export type ChangeRefusal =
  | `subscription_${SubscriptionStatus}`
  | 'nothing_changes'
  | 'plan_archived'
  | 'currency_mismatch'
  | 'price_too_large'
  | 'cancellation_pending'
  | 'charge_under_way'
  | 'change_under_way'
  | 'change_unbilled'
  | UnsettledMoney
  | 'proration_not_offered'
  | 'past_due'
  | 'renewal_due';

export type ChangeQuestion = {
  subscription: {
    status: SubscriptionStatus;
    period: Period | null;
    cancelAtPeriodEnd: boolean;
    /** A charge is planned, asked for or at the bank: its invoice is not decided yet. */
    hasOpenCharge: boolean;
    /** The charge of an earlier upgrade is at the vendor, and nobody knows what becomes of it. */
    hasUndecidedChange: boolean;
    /** An earlier upgrade is billed with the next invoice. */
    hasUnbilledChange: boolean;
    /** What is billed at the end of a subscription cannot wait for a tax engine's answer. */
    hasTaxEngine: boolean;
    incompleteHours: number;
  };
  current: PlanTerms;
  target: PlanTerms & { isArchived: boolean };
  proration: ProrationMode;
  /** The coupon the subscription has; null: none. */
  discount: Discount | null;
  /** What was billed for the running period and not credited yet. */
  billed: readonly BilledLine[];
  calendar: Calendar;
  at: string;
};

/** What a change would do at `at`, or why it is refused. */
export function decideChange(question: ChangeQuestion): ChangeDecision {
  const refusal = refusalOf(question);
  if (refusal !== null) return { kind: 'refused', ...refusal };
  const { subscription, current, target } = question;
  if (subscription.status === 'trialing') return { kind: 'in_trial' };
  const period = subscription.period;
  if (period === null) throw new Error('A paying subscription has a period');
  const isOtherInterval = !isSameInterval(current.interval, target.interval);
  if (!isUpgrade(current, target)) {
    return { kind: 'downgrade', at: period.endsAt, reanchors: isOtherInterval };
  }
  const decision = upgrade(question, period, isOtherInterval);
  return unsettledCredit(question.billed, decision.lines) ?? decision;
}

/** No credit for money that may not stay with us: the refund or the bank is waited for. */
function unsettledCredit(
  billed: readonly BilledLine[],
  lines: readonly ChangeLine[],
): Extract<ChangeDecision, { kind: 'refused' }> | null {
  const credited = new Set(lines.map((line) => (line.kind === 'change_credit' ? line.creditsLineId : null)));
  const reason = billed.find(({ lineId, unsettled }) => credited.has(lineId) && unsettled)?.unsettled;
  if (reason === undefined) return null;
  const message =
    reason === 'refund_pending'
      ? 'A refund of what was paid for this period is under way; upgrade when it is done.'
      : "The customer's bank decides about what was paid for this period; upgrade when it has.";
  return { kind: 'refused', reason, message };
}

/** What a change bills now: nothing unless it is an upgrade. */
export function billedLinesOf(decision: Exclude<ChangeDecision, { kind: 'refused' }>): readonly ChangeLine[] {
  return decision.kind === 'upgrade' ? decision.lines : [];
}

/**
 * What a change costs now and with each renewal, in minor units, from the taxes of both; `creditMinor` is what we hold for
 * the customer.
 */
export function billOf(
  decision: Exclude<ChangeDecision, { kind: 'refused' }>,
  {
    taxed,
    renewal,
    creditMinor,
    currency,
  }: { taxed: TaxedLines; renewal: TaxedLines; creditMinor: number; currency: string },
) {
  // What is billed with the next invoice is shown, and costs nothing now.
  const now = isBilledLater(decision) ? { totalMinor: 0, taxMinor: 0 } : taxed;
  const totalMinor = Math.max(0, now.totalMinor);
  const fromCreditMinor = creditUsed({ creditMinor, dueMinor: totalMinor, currency });
  return {
    lines: billedLinesOf(decision).map(({ kind, period }, index) => {
      const { amountMinor = 0, taxMinor = 0 } = taxed.lines[index] ?? {};
      return { kind, period, amountMinor, taxMinor };
    }),
    taxMinor: now.taxMinor,
    totalMinor,
    toCreditMinor: totalMinor - now.totalMinor,
    fromCreditMinor,
    dueMinor: totalMinor - fromCreditMinor,
    renewal: { totalMinor: Math.max(0, renewal.totalMinor), taxMinor: renewal.taxMinor },
  };
}

/** Whether the next invoice bills it. */
export function isBilledLater(decision: ChangeDecision): boolean {
  return decision.kind === 'upgrade' && decision.billedLater;
}

/** The price of a month goes up, or stays while the rank goes up. */
export function isUpgrade(current: PlanTerms, target: PlanTerms): boolean {
  const order = compareMonthly(target, current);
  return order > 0 || (order === 0 && target.rank > current.rank);
}

/** `Pro` or `Pro, 3 seats`. */
export function termsInWords({ planName, quantity }: Pick<PlanTerms, 'planName' | 'quantity'>): string {
  return quantity === 1 ? planName : `${planName}, ${quantity} seats`;
}

function upgrade(
  { current, target, proration, discount, billed, calendar, at, subscription }: ChangeQuestion,
  running: Period,
  isOtherInterval: boolean,
): Extract<ChangeDecision, { kind: 'upgrade' }> {
  // A free plan has no paid period whose end could be kept.
  const reanchors = proration === 'reset' || isOtherInterval || priceOf(current) === 0;
  const period = reanchors
    ? periodOf({ anchor: at, interval: target.interval, index: 0, calendar })
    : running;
  const charge = { period: { startsAt: at, endsAt: period.endsAt } };
  const priceMinor = priceOf(target);
  const [fullMinor, amountMinor] = [priceMinor, priceMinor - lastingReduction(discount, priceMinor)].map(
    (minor) => (reanchors ? minor : prorate(minor, period, at)),
  ) as [number, number];
  const reduced = fullMinor > amountMinor ? { discountMinor: fullMinor - amountMinor } : {};
  const isBilled = proration !== 'none' || reanchors;
  const lines = isBilled
    ? [...creditsOf(billed, at), { kind: 'change_charge' as const, amountMinor, ...reduced, ...charge }]
    : [];
  const lapsesAt = earlierOf(addHours(at, subscription.incompleteHours, calendar.dayMs), running.endsAt);
  const isTooSmall = isBelowCharge(lines, target.currency) && !subscription.hasTaxEngine;
  return {
    kind: 'upgrade',
    lines: lines.filter((line) => line.amountMinor !== 0),
    billedLater: (proration === 'next_invoice' || isTooSmall) && !reanchors,
    reanchors,
    period,
    lapsesAt,
  };
}

/** Too little to be charged now. */
function isBelowCharge(lines: readonly ChangeLine[], currency: string): boolean {
  const netMinor = lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  return netMinor > 0 && netMinor < smallestCharge(currency);
}

function creditsOf(billed: readonly BilledLine[], at: string): ChangeLine[] {
  return billed.map((line) => ({
    kind: 'change_credit',
    amountMinor: 0 - creditFor(line, at),
    period: { startsAt: later(line.period.startsAt, at), endsAt: line.period.endsAt },
    creditsLineId: line.lineId,
    taxedAs: line.taxedAs ?? { rates: [], isInclusive: false },
  }));
}

function refusalOf({
  subscription,
  current,
  target,
  proration,
  at,
}: ChangeQuestion): { reason: ChangeRefusal; message: string } | null {
  const { status, period, cancelAtPeriodEnd, hasOpenCharge, hasUndecidedChange } = subscription;
  if (isTerminal(status)) {
    return { reason: `subscription_${status}`, message: `The subscription is ${status}; start a new one.` };
  }
  if (status === 'incomplete' || status === 'suspended') {
    const message = `The subscription is ${status}; give it a payment method first, then change the plan.`;
    return { reason: `subscription_${status}`, message };
  }
  if (status === 'paused') {
    return { reason: 'subscription_paused', message: 'The subscription is paused; resume it first.' };
  }
  if (target.planId === current.planId && target.quantity === current.quantity) {
    return {
      reason: 'nothing_changes',
      message: `The subscription is on ${termsInWords(current)} already; undo_change takes a pending change back.`,
    };
  }
  if (target.isArchived) {
    return {
      reason: 'plan_archived',
      message: `The plan ${target.planName} is archived; choose a plan that is still offered.`,
    };
  }
  if (target.currency !== current.currency) {
    const message = `The plan ${target.planName} is billed in ${target.currency}, the customer pays in ${current.currency}.`;
    return { reason: 'currency_mismatch', message };
  }
  if (!isBillable(target)) {
    return { reason: 'price_too_large', message: `${target.quantity} seats cost more than can be billed.` };
  }
  if (cancelAtPeriodEnd) {
    const message =
      'The subscription is cancelled for the end of its period; take the cancellation back first.';
    return { reason: 'cancellation_pending', message };
  }
  if (hasUndecidedChange) {
    const message = 'The charge of an earlier change is not decided yet; ask again when it is.';
    return { reason: 'change_under_way', message };
  }
  if (status === 'trialing') {
    if (!hasOpenCharge && period === null) return null;
    const message = 'The first charge of the subscription is under way; change the plan when it is decided.';
    return { reason: 'charge_under_way', message };
  }
  if (period !== null && Date.parse(period.endsAt) <= Date.parse(at)) {
    return { reason: 'renewal_due', message: 'The next period is about to begin; ask again in a moment.' };
  }
  if (!isUpgrade(current, target)) return null;
  if (status === 'past_due') {
    const message = 'An invoice is unpaid; pay it before you upgrade.';
    return { reason: 'past_due', message };
  }
  if (subscription.hasUnbilledChange) {
    const message = 'An earlier upgrade is billed with the next invoice; upgrade again after it.';
    return { reason: 'change_unbilled', message };
  }
  if (proration === 'next_invoice' && subscription.hasTaxEngine) {
    const message = 'With a tax engine a change is billed when it is made; choose another proration.';
    return { reason: 'proration_not_offered', message };
  }
  if (hasOpenCharge) {
    const message = 'The charge of the running period is under way; upgrade when it is decided.';
    return { reason: 'charge_under_way', message };
  }
  return null;
}

function earlierOf(a: string, b: string): string {
  return Date.parse(a) <= Date.parse(b) ? a : b;
}

function later(a: string, b: string): string {
  return Date.parse(a) >= Date.parse(b) ? a : b;
}

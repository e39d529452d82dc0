/**
 * The subscription: its states, what comes next and why. Everything here is a pure function of a snapshot of the
 * row, so the workflow that acts, the API that answers and the Web UI that shows all agree.
 *
 * trialing → active → (past_due → active)* → cancelled; a trial nobody pays for is suspended, then expires.
 */

import { assertNever } from '../errors.ts';
import { addDays, addHours, inWords } from '../instant.ts';
import type { LadderLevel } from './dunning.ts';
import type { SubscriptionPolicy, TrialTemplate, WinBackTemplate } from './plan.ts';
import type { PendingChange } from './plan-change.ts';
import type { PlannedCharge } from './planned-charge.ts';
import { holdInWords, type TaxHold } from './tax-hold.ts';

/**
 * - `trialing`: free until the trial's end.
 * - `incomplete`: starts with a payment that has not arrived; expires after `incompleteHours`.
 * - `active`: paid, or on a free plan.
 * - `past_due`: an invoice is unpaid; the ladder decides about access.
 * - `paused`: by the customer; the remaining time of the period is kept until it is resumed.
 * - `suspended`: the trial ended without a payment method; can be taken up until the window closes.
 * - `cancelled`, `expired`: terminal.
 */
export type SubscriptionStatus =
  | 'trialing'
  | 'incomplete'
  | 'active'
  | 'past_due'
  | 'paused'
  | 'suspended'
  | 'cancelled'
  | 'expired';

/** What the product may give the customer right now. */
export type Access = 'full' | 'grace' | 'restricted' | 'suspended' | 'none';

export type SubscriptionEvent =
  | 'paid'
  | 'payment_failed'
  | 'trial_ended_without_method'
  | 'downgraded'
  | 'paused'
  | 'resumed'
  | 'cancelled'
  | 'expired';

/** The row as the workflow needs it. Serialisable and small; `version` rises with every change of the row. */
export type SubscriptionSnapshot = {
  version: number;
  status: SubscriptionStatus;
  ladder: LadderLevel | null;
  hasPaymentMethod: boolean;
  policy: SubscriptionPolicy;
  dayMs: number;
  /** When the current status was entered. */
  statusSince: string;
  startedAt: string;
  trialEndsAt: string | null;
  /** Trial messages sent or superseded. */
  trialMessagesDone: TrialTemplate[];
  /** End of the current period; `null` before the first one. */
  periodEndsAt: string | null;
  cancelAtPeriodEnd: boolean;
  /** What is still to be charged, and when. */
  plannedCharges: PlannedCharge[];
  /** A change of plan or seats that waits: a downgrade for its day, an upgrade for its payment until then. */
  pendingChange?: { kind: PendingChange['kind']; at: string; to: string };
  /** When a paused subscription goes on by itself. */
  resumesAt?: string;
  /** Its next invoice waits until then for a tax engine. */
  taxHold?: Omit<TaxHold, 'since'>;
  /** Until when a first payment is awaited, where that is longer than usual: a charge of it is not decided. */
  firstPaymentUntil?: string;
  winBackDone: WinBackTemplate[];
  /** Set once nothing more will happen: personal data erased, or kept because the customer has another subscription. */
  closedAt: string | null;
};

/** What the subscription does next, and when. An overdue act is performed at once, late. */
export type SubscriptionAct =
  | { kind: 'send_trial_message'; at: string; template: TrialTemplate; superseded: TrialTemplate[] }
  | { kind: 'end_trial'; at: string }
  | { kind: 'collect_first_invoice'; at: string }
  | { kind: 'collect'; at: string; charge: PlannedCharge }
  | { kind: 'renew'; at: string; to: string | null }
  | { kind: 'lapse_change'; at: string; to: string }
  | { kind: 'resume'; at: string }
  | { kind: 'end'; at: string }
  | { kind: 'expire'; at: string }
  | { kind: 'send_win_back'; at: string; template: WinBackTemplate }
  | { kind: 'close'; at: string };

const transitions: Record<SubscriptionStatus, Partial<Record<SubscriptionEvent, SubscriptionStatus>>> = {
  trialing: {
    paid: 'active',
    payment_failed: 'past_due',
    trial_ended_without_method: 'suspended',
    cancelled: 'cancelled',
  },
  incomplete: { paid: 'active', expired: 'expired', cancelled: 'cancelled' },
  active: { payment_failed: 'past_due', paused: 'paused', cancelled: 'cancelled' },
  past_due: { paid: 'active', downgraded: 'active', cancelled: 'cancelled' },
  paused: { resumed: 'active', cancelled: 'cancelled' },
  suspended: { paid: 'active', expired: 'expired', cancelled: 'cancelled' },
  cancelled: {},
  expired: {},
};

export const terminalStatuses: readonly SubscriptionStatus[] = ['cancelled', 'expired'];

export function isTerminal(status: SubscriptionStatus): boolean {
  return terminalStatuses.includes(status);
}

/** The status after an event; `null` when the event changes nothing. A terminal status is never left. */
export function statusAfter(status: SubscriptionStatus, event: SubscriptionEvent): SubscriptionStatus | null {
  return transitions[status][event] ?? null;
}

/** Access follows from the status and the ladder alone (design: one pure function). */
export function accessOf({ status, ladder }: Pick<SubscriptionSnapshot, 'status' | 'ladder'>): Access {
  switch (status) {
    case 'trialing':
    case 'active':
      return 'full';
    case 'past_due':
      return ladder ?? 'grace';
    case 'paused':
    case 'suspended':
      return 'suspended';
    case 'incomplete':
    case 'cancelled':
    case 'expired':
      return 'none';
    default:
      return assertNever(status);
  }
}

/**
 * The next act; `null` when only the outside can move the subscription on (access suspended for an unpaid invoice:
 * no further period is opened or billed) or when nothing more will happen (`closedAt`).
 */
export function nextAct(subscription: SubscriptionSnapshot, now: string): SubscriptionAct | null {
  if (subscription.closedAt !== null) return null;
  const life = lifeActs(subscription, now).map((act) => heldBack(act, subscription));
  return earliest([...life, ...collectActs(subscription)]);
}

/** What issues an invoice waits where the tax of that invoice cannot be had yet. */
function heldBack(act: SubscriptionAct, { taxHold }: SubscriptionSnapshot): SubscriptionAct {
  if (taxHold === undefined || !isHeld(act, taxHold)) return act;
  return Date.parse(act.at) < Date.parse(taxHold.until) ? { ...act, at: taxHold.until } : act;
}

function isHeld({ kind }: SubscriptionAct, { holdsEnd }: Pick<TaxHold, 'holdsEnd'>): boolean {
  return issues.has(kind) || (kind === 'end' && holdsEnd === true);
}

const issues: ReadonlySet<SubscriptionAct['kind']> = new Set(['end_trial', 'collect_first_invoice', 'renew']);

/** What the subscription waits for, in one sentence; the Web UI and the API show the same. */
export function waitingFor(subscription: SubscriptionSnapshot): string {
  const { status, closedAt, ladder } = subscription;
  if (closedAt !== null) return 'Nothing: the subscription has ended and its data has been dealt with.';
  const held = heldInWords(subscription);
  if (held !== null) return held;
  const act = nextAct(subscription, subscription.statusSince);
  if (isFirstChargeOpen(subscription)) {
    if (act === null) return 'The trial is over; waiting for the bank to finish the first charge.';
    return `The trial is over; next: ${actInWords(act)} on ${inWords(act.at)}.`;
  }
  if (act === null && ladder === 'suspended') {
    return 'Waiting for payment: access is suspended and no further period is billed until the open invoice is paid.';
  }
  if (act === null && status === 'paused') {
    return 'Paused until somebody resumes it; the remaining time of its period is kept.';
  }
  if (act === null) return 'Nothing is scheduled: no period is running.';
  const next = `${actInWords(act)} on ${inWords(act.at)}`;
  switch (status) {
    case 'trialing': {
      const method = subscription.hasPaymentMethod ? 'a payment method is on file' : 'no payment method yet';
      return `In trial until ${inWords(subscription.trialEndsAt ?? act.at)} (${method}); next: ${next}.`;
    }
    case 'incomplete':
      return `Waiting for the first payment; next: ${next}.`;
    case 'active': {
      const { pendingChange } = subscription;
      if (pendingChange?.kind !== 'upgrade') return `Active; next: ${next}.`;
      return `Active; waiting for the payment of the change to ${pendingChange.to}; next: ${next}.`;
    }
    case 'past_due':
      if (isRepresentment(act)) return `The bank has returned a debit; next: ${next}.`;
      return `Waiting for payment of an open invoice, see the dunning case; next: ${next}.`;
    case 'paused':
      return `Paused, the remaining time of its period is kept; next: ${next}.`;
    case 'suspended':
      return `Suspended: the trial ended without a payment method; waiting for one, else ${next}.`;
    case 'cancelled':
    case 'expired':
      return `Ended; next: ${next}.`;
    default:
      return assertNever(status);
  }
}

/** Null where no invoice is held. */
function heldInWords(subscription: SubscriptionSnapshot): string | null {
  const { taxHold } = subscription;
  if (taxHold === undefined) return null;
  const act = nextAct(subscription, taxHold.until);
  if (act === null || !isHeld(act, taxHold) || act.at !== taxHold.until) return null;
  return `Waiting for the tax of its invoice: ${holdInWords(taxHold.reason)}; next: ${actInWords(act)} on ${inWords(act.at)}.`;
}

function isRepresentment(act: SubscriptionAct | null): boolean {
  return act?.kind === 'collect' && act.charge.origin === 'representment';
}

function lifeActs(subscription: SubscriptionSnapshot, now: string): SubscriptionAct[] {
  const { status, statusSince, periodEndsAt } = subscription;
  switch (status) {
    case 'trialing':
      return trialActs(subscription, now);
    case 'incomplete': {
      const expires = { kind: 'expire', at: firstPaymentAwaitedUntil(subscription) } as const;
      if (periodEndsAt !== null) return [expires];
      const begins = { kind: 'collect_first_invoice', at: statusSince } as const;
      return subscription.taxHold === undefined ? [begins] : [expires, begins];
    }
    case 'active':
    case 'past_due':
      // An unpaid upgrade gives way before the period it was for is over.
      return [...changeActs(subscription), ...periodActs(subscription)];
    case 'paused':
      return subscription.resumesAt === undefined ? [] : [{ kind: 'resume', at: subscription.resumesAt }];
    case 'suspended':
      return [{ kind: 'expire', at: firstPaymentAwaitedUntil(subscription) }];
    case 'cancelled':
    case 'expired':
      return afterlifeActs(subscription);
    default:
      return assertNever(status);
  }
}

function changeActs({ pendingChange }: SubscriptionSnapshot): SubscriptionAct[] {
  if (pendingChange?.kind !== 'upgrade') return [];
  return [{ kind: 'lapse_change', at: pendingChange.at, to: pendingChange.to }];
}

function periodActs({
  periodEndsAt,
  cancelAtPeriodEnd,
  ladder,
  pendingChange,
}: SubscriptionSnapshot): SubscriptionAct[] {
  if (periodEndsAt === null) return [];
  if (cancelAtPeriodEnd) return [{ kind: 'end', at: periodEndsAt }];
  if (ladder === 'suspended') return [];
  const to = pendingChange?.kind === 'downgrade' ? pendingChange.to : null;
  return [{ kind: 'renew', at: periodEndsAt, to }];
}

/** When a subscription that starts with a payment, or whose trial ended without a method, gives up waiting for one. */
export function firstPaymentAwaitedUntil({
  status,
  statusSince,
  policy,
  dayMs,
  firstPaymentUntil,
}: Pick<SubscriptionSnapshot, 'status' | 'statusSince' | 'policy' | 'dayMs' | 'firstPaymentUntil'>): string {
  const usual =
    status === 'suspended'
      ? addDays(statusSince, policy.trialWindowDays, dayMs)
      : addHours(statusSince, policy.incompleteHours, dayMs);
  return firstPaymentUntil !== undefined && firstPaymentUntil > usual ? firstPaymentUntil : usual;
}

/** When what waits for a charge of unknown outcome is looked at again. The answer itself is booked when it comes. */
export function undecidedUntil(now: string, dayMs: number): string {
  return addDays(now, 1, dayMs);
}

/** The trial has ended and its first invoice is being collected: the period it bills is open. */
function isFirstChargeOpen({ status, periodEndsAt }: SubscriptionSnapshot): boolean {
  return status === 'trialing' && periodEndsAt !== null;
}

function trialActs(subscription: SubscriptionSnapshot, now: string): SubscriptionAct[] {
  const { trialEndsAt, startedAt, policy, dayMs, trialMessagesDone, cancelAtPeriodEnd, plannedCharges } =
    subscription;
  if (trialEndsAt === null) return [];
  if (cancelAtPeriodEnd) return [{ kind: 'end', at: trialEndsAt }];
  if (isFirstChargeOpen(subscription)) return [];
  // The charge of a conversion is decided before the trial can end.
  const ending: SubscriptionAct[] = plannedCharges.length > 0 ? [] : [{ kind: 'end_trial', at: trialEndsAt }];
  if (Date.parse(trialEndsAt) <= Date.parse(now)) return ending;

  // An extension moves what was not sent, but never back to a message earlier in the trial than one already sent.
  const isDone = ({ template }: { template: TrialTemplate }) => trialMessagesDone.includes(template);
  const reachedDays = Math.min(
    ...policy.trialMessages.filter(isDone).map(({ daysBeforeEnd }) => daysBeforeEnd),
  );
  const open = policy.trialMessages
    .filter((message) => !isDone(message) && message.daysBeforeEnd < reachedDays)
    .map(({ template, daysBeforeEnd }) => ({ template, at: addDays(trialEndsAt, -daysBeforeEnd, dayMs) }))
    .filter(({ at }) => Date.parse(at) > Date.parse(startedAt))
    .sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  // After an outage only the latest overdue message still makes sense.
  const overdue = open.filter(({ at }) => Date.parse(at) <= Date.parse(now));
  const next = overdue.at(-1) ?? open[0];
  if (next === undefined) return ending;
  const superseded = overdue.slice(0, -1).map(({ template }) => template);
  return [{ kind: 'send_trial_message', at: next.at, template: next.template, superseded }, ...ending];
}

function afterlifeActs(subscription: SubscriptionSnapshot): SubscriptionAct[] {
  const { statusSince, policy, dayMs, winBackDone } = subscription;
  const winBack = policy.winBack
    .filter(({ template }) => !winBackDone.includes(template))
    .map(({ template, daysAfterEnd }): SubscriptionAct => {
      return { kind: 'send_win_back', at: addDays(statusSince, daysAfterEnd, dayMs), template };
    });
  return [...winBack, { kind: 'close', at: addDays(statusSince, policy.retentionDays, dayMs) }];
}

function collectActs({ plannedCharges, status }: SubscriptionSnapshot): SubscriptionAct[] {
  if (isTerminal(status)) return [];
  return plannedCharges.map((charge) => ({ kind: 'collect', at: charge.at, charge }));
}

/** The first in time; of several at the same instant, the first listed. */
function earliest(acts: SubscriptionAct[]): SubscriptionAct | null {
  return acts.reduce<SubscriptionAct | null>(
    (first, act) => (first === null || Date.parse(act.at) < Date.parse(first.at) ? act : first),
    null,
  );
}

/** What an act does, for timers and sentences. */
export function actInWords(act: SubscriptionAct): string {
  switch (act.kind) {
    case 'send_trial_message':
      return `the ${act.template} mail`;
    case 'end_trial':
      return 'the trial ends';
    case 'collect_first_invoice':
      return 'the first charge';
    case 'collect':
      return collectInWords(act.charge);
    case 'renew':
      return act.to === null ? 'renewal' : `renewal as ${act.to}`;
    case 'lapse_change':
      return `the change to ${act.to} lapses`;
    case 'resume':
      return 'it resumes';
    case 'end':
      return 'the subscription ends as cancelled';
    case 'expire':
      return 'it expires';
    case 'send_win_back':
      return `the ${act.template} mail`;
    case 'close':
      return 'personal data is erased';
    default:
      return assertNever(act);
  }
}

function collectInWords({ origin }: PlannedCharge): string {
  switch (origin) {
    case 'technical_retry':
      return 'the charge is tried again';
    case 'representment':
      return 'the bank account is debited again';
    default:
      return 'the charge';
  }
}

/**
 * Dunning: what happens to an unpaid invoice, and when. A policy is a list of dated steps; the clock starts at the
 * invoice's first failed charge and steps fall exactly n days after it, so a late step never moves a later one.
 * Ladders: `standard_30` (seed 000 §3.2) and `short_10` (seed 002 §3.1).
 */
import { assertNever } from '../errors.ts';
import { addDays, inWords } from '../instant.ts';

/** What one step does: it may charge, tell the customer, take access away or end the ladder. */
export type DunningStep = {
  /** Days after the first failed charge. */
  day: number;
  /** Charge again before anything else; a success ends the ladder. */
  retry: boolean;
  /** The mail of this step, sent when the step did not collect. */
  template: DunningTemplate;
  /** Access taken by this step. */
  restrict?: 'restricted' | 'suspended';
  /** Ends the ladder: the subscription is cancelled or moves to the free plan of its family. */
  end?: 'cancel' | 'downgrade';
};

export type DunningTemplate =
  | 'payment_failed_1'
  | 'payment_failed_2'
  | 'payment_failed_final'
  | 'update_payment_method'
  | 'suspension_warning'
  | 'account_restricted'
  | 'account_suspended'
  | 'subscription_cancelled_unpaid'
  | 'subscription_downgraded';

export type DunningPolicy = {
  name: string;
  /** Raised by every edit. A running case keeps the version it started with. */
  version: number;
  /** No access is taken before this many days. */
  graceDays: number;
  /** In order of `day`; the last one has an `end`. */
  steps: DunningStep[];
  /** Delays after a technical failure (minutes); none of these tries counts as a step. */
  technicalRetryMinutes: number[];
};

/** How far the ladder has taken a customer. */
export type LadderLevel = 'grace' | 'restricted' | 'suspended';

/** The part of a case that decides what comes next. Serialisable: it is the dunning workflow's state. */
export type DunningCase = {
  policy: DunningPolicy;
  /** First failed charge of the invoice that drives the ladder (ISO-8601). */
  firstFailedAt: string;
  /** Steps before this index are done or superseded. */
  nextStepIndex: number;
  /** While the bank works on a charge no step is performed, at most until this instant. */
  heldUntil: string | null;
  /** A payment of the customer is disputed: no step is performed until that is decided. */
  disputed?: true;
  dayMs: number;
};

export type DueStep = {
  index: number;
  step: DunningStep;
  /** The step's own date; it is performed late when a worker was down, but never moves. */
  at: string;
};

export const defaultDunningPolicies: readonly Omit<DunningPolicy, 'version'>[] = [
  {
    name: 'standard_30',
    graceDays: 3,
    technicalRetryMinutes: [15, 60, 240],
    steps: [
      { day: 1, retry: true, template: 'payment_failed_1' },
      { day: 3, retry: true, template: 'payment_failed_2' },
      { day: 5, retry: true, template: 'payment_failed_final' },
      { day: 7, retry: false, template: 'account_restricted', restrict: 'restricted' },
      { day: 14, retry: false, template: 'account_suspended', restrict: 'suspended' },
      { day: 30, retry: false, template: 'subscription_cancelled_unpaid', end: 'cancel' },
    ],
  },
  {
    name: 'short_10',
    graceDays: 3,
    technicalRetryMinutes: [15, 60, 240],
    steps: [
      { day: 1, retry: true, template: 'payment_failed_1' },
      { day: 3, retry: true, template: 'update_payment_method' },
      { day: 7, retry: true, template: 'suspension_warning' },
      { day: 10, retry: false, template: 'subscription_downgraded', end: 'downgrade' },
    ],
  },
];

/**
 * The step to wait for or to perform. When several are overdue (a worker was down for days) the latest overdue one
 * is performed and the earlier ones count as superseded: a customer never gets three reminders in one minute.
 * A step that ends the ladder is never used to skip others that would have warned the customer: the latest overdue
 * step before it goes first. `null` when the ladder is exhausted, or stands still because of a dispute.
 */
export function nextStep(dunningCase: DunningCase, now: string): DueStep | null {
  const { policy, nextStepIndex, heldUntil, disputed } = dunningCase;
  if (disputed) return null;
  const heldMs = heldUntil === null ? Number.NEGATIVE_INFINITY : Date.parse(heldUntil);
  const earliestMs = Math.max(Date.parse(now), heldMs);
  let index = nextStepIndex;
  for (let later = index + 1; later < policy.steps.length; later += 1) {
    const overdue = stepAt(dunningCase, later) <= earliestMs;
    if (overdue && policy.steps[later]?.end === undefined) index = later;
  }
  const step = policy.steps[index];
  if (step === undefined) return null;
  return { index, step, at: new Date(Math.max(stepAt(dunningCase, index), heldMs)).toISOString() };
}

/** The level after a step: levels only rise while the same invoice drives the ladder. */
export function levelAfter(level: LadderLevel, step: DunningStep): LadderLevel {
  if (step.restrict === undefined || level === 'suspended') return level;
  return step.restrict;
}

/** The level by the clock alone: what a customer is at when the case passes on to an invoice that failed later. */
export function levelAt(dunningCase: Pick<DunningCase, ClockFields>, now: string): LadderLevel {
  return dunningCase.policy.steps
    .filter((_step, index) => stepAt(dunningCase, index) <= Date.parse(now))
    .reduce<LadderLevel>(levelAfter, 'grace');
}

/**
 * How long a charge that the bank works on may hold the ladder. Direct debits come back within five bank days.
 * After that the ladder goes on, without a second charge beside the one under way.
 */
export function holdUntil(chargeStartedAt: string, dayMs: number): string {
  return addDays(chargeStartedAt, HOLD_DAYS, dayMs);
}

const HOLD_DAYS = 7;

/** When to try again after the n-th technical failure in a row (0 is the first); `null` when it counts as a decline. */
export function technicalRetryAt(
  policy: Pick<DunningPolicy, 'technicalRetryMinutes'>,
  failures: number,
  now: string,
  dayMs: number,
): string | null {
  const minutes = policy.technicalRetryMinutes[failures];
  if (minutes === undefined) return null;
  const minutesPerDay = 24 * 60;
  return new Date(Date.parse(now) + Math.round((minutes * dayMs) / minutesPerDay)).toISOString();
}

/** Every mistake of a proposed policy, in words; empty when it can be used. */
export function policyMistakes(policy: Pick<DunningPolicy, 'graceDays' | 'steps'>): string[] {
  const mistakes: string[] = [];
  const { steps, graceDays } = policy;
  if (steps.length === 0) return ['steps: a policy needs at least one step'];
  if (!(graceDays >= 0)) mistakes.push(`graceDays: ${graceDays} is not a number of days`);
  steps.forEach((step, index) => {
    const previousDay = steps[index - 1]?.day ?? 0;
    if (!Number.isFinite(step.day) || step.day <= previousDay) {
      const before = index === 0 ? 'the first failed charge' : `day ${previousDay} of the step before`;
      mistakes.push(`steps[${index}].day: ${step.day} must be later than ${before}`);
    }
    if ((step.restrict !== undefined || step.end !== undefined) && step.day < graceDays) {
      mistakes.push(
        `steps[${index}]: takes access on day ${step.day}, inside the grace of ${graceDays} days`,
      );
    }
    if (step.end !== undefined && index !== steps.length - 1) {
      mistakes.push(`steps[${index}].end: only the last step may end the ladder`);
    }
    if (step.end !== undefined && (step.retry || step.restrict !== undefined)) {
      mistakes.push(`steps[${index}]: a step that ends the ladder neither charges nor restricts`);
    }
  });
  if (steps.at(-1)?.end === undefined)
    mistakes.push('steps: the last step must end the ladder (cancel or downgrade)');
  return mistakes;
}

/** What a dunning case waits for, in one sentence; the Web UI and the API show the same. */
export function dunningWaitingFor(dunningCase: DunningCase): string {
  const { policy, nextStepIndex, heldUntil, disputed } = dunningCase;
  if (disputed)
    return 'On hold: a bank wants a payment back; the ladder goes on where it was when that is decided.';
  const step = policy.steps[nextStepIndex];
  if (step === undefined) return 'The ladder is exhausted; nothing is waited for.';
  const at = new Date(stepAt(dunningCase, nextStepIndex)).toISOString();
  if (heldUntil !== null && Date.parse(heldUntil) > Date.parse(at)) {
    return `Waiting for the bank to finish a charge; without its answer the ladder resumes on ${inWords(heldUntil)}.`;
  }
  return `Waiting for payment; ${stepInWords(dunningCase, nextStepIndex)} on ${inWords(at)}.`;
}

/** `step 3 of 6 (charge again, then mail)`, for timers and sentences. */
export function stepInWords({ policy }: Pick<DunningCase, 'policy'>, index: number): string {
  const step = policy.steps[index];
  const place = `step ${index + 1} of ${policy.steps.length}`;
  return step === undefined ? place : `${place} (${deedInWords(step)})`;
}

/**
 * What comes next if nothing is paid, as a clause for the customer ("we try again on …"). A card that was refused for
 * good is not charged again, so nothing of the kind is announced then.
 */
export function stepAheadInWords(
  dunningCase: Pick<DunningCase, ClockFields>,
  index: number,
  { cardRefused }: { cardRefused: boolean },
): string {
  const step = dunningCase.policy.steps[index];
  if (step === undefined) return 'nothing more will be charged';
  const at = inWords(new Date(stepAt(dunningCase, index)).toISOString());
  if (step.end === 'cancel') return `the subscription will be cancelled on ${at}`;
  if (step.end === 'downgrade') return `the subscription will move to the free plan on ${at}`;
  if (step.restrict !== undefined) return `access will be ${step.restrict} on ${at}`;
  return step.retry && !cardRefused ? `we try again on ${at}` : `we will remind you on ${at}`;
}

type ClockFields = 'firstFailedAt' | 'policy' | 'dayMs';

function stepAt({ firstFailedAt, policy, dayMs }: Pick<DunningCase, ClockFields>, index: number): number {
  const step = policy.steps[index];
  if (step === undefined) return Number.POSITIVE_INFINITY;
  return Date.parse(firstFailedAt) + Math.round(step.day * dayMs);
}

function deedInWords(step: DunningStep): string {
  if (step.end === 'cancel') return 'cancel the subscription';
  if (step.end === 'downgrade') return 'move to the free plan';
  const restriction = step.restrict;
  switch (restriction) {
    case 'restricted':
      return 'restrict access';
    case 'suspended':
      return 'suspend access';
    case undefined:
      return step.retry ? 'charge again, then mail' : 'mail';
    default:
      return assertNever(restriction);
  }
}

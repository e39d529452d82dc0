/**
 * Plans and the durations that belong to them. A subscription pins the policy it started with: a later edit of the
 * plan never moves the dates of a running subscription.
 */
import { realDayMs } from '../instant.ts';

export type TrialTemplate = 'trial_halfway' | 'trial_ending' | 'trial_last_chance';
export type WinBackTemplate = 'win_back_1' | 'win_back_2';

/** Durations, all in days of the calendar unless the name says otherwise. */
export type SubscriptionPolicy = {
  trialDays: number;
  /** Sent this many days before the trial ends; one that would fall before the trial's start is not sent. */
  trialMessages: { template: TrialTemplate; daysBeforeEnd: number }[];
  /** How long a trial that ended without a payment method can still be taken up. */
  trialWindowDays: number;
  /** How long a subscription that starts with a payment waits for it. */
  incompleteHours: number;
  winBack: { template: WinBackTemplate; daysAfterEnd: number }[];
  /** Personal data is erased this long after the end. */
  retentionDays: number;
  /** What happens to an unpaid invoice when the customer cancels at once. */
  openInvoiceOnCancel: 'void' | 'keep';
  /** Delays after a technical failure of a first charge or a renewal. */
  technicalRetryMinutes: number[];
  /** Name of the tenant's dunning policy. */
  dunningPolicy: string;
};

/**
 * Trial of 14 days with messages on days 7, 12 and 13 (seeds 000 §3.1 and 003, reconciled as days before the end);
 * data kept 30 days after the end (seed 000 §3.1); a first payment is awaited 23 hours.
 */
export const defaultSubscriptionPolicy: SubscriptionPolicy = {
  trialDays: 14,
  trialMessages: [
    { template: 'trial_halfway', daysBeforeEnd: 7 },
    { template: 'trial_ending', daysBeforeEnd: 2 },
    { template: 'trial_last_chance', daysBeforeEnd: 1 },
  ],
  trialWindowDays: 30,
  incompleteHours: 23,
  winBack: [
    { template: 'win_back_1', daysAfterEnd: 7 },
    { template: 'win_back_2', daysAfterEnd: 21 },
  ],
  retentionDays: 30,
  openInvoiceOnCancel: 'void',
  technicalRetryMinutes: [15, 60, 240],
  dunningPolicy: 'standard_30',
};

/** Every mistake of a proposed policy, in words; empty when it can be used. */
export function subscriptionPolicyMistakes(policy: SubscriptionPolicy): string[] {
  const mistakes: string[] = [];
  for (const { template, daysAfterEnd } of policy.winBack) {
    if (daysAfterEnd >= policy.retentionDays) {
      mistakes.push(
        `winBack ${template}: day ${daysAfterEnd} is not before the erasure on day ${policy.retentionDays}`,
      );
    }
  }
  for (const template of repeatedIn(policy.trialMessages))
    mistakes.push(`trialMessages: ${template} is listed twice`);
  for (const template of repeatedIn(policy.winBack)) mistakes.push(`winBack: ${template} is listed twice`);
  return mistakes;
}

/** The length of a day for a tenant; only a demo tenant's differs from the real one. */
export function dayLengthMs(tenant: { demoDaySeconds: number | null }): number {
  return tenant.demoDaySeconds === null ? realDayMs : tenant.demoDaySeconds * 1000;
}

function repeatedIn(messages: readonly { template: string }[]): string[] {
  const templates = messages.map(({ template }) => template);
  return templates.filter((template, index) => templates.indexOf(template) !== index);
}

/** Plan policies: the defaults are usable, contradictions are named. */
import { describe, expect, it } from 'vitest';
import { realDayMs } from '../instant.ts';
import { dayLengthMs, defaultSubscriptionPolicy, subscriptionPolicyMistakes } from './plan.ts';

describe('the default policy', () => {
  it('has no mistakes', () => {
    expect(subscriptionPolicyMistakes(defaultSubscriptionPolicy)).toEqual([]);
  });

  it('is a trial of 14 days with messages on days 7, 12 and 13', () => {
    const { trialDays, trialMessages } = defaultSubscriptionPolicy;
    expect(trialDays).toBe(14);
    expect(trialMessages.map(({ template, daysBeforeEnd }) => [template, trialDays - daysBeforeEnd])).toEqual(
      [
        ['trial_halfway', 7],
        ['trial_ending', 12],
        ['trial_last_chance', 13],
      ],
    );
  });

  it('waits 23 hours for a first payment, 30 days for a trial to be taken up, and keeps data 30 days', () => {
    expect(defaultSubscriptionPolicy).toMatchObject({
      incompleteHours: 23,
      trialWindowDays: 30,
      retentionDays: 30,
      openInvoiceOnCancel: 'void',
      dunningPolicy: 'standard_30',
      technicalRetryMinutes: [15, 60, 240],
      winBack: [
        { template: 'win_back_1', daysAfterEnd: 7 },
        { template: 'win_back_2', daysAfterEnd: 21 },
      ],
    });
  });
});

describe('subscriptionPolicyMistakes', () => {
  it('names a win-back mail that would come when the data is already erased', () => {
    const policy = { ...defaultSubscriptionPolicy, retentionDays: 21 };
    expect(subscriptionPolicyMistakes(policy)).toEqual([
      'winBack win_back_2: day 21 is not before the erasure on day 21',
    ]);
    expect(subscriptionPolicyMistakes({ ...policy, retentionDays: 22 })).toEqual([]);
  });

  it('names a trial message and a win-back mail that are listed twice', () => {
    const policy = {
      ...defaultSubscriptionPolicy,
      trialMessages: [
        { template: 'trial_ending' as const, daysBeforeEnd: 2 },
        { template: 'trial_ending' as const, daysBeforeEnd: 1 },
      ],
      winBack: [
        { template: 'win_back_1' as const, daysAfterEnd: 3 },
        { template: 'win_back_1' as const, daysAfterEnd: 5 },
      ],
    };
    expect(subscriptionPolicyMistakes(policy)).toEqual([
      'trialMessages: trial_ending is listed twice',
      'winBack: win_back_1 is listed twice',
    ]);
  });
});

describe('the length of a day', () => {
  it('is 24 hours, except for a demo tenant', () => {
    expect(dayLengthMs({ demoDaySeconds: null })).toBe(realDayMs);
    expect(dayLengthMs({ demoDaySeconds: 5 })).toBe(5_000);
  });
});

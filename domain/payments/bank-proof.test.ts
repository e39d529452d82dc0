import { expect, test } from 'vitest';
import { clockAfterReview } from './bank-proof.ts';
import { statusAfterDeed, type TransferSituation } from './transfer-standing.ts';

const dayMs = 86_400_000;
const clock = {
  askAt: '2026-03-03T10:00:00.000Z',
  alertAt: '2026-03-04T10:00:00.000Z',
  expiresAt: '2026-03-09T10:00:00.000Z',
};

test('the time in review is given back', () => {
  const times = { reviewedFrom: '2026-03-03T08:00:00.000Z', judgedAt: '2026-03-05T08:00:00.000Z', dayMs };
  expect(clockAfterReview(clock, times)).toEqual({
    askAt: '2026-03-05T10:00:00.000Z',
    alertAt: '2026-03-06T10:00:00.000Z',
    expiresAt: '2026-03-11T10:00:00.000Z',
  });
});

test('a day is left in any case, also where the instructions had expired before', () => {
  const times = { reviewedFrom: '2026-03-12T10:00:00.000Z', judgedAt: '2026-03-12T12:00:00.000Z', dayMs };
  expect(clockAfterReview(clock, times)).toMatchObject({
    alertAt: '2026-03-13T12:00:00.000Z',
    expiresAt: '2026-03-13T12:00:00.000Z',
  });
});

test('the day is one of the tenant', () => {
  const times = {
    reviewedFrom: '2026-03-12T10:00:00.000Z',
    judgedAt: '2026-03-12T12:00:00.000Z',
    dayMs: 24_000,
  };
  expect(clockAfterReview(clock, times).expiresAt).toBe('2026-03-12T12:00:24.000Z');
});

const situation = (differs: Partial<TransferSituation> = {}): TransferSituation => ({
  invoice: { status: 'open', paidMinor: 0 },
  paidBeforeMinor: 0,
  isErased: false,
  ...differs,
});

test('a review ends with the last proof, and a hold goes back to it while one waits', () => {
  const partly = { invoice: { status: 'open', paidMinor: 100 } } as const;
  expect(statusAfterDeed('in_review', 'judge_proof', situation())).toBe('awaiting');
  expect(statusAfterDeed('in_review', 'judge_proof', situation(partly))).toBe('partially_paid');
  expect(statusAfterDeed('in_review', 'judge_proof', situation({ isProofWaiting: true }))).toBe('in_review');
  expect(statusAfterDeed('on_hold', 'judge_proof', situation())).toBeNull();
  expect(statusAfterDeed('on_hold', 'resume', situation({ isProofWaiting: true }))).toBe('in_review');
  expect(statusAfterDeed('on_hold', 'resume', situation())).toBe('awaiting');
});

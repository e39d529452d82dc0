import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ApprovalStatus,
  approvalMistake,
  bounceCodeOf,
  type ManualMethod,
  manualMethodInWords,
  manualMethods,
  needsApproval,
  writeOffMistake,
} from './manual-payment.ts';

const fourEyesUsdMinor = 100_000;

it.each<[usdMinor: number | null, aloneUsdMinor: number, needed: boolean]>([
  [99_999, 0, false],
  [100_000, 0, true],
  [60_000, 39_999, false],
  [60_000, 40_000, true],
  [1, 99_999, true],
  [null, 0, true],
  [0, 0, false],
])('%j cents beside %i recorded alone need a second person: %j', (usdMinor, aloneUsdMinor, needed) => {
  expect(needsApproval({ usdMinor, aloneUsdMinor, fourEyesUsdMinor })).toBe(needed);
});

it('however money is split, one person never records as much alone as the limit', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 200_000 })), (amounts) => {
      let aloneUsdMinor = 0;
      for (const usdMinor of amounts)
        if (!needsApproval({ usdMinor, aloneUsdMinor, fourEyesUsdMinor })) aloneUsdMinor += usdMinor;
      expect(aloneUsdMinor).toBeLessThan(fourEyesUsdMinor);
    }),
  );
});

it.each<[ManualMethod | null, string | null]>([
  ['cheque', 'cheque_bounced'],
  ['money_order', 'money_order_bounced'],
  ['cash', null],
  ['wire', null],
  ['other', null],
  [null, null],
])('%s comes back unpaid as %s', (method, code) => {
  expect(bounceCodeOf(method)).toBe(code);
});

it('every method has words of its own; a cheque says its number', () => {
  expect(new Set(manualMethods.map((method) => manualMethodInWords(method, null))).size).toBe(
    manualMethods.length,
  );
  expect(manualMethodInWords('cheque', '000417')).toBe('Cheque 000417');
});

describe('an approval', () => {
  it.each<[ApprovalStatus, act: 'approve' | 'reject', actor: string, reason: string | null]>([
    ['asked', 'approve', 'b', null],
    ['asked', 'reject', 'b', null],
    ['asked', 'approve', 'a', 'second_person_required'],
    ['asked', 'reject', 'a', 'second_person_required'],
    ['approved', 'approve', 'b', null],
    ['approved', 'reject', 'b', 'approval_approved'],
    ['approved', 'approve', 'a', 'second_person_required'],
    ['rejected', 'reject', 'b', null],
    ['rejected', 'approve', 'b', 'approval_rejected'],
  ])('that a has asked for and is %s: %s by %s meets %s', (status, act, actor, reason) => {
    expect(approvalMistake({ status, askedBy: 'a' }, act, actor)?.reason ?? null).toBe(reason);
  });
});

it.each([
  [1000, 1900, null],
  [1001, 1900, 'write_off_above_limit'],
  [1, 0, 'nothing_paid'],
  [5000, 0, 'nothing_paid'],
])('a rest worth %i cents of an invoice of which %i was paid: %s', (restUsdMinor, paidMinor, mistake) => {
  expect(writeOffMistake({ restUsdMinor, paidMinor, writeOffLimitUsdMinor: 1000 })).toBe(mistake);
});

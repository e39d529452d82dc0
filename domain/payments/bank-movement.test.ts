import { describe, expect, it } from 'vitest';
import { decide, invoiceOf, invoices, movement, rate } from '../../test/support/bank-matching.ts';
import {
  type BankMovementStatus,
  bankMovementStatuses,
  movesMoney,
  queueStatuses,
  statusAfter,
} from './bank-movement.ts';
import type { MatchDecision } from './match-decision.ts';

const A = `ADV48213075`;
const credit = {
  id: 'credit_1',
  externalId: 'c1',
  accountId: 'account_usd',
  amountMinor: 49_900,
  currency: 'USD',
  bookedOn: '2026-03-05',
  references: [A],
  bankReference: null,
  isRefunded: false,
};
const other = { account: { id: 'x', role: 'other' } } as const;
const sameConnection = { account: { id: 'x', role: 'same_connection' } } as const;
/** One slip of the keyboard away from a paid invoice. */
const nearlyPaid = decide(movement('WIRE ADV5555012', 9900));

const decisions: [MatchDecision, BankMovementStatus, boolean][] = [
  [decide(movement(A, 49_900)), 'matched', true],
  [decide(movement(A, 50_000)), 'matched', true],
  [decide(movement(`${A} ADV10002001`, 61_900)), 'matched', true],
  [
    decide(movement(A, 38_500, { currency: 'GBP' }), { facts: { rates: [rate('GBP', 'USD', '1.27')] } }),
    'matched',
    true,
  ],
  [decide(movement(A, 100)), 'matched', true],
  [decide(movement('ADV55550123', 9900)), 'matched', true],
  [nearlyPaid, 'exception', false],
  [decide(movement(`RETURN ${A}`, -49_900), { facts: { credits: [credit] } }), 'reversed', true],
  [decide(movement('ACME', 49_900)), 'suggested', false],
  [decide(movement('ACME', 1)), 'unmatched', false],
  [decide(movement('ADV20261031', 30_000)), 'exception', false],
  [decide(movement('ADV90909090', 5000)), 'exception', false],
  [decide(movement(A, 38_500, { currency: 'GBP' })), 'exception', false],
  [decide(movement(A, 49_900), sameConnection), 'exception', false],
  [decide(movement(A, 49_900, { pending: true })), 'pending', false],
  [decide(movement('STRIPE PAYOUT', 49_900)), 'payout', false],
  [decide(movement('RENT', -1)), 'ignored', false],
  [decide(movement('NOTHING', 0)), 'ignored', false],
  [decide(movement(A, 49_900), other), 'ignored', false],
  [decide(movement(A, 49_900), { facts: { isDecided: true } }), 'ignored', false],
];

describe('a decision', () => {
  it.each(decisions.map(([decision, ...rest]) => [decision.kind, decision, ...rest] as const))(
    '%s leaves the movement where it belongs, and says whether money moves',
    (_kind, decision, status, moves) => {
      expect([statusAfter(decision), movesMoney(decision)]).toEqual([status, moves]);
    },
  );

  it('of every kind is among these', () => {
    const kinds = new Set(decisions.map(([{ kind }]) => kind));
    expect(kinds.size).toBe(19);
    expect(nearlyPaid).toMatchObject({ kind: 'duplicate_credit', needsConfirmation: true });
  });
});

it('what waits for people is listed, and is no other status', () => {
  expect(queueStatuses).toEqual(['suggested', 'exception', 'unmatched']);
  expect(bankMovementStatuses).toEqual(expect.arrayContaining([...queueStatuses]));
  expect(invoiceOf('Z', 'ADV00000000', 1).status).toBe(invoices.A.status);
});

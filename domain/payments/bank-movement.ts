/** Where a movement on a bank account stands. What is decided about it, and why, is in `match-decision.ts`. */
import type { MatchDecision } from './match-decision.ts';

/**
 * - `new`: not decided yet. `pending`: seen, and not booked at the bank.
 * - `matched`: all of it pays invoices, or is a customer's credit. `partly_matched`: a person has split it, and a rest is left.
 * - `suggested`: there are invoices for a person to choose from. `exception`: a person decides (late, void, foreign money
 *   without a rate, the wrong account, a credit to be confirmed). `unmatched`: nothing fits.
 * - `copy_suspected`: another source has told it too, as it seems; a person says. `copy`: it has.
 * - `ignored`: no customer's money. `payout`: a vendor's. `reversed`: a credit that was taken back, and the movement out that
 *   did it. `removed`: its source says it never happened.
 */
export const bankMovementStatuses = [
  'new',
  'pending',
  'matched',
  'partly_matched',
  'suggested',
  'exception',
  'unmatched',
  'copy_suspected',
  'copy',
  'ignored',
  'payout',
  'reversed',
  'removed',
] as const;

export type BankMovementStatus = (typeof bankMovementStatuses)[number];

/** Waits for a person: the queue of operators. */
export const queueStatuses = ['suggested', 'exception', 'unmatched'] as const satisfies BankMovementStatus[];

/** Whether carrying a decision out moves money in the books, so that it is made under the locks of whose money it is. */
export function movesMoney(decision: MatchDecision): boolean {
  switch (decision.kind) {
    case 'auto':
    case 'auto_over':
    case 'auto_combined':
    case 'auto_fx':
    case 'partial':
    case 'proof_seen':
    case 'reversal':
      return true;
    case 'duplicate_credit':
      return !decision.needsConfirmation;
    default:
      return false;
  }
}

/** Where a movement stands once a decision about it is carried out. */
export function statusAfter(decision: MatchDecision): BankMovementStatus {
  switch (decision.kind) {
    case 'auto':
    case 'auto_over':
    case 'auto_combined':
    case 'auto_fx':
    case 'partial':
    case 'proof_seen':
      return 'matched';
    case 'duplicate_credit':
      return decision.needsConfirmation ? 'exception' : 'matched';
    case 'suggest':
      return 'suggested';
    case 'unmatched':
      return 'unmatched';
    case 'late_admin':
    case 'exception_void':
    case 'exception_fx':
    case 'exception_proof':
    case 'wrong_account':
      return 'exception';
    case 'hold_pending':
      return 'pending';
    case 'reversal':
      return 'reversed';
    case 'payout':
      return 'payout';
    case 'ignore_outflow':
    case 'ignore_redelivery':
    case 'ignore_zero':
    case 'ignore_account':
      return 'ignored';
    default:
      return decision satisfies never;
  }
}

/** Where a movement on a bank account stands. What is decided about it, and why, is in `match-decision.ts`. */

/**
 * - `new`: not decided yet. `pending`: seen, and not booked at the bank.
 * - `matched`: all of it pays invoices, or is a customer's credit. `partly_matched`: a person has split it, and a rest is left.
 * - `suggested`: there are invoices for a person to choose from. `exception`: a person decides (late, void, foreign money
 *   without a rate, the wrong account, a credit to be confirmed). `unmatched`: nothing fits.
 * - `copy_suspected`: another source has told it too, as it seems; a person says. `copy`: it has.
 * - `ignored`: no customer's money. `payout`: a vendor's. `reversed`: taken back. `removed`: its source says it never happened.
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

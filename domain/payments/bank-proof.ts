/**
 * What a customer sends to show that a transfer is under way: a picture or a PDF of the bank's confirmation. It is no money: a
 * person looks at it, and only their word books a payment. What files are taken, `integrations/proofs` says by their bytes.
 */
import { addHours } from '../instant.ts';
import type { ObjectEnding } from '../operations/object-storage.ts';
import { afterStanding, type TransferClock } from './bank-transfer.ts';

export const proofStatuses = ['waiting', 'approved', 'rejected'] as const;

export type ProofStatus = (typeof proofStatuses)[number];

/** The very same file was sent for another invoice of the customer, or by another customer: somebody should look closely. */
export const proofSuspicions = ['other_invoice', 'other_customer'] as const;

export type ProofSuspicion = (typeof proofSuspicions)[number];

/**
 * What came of approving it. `booked`: a payment. `superseded`: the invoice had been paid in the meantime, and nothing was
 * booked.
 */
export const proofOutcomes = ['booked', 'superseded'] as const;

export type ProofOutcome = (typeof proofOutcomes)[number];

/** The most that a file may have, and a PDF in pages. */
export const PROOF_MAX_MIB = 10;
export const PROOF_MAX_BYTES = PROOF_MAX_MIB * 1024 ** 2;
export const PROOF_PAGES_MAX = 5;

/** Why a file is not taken. */
export const proofRefusals = [
  'file_empty',
  'type_not_accepted',
  'heic_not_accepted',
  'image_unreadable',
  'image_too_large',
  'pdf_unreadable',
  'pdf_encrypted',
  'pdf_active',
  'pdf_too_large',
] as const;

export type ProofRefusal = (typeof proofRefusals)[number];

/** `bytes` are what is kept: what was sent, drawn anew. `message` is for the customer. */
export type CheckedProof =
  | { kind: 'usable'; bytes: Uint8Array; ending: ObjectEnding }
  | { kind: 'refused'; reason: ProofRefusal; message: string };

export type ReviewPolicy = {
  /** What a customer has at least, once a proof was judged: for another one, or for what is missing. */
  leastHours: number;
};

const reviewPolicy: ReviewPolicy = { leastHours: 24 };

/**
 * The clock of a transfer whose proof was judged and which is not paid: the time that it stood in review is given back, and some
 * is left in any case. `dayMs` is how long a day of the tenant's is.
 */
export function clockAfterReview(
  clock: TransferClock,
  {
    reviewedFrom,
    judgedAt,
    dayMs,
    policy = reviewPolicy,
  }: { reviewedFrom: string; judgedAt: string; dayMs: number; policy?: ReviewPolicy },
): TransferClock {
  const { askAt, alertAt, expiresAt } = afterStanding(clock, { from: reviewedFrom, to: judgedAt });
  const atLeast = addHours(judgedAt, policy.leastHours, dayMs);
  const lateEnough = (at: string) => (Date.parse(at) >= Date.parse(atLeast) ? at : atLeast);
  return { askAt, alertAt: lateEnough(alertAt), expiresAt: lateEnough(expiresAt) };
}

/** For operators, behind the name of an invoice. */
export function suspicionInWords(suspicion: ProofSuspicion | null): string {
  switch (suspicion) {
    case null:
      return '';
    case 'other_invoice':
      return ' The very same file was sent for another invoice of this customer.';
    case 'other_customer':
      return ' The very same file was sent by another customer.';
    default:
      return suspicion satisfies never;
  }
}

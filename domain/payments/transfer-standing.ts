/**
 * Where a transfer stands: it follows its invoice, whatever rail pays that, and what people and the clock do with it. What
 * happens by the clock, and when, is in `bank-transfer.ts`.
 */
import { inWords } from '../instant.ts';
import { type BankTransferStatus, isTransferOpen, type TransferAct } from './bank-transfer.ts';

/** What decides beside the status itself. */
export type TransferSituation = {
  invoice: { status: 'open' | 'paid' | 'void' | 'uncollectible'; paidMinor: number };
  /** What of the invoice was paid when the instructions were given: it did not come by them. */
  paidBeforeMinor: number;
  /** Nobody is there to be asked any more. */
  isErased: boolean;
  /** A proof waits to be looked at, where that was asked for. */
  isProofWaiting?: boolean | undefined;
};

/** What the status is once the invoice is as it is. A transfer whose invoice is owed again is awaited again. */
export function statusFollowing(
  status: BankTransferStatus,
  situation: TransferSituation,
): BankTransferStatus {
  const { invoice, isErased } = situation;
  if (invoice.status === 'paid') return 'settled';
  if (invoice.status !== 'open' || isErased) return 'void';
  switch (status) {
    case 'awaiting':
    case 'partially_paid':
      return whileOpen(situation);
    case 'settled':
    case 'void':
      return situation.isProofWaiting === true ? 'in_review' : 'awaiting';
    // What comes meanwhile changes nothing: a person decides, or gives more time first.
    case 'in_review':
    case 'on_hold':
    case 'expired':
      return status;
    default:
      return status satisfies never;
  }
}

/**
 * - `offer`: instructions are given, anew where there were some.
 * - `hold`, `resume`, `extend`: by operators. `expire`: by the clock.
 * - `send_proof`: by the customer. `judge_proof`: by operators; once none waits, it is the customer's turn again.
 */
export const transferDeeds = [
  'offer',
  'hold',
  'resume',
  'extend',
  'expire',
  'send_proof',
  'judge_proof',
] as const;

export type TransferDeed = (typeof transferDeeds)[number];

/** The status after a deed; null where the deed does not apply. The status follows the invoice already. */
export function statusAfterDeed(
  status: BankTransferStatus,
  deed: TransferDeed,
  situation: TransferSituation,
): BankTransferStatus | null {
  if (situation.invoice.status !== 'open' || situation.isErased) return null;
  switch (deed) {
    case 'offer':
      return isAsked(status) || status === 'expired' ? 'awaiting' : null;
    case 'hold':
      return isTransferOpen(status) ? 'on_hold' : null;
    case 'resume':
      return status === 'on_hold' ? whileOpen(situation) : null;
    case 'extend':
      if (status === 'expired') return whileOpen(situation);
      return isTransferOpen(status) ? status : null;
    case 'expire':
      return isAsked(status) ? 'expired' : null;
    case 'send_proof':
      if (status === 'on_hold' || status === 'in_review') return status;
      return isAsked(status) || status === 'expired' ? 'in_review' : null;
    case 'judge_proof':
      return status === 'in_review' ? whileOpen(situation) : null;
    default:
      return deed satisfies never;
  }
}

/** Whether it is the customer's turn. */
function isAsked(status: BankTransferStatus): boolean {
  return status === 'awaiting' || status === 'partially_paid';
}

function whileOpen({
  invoice,
  paidBeforeMinor,
  isProofWaiting = false,
}: TransferSituation): BankTransferStatus {
  if (isProofWaiting) return 'in_review';
  return invoice.paidMinor > paidBeforeMinor ? 'partially_paid' : 'awaiting';
}

/** What it waits for, as a sentence for operators. `next`: what happens by the clock. */
export function transferInWords(status: BankTransferStatus, next: TransferAct | null): string {
  const until = next === null ? '' : `; ${clockWords[next.kind]} on ${inWords(next.at)}`;
  return `${statusWords[status]}${until}.`;
}

const statusWords: Record<BankTransferStatus, string> = {
  awaiting: 'Waiting for the transfer',
  partially_paid: 'A part has come; waiting for the rest',
  in_review: 'A proof of the transfer waits to be looked at',
  on_hold: 'On hold; the clock stands still until somebody resumes it',
  settled: 'Paid',
  expired: 'Not paid in time; what comes later waits for a person',
  void: 'The invoice waits for nothing any more',
};

const clockWords: Record<TransferAct['kind'], string> = {
  ask_customer: 'the customer is asked where it is',
  alert_operators: 'the operators are alerted',
  expire: 'the instructions expire',
};

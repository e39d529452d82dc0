/**
 * Coins that go back to a customer: asked for, approved, sent from the tenant's own wallet, seen on the chain. We hold no
 * private key, so nothing is ever sent by itself; above a limit, who asks is not who approves (seed 002 §8.1, "Withdrawal not
 * processing").
 */

import { type ChainName, familyOf } from './crypto-chain.ts';
import { APPROVAL_USD_MINOR } from './crypto-policy.ts';

/** `asked`: more was paid than was due, and operators are asked whether it goes back, and to which address; it holds nothing. */
export const cryptoPayoutStatuses = [
  'asked',
  'requested',
  'approved',
  'rejected',
  'broadcast',
  'confirmed',
] as const;

export type CryptoPayoutStatus = (typeof cryptoPayoutStatuses)[number];

/** Neither given up nor done: it holds what it gives back. */
export const livePayoutStatuses = ['requested', 'approved', 'broadcast'] as const;

/** It gives something back, or has: nobody gives that back a second time. */
export const givingBackStatuses = [...livePayoutStatuses, 'confirmed'] as const;

export const sentStatuses = ['broadcast', 'confirmed'] as const;

export type PayoutAct = 'approve' | 'reject' | 'broadcast';

const allowed: Record<PayoutAct, readonly CryptoPayoutStatus[]> = {
  approve: ['requested'],
  // Until it is sent, somebody may think again; afterwards as long as no block has it.
  reject: ['asked', 'requested', 'approved', 'broadcast'],
  // Told again where the fee was raised: that is another transaction in the first one's stead.
  broadcast: ['approved', 'broadcast'],
};

export const statusAfter = {
  approve: 'approved',
  reject: 'rejected',
  broadcast: 'broadcast',
} as const satisfies Record<PayoutAct, CryptoPayoutStatus>;

export type PayoutStanding = {
  status: CryptoPayoutStatus;
  /** What it was worth when it was asked for; cents of US dollars. */
  usdMinor: number;
  requestedBy: string;
  /** Who told its transaction last. */
  broadcastBy: string | null;
  /** The block that has its transaction. */
  height: number | null;
  /** The chain has taken back what it gives back. */
  isLost: boolean;
};

/**
 * Why an act is refused, as a reason (`payout_…` with the status it has, `payment_lost`, `second_approver_required`,
 * `second_person_required`, `transaction_mined`) and a sentence that says what to do; null where it may be done. From
 * `approvalUsdMinor` on, in cents of US dollars, a second person approves.
 */
export function payoutMistake(
  payout: PayoutStanding,
  act: PayoutAct,
  actor: string,
  approvalUsdMinor = APPROVAL_USD_MINOR,
): { reason: string; message: string } | null {
  const { status, usdMinor, requestedBy, isLost } = payout;
  // Of what was sent already another transaction may still be told.
  if (isLost && act !== 'reject' && !isSent(status)) {
    return { reason: 'payment_lost', message: lostWords[status] };
  }
  if (!allowed[act].includes(status)) {
    return { reason: `payout_${status}`, message: `The payout is ${status}${hints[status]}.` };
  }
  if (act === 'approve' && usdMinor >= approvalUsdMinor && actor === requestedBy) {
    return {
      reason: 'second_approver_required',
      message:
        'From this value on somebody else than who asked for it must approve it, with an API key of their own.',
    };
  }
  return act === 'reject' && status === 'broadcast' ? recallMistake(payout, actor) : null;
}

/** Whoever says that a transaction will never be mined answers for it: what it holds is let go. */
function recallMistake(
  { broadcastBy, height }: PayoutStanding,
  actor: string,
): { reason: string; message: string } | null {
  if (height !== null) {
    return {
      reason: 'transaction_mined',
      message: 'Its transaction is in a block and pays it: it was sent, and is not rejected any more.',
    };
  }
  if (actor === broadcastBy) {
    return {
      reason: 'second_person_required',
      message:
        'Somebody else than who told its transaction must reject it, with an API key of their own, and make sure before that it cannot be mined any more.',
    };
  }
  return null;
}

const lostOpen = 'The chain has taken back the payment that it gives back: do not send it, reject it.';
const lostSent =
  'The chain has taken back the payment that it gives back after it was sent: what was sent is lost to you, unless its transaction is never mined, or the payment is mined again.';
const lostWords: Record<CryptoPayoutStatus, string> = {
  asked: lostOpen,
  requested: lostOpen,
  approved: lostOpen,
  rejected:
    'The chain has taken back the payment that it gives back, so it was rejected: do not send it. If it was sent already, what was sent is lost to you.',
  broadcast: lostSent,
  confirmed: lostSent,
};

/** Its coins have left the wallet, as far as we were told. */
export function isSent(status: CryptoPayoutStatus): boolean {
  return sentStatuses.some((each) => each === status);
}

/** What somebody who reads a payout has to know besides its status. */
export type PayoutProblem = { code: (typeof payoutProblemCodes)[number]; message: string };

export const payoutProblemCodes = ['payment_lost', 'sent_after_rejection'] as const;

/**
 * `isLost`: the chain has taken back what it gives back. `sentBy`: the transaction of a rejected one that a block has all the
 * same, and that no other payout was told of.
 */
export function payoutProblem({
  status,
  isLost,
  sentBy,
}: {
  status: CryptoPayoutStatus;
  isLost: boolean;
  sentBy: string | null;
}): PayoutProblem | null {
  if (status === 'rejected' && sentBy !== null) {
    return {
      code: 'sent_after_rejection',
      message: `Transaction ${sentBy} is in a block and pays the address, though the payout was rejected, and nothing is booked. Pay nothing else for it: ask for a payout anew, have it approved, and tell this transaction with …/broadcast. Where nothing is left to be given back, what was sent is lost to you.`,
    };
  }
  return isLost ? { code: 'payment_lost', message: lostWords[status] } : null;
}

const hints: Record<CryptoPayoutStatus, string> = {
  asked:
    ' and has no address yet: ask the customer for one, and ask for the payout with it (POST /v1/crypto_invoices/{cryptoInvoiceId}/payouts), or reject it',
  requested: ' and waits to be approved',
  approved: ' and waits to be sent: tell its transaction with …/broadcast, or reject it',
  rejected: '; ask for another one if it is to be made after all',
  broadcast: ' already, and waits to be confirmed by the chain',
  confirmed: ' already',
};

/** Whether a transaction on the chain is the payout: it pays the address at least as much, in the same coin. */
export function isPaidOut(
  transfers: readonly { to: string; asset: string | null; units: bigint }[],
  payout: { target: string; asset: string; units: bigint },
): boolean {
  const paid = transfers.filter(({ to, asset }) => to === payout.target && asset === payout.asset);
  return paid.reduce((sum, { units }) => sum + units, 0n) >= payout.units;
}

/** Whether this is how transactions of a chain are called: 64 small hex digits, with `0x` in front on EVM chains. */
export function isTransactionOn(chain: ChainName, txid: string): boolean {
  return (familyOf(chain) === 'bitcoin' ? /^[0-9a-f]{64}$/ : /^0x[0-9a-f]{64}$/).test(txid);
}

/**
 * Coins that go back to a customer: asked for, approved, sent from the tenant's own wallet, seen on the chain. We hold no
 * private key, so nothing is ever sent by itself; above a limit, who asks is not who approves (seed 002 §8.1, "Withdrawal not
 * processing").
 */

import { type ChainName, familyOf } from './crypto-chain.ts';
import { APPROVAL_USD_MINOR } from './crypto-policy.ts';

export const cryptoPayoutStatuses = ['requested', 'approved', 'rejected', 'broadcast', 'confirmed'] as const;

export type CryptoPayoutStatus = (typeof cryptoPayoutStatuses)[number];

/** Neither given up nor done: it holds what it gives back. */
export const livePayoutStatuses = ['requested', 'approved', 'broadcast'] as const;

export type PayoutAct = 'approve' | 'reject' | 'broadcast';

const allowed: Record<PayoutAct, readonly CryptoPayoutStatus[]> = {
  approve: ['requested'],
  // Until it is sent, somebody may think again.
  reject: ['requested', 'approved'],
  // Told again where the fee was raised: that is another transaction in the first one's stead.
  broadcast: ['approved', 'broadcast'],
};

export const statusAfter = {
  approve: 'approved',
  reject: 'rejected',
  broadcast: 'broadcast',
} as const satisfies Record<PayoutAct, CryptoPayoutStatus>;

/**
 * Why an act is refused, as a reason (`payout_…` with the status it has, `second_approver_required`) and a sentence that says
 * what to do; null where it may be done. From `approvalUsdMinor` on, in cents of US dollars, a second person approves.
 */
export function payoutMistake(
  payout: { status: CryptoPayoutStatus; usdMinor: number; requestedBy: string },
  act: PayoutAct,
  actor: string,
  approvalUsdMinor = APPROVAL_USD_MINOR,
): { reason: string; message: string } | null {
  const { status, usdMinor, requestedBy } = payout;
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
  return null;
}

const hints: Record<CryptoPayoutStatus, string> = {
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

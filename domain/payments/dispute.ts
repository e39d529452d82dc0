/** Disputes (chargebacks): a customer's bank wants a payment back. They only move forward; what is closed is never open again. */
import type { Money } from '../money.ts';

/**
 * - `open`: the bank decides; an enquiry counts too.
 * - `won`: the payment stands.
 * - `lost`: the money is the customer's again. The bank may still take that back, and then it is `won` after all.
 */
export type DisputeStatus = 'open' | 'won' | 'lost';

/** A dispute as the card vendor sees it now. */
export type CardDispute = {
  externalId: string;
  status: DisputeStatus;
  amount: Money;
  /** The bank's reason, as a code. */
  reason: string;
  /** Whether the vendor has the money out of our account now. */
  isWithdrawn: boolean;
  openedAt: string;
};

/**
 * What news of a dispute changes, given what is booked. An answer that is older than what is booked changes nothing: what
 * is closed is never open again, what is won is never lost after that, and money that came back is never out again.
 */
export function disputeChanges(
  booked: { status: DisputeStatus; isWithdrawn: boolean; isReinstated: boolean } | null,
  seen: Pick<CardDispute, 'status' | 'isWithdrawn'>,
): DisputeChange[] {
  const before = booked ?? { status: 'open', isWithdrawn: false, isReinstated: false };
  const isOverturned = before.status === 'lost' && seen.status === 'won';
  if (before.status !== 'open' && seen.status !== before.status && !isOverturned) return [];
  // The money of a lost dispute is gone, also where nobody told us when it went.
  const goes = !before.isWithdrawn && (seen.isWithdrawn || seen.status === 'lost');
  const comesBack = before.isWithdrawn && !before.isReinstated && seen.status === 'won' && !seen.isWithdrawn;
  const closes = before.status === 'open' && seen.status !== 'open';
  return [
    ...(booked === null ? (['opened'] as const) : []),
    ...(goes ? (['withdrawn'] as const) : []),
    ...(isOverturned ? (['overturned'] as const) : []),
    ...(comesBack ? (['reinstated'] as const) : []),
    ...(closes ? [seen.status === 'won' ? ('won' as const) : ('lost' as const)] : []),
  ];
}

export type DisputeChange = 'opened' | 'withdrawn' | 'reinstated' | 'won' | 'lost' | 'overturned';

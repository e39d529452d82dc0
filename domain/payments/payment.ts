/**
 * Payments on any rail: by card, by an order the customer pays at Razorpay, by a checkout of Coinbase, in coins to an address
 * of the tenant's own wallet, by a bank transfer that is found on the tenant's account, by a recorded payment, or with the
 * customer's credit that we hold already. Only the last moves no cash.
 */
export type PaymentRail = 'stripe' | 'razorpay' | 'coinbase' | 'crypto' | 'bank' | 'manual' | 'credit';

/** Rails that a vendor stands behind: it takes the money, and it gives it back when we ask for that. */
export type VendorRail = Extract<PaymentRail, 'stripe' | 'razorpay'>;

export function isVendorRail(rail: PaymentRail): rail is VendorRail {
  return rail === 'stripe' || rail === 'razorpay';
}

/** Whether money on this rail comes unasked: no act of ours waits for it, and a charge may be under way beside it. */
export function comesUnasked(rail: PaymentRail): boolean {
  return rail !== 'stripe' && rail !== 'credit';
}

/**
 * Why a card was charged, or a bank account debited. Only `dunning` tries count as attempts of the ladder. A
 * `technical_retry` repeats one that nobody decided, a `representment` a debit that the bank returned for want of funds; both
 * lapse when the subscription no longer waits for them.
 */
export type ChargeOrigin =
  | 'first_invoice'
  | 'renewal'
  | 'plan_change'
  | 'technical_retry'
  | 'representment'
  | 'dunning'
  | 'new_payment_method';

/** Identifies the repeat of a technical failure by its planned instant; a repeat planned anew is another one. */
export function technicalRetryKey(retryAt: string): string {
  return `retry:${retryAt}`;
}

/** Identifies the charge that a request to convert asks for. */
export function conversionKey(requestId: string): string {
  return `convert:${requestId}`;
}

/** Identifies the charge for the invoice of a plan change. */
export function planChangeKey(requestId: string): string {
  return `change:${requestId}`;
}

/** How an amount received is split over an invoice: what it still needs, and what is left over as credit. */
export function allocate({ amountMinor, dueMinor }: { amountMinor: number; dueMinor: number }): {
  allocatedMinor: number;
  excessMinor: number;
} {
  const allocatedMinor = Math.min(amountMinor, Math.max(0, dueMinor));
  return { allocatedMinor, excessMinor: amountMinor - allocatedMinor };
}

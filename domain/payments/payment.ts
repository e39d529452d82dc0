/**
 * Payments on any rail: by card, by a recorded payment, or with the customer's credit that we hold already. Only the
 * last moves no cash.
 */
export type PaymentRail = 'stripe' | 'manual' | 'credit';

/**
 * Why a card was charged. Only `dunning` tries count as attempts of the ladder; a `technical_retry` repeats one that
 * nobody decided, and lapses when the subscription no longer waits for it.
 */
export type ChargeOrigin =
  | 'first_invoice'
  | 'renewal'
  | 'plan_change'
  | 'technical_retry'
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

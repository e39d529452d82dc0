/**
 * The charges a subscription still owes a try: planned in the transaction that issues the invoice, planned anew where
 * nobody could decide the charge, and dropped when it is decided or under way. The row itself says what is to be
 * collected, so a worker that dies between issuing and collecting loses nothing.
 */
import { representmentKey } from '../payments/direct-debit.ts';
import { type ChargeOrigin, technicalRetryKey } from '../payments/payment.ts';

/** One planned charge; at most one per invoice. `failures` counts the tries that nobody could decide. */
export type PlannedCharge = {
  invoiceId: string;
  origin: ChargeOrigin;
  /** Business identity of the try that is planned. */
  originKey: string;
  at: string;
  failures: number;
};

/** The repeat of a charge that nobody could decide. */
export function technicalRetry(invoiceId: string, at: string, failures: number): PlannedCharge {
  return { invoiceId, origin: 'technical_retry', originKey: technicalRetryKey(at), at, failures };
}

/** Plans a charge in place of what was planned for its invoice. */
export function planCharge(planned: readonly PlannedCharge[], charge: PlannedCharge): PlannedCharge[] {
  return [...dropCharge(planned, charge.invoiceId), charge];
}

/** The new presentation of a debit that the bank returned. */
export function representment(invoiceId: string, attemptId: string, at: string): PlannedCharge {
  return { invoiceId, origin: 'representment', originKey: representmentKey(attemptId), at, failures: 0 };
}

/** Without what was planned for the invoice. */
export function dropCharge(planned: readonly PlannedCharge[], invoiceId: string): PlannedCharge[] {
  return planned.filter((charge) => charge.invoiceId !== invoiceId);
}

export function plannedFor(planned: readonly PlannedCharge[], invoiceId: string): PlannedCharge | undefined {
  return planned.find((charge) => charge.invoiceId === invoiceId);
}

/**
 * The numbers of matching and of what people may do with a transfer (knowledge: bank reconciliation §2.5 and §8; limits
 * that are given nowhere are our proposals). What happens by the clock is in `bank-transfer.ts`.
 */
import { FX_TOLERANCE_BPS } from './foreign-payment.ts';
import type { MatchPolicy } from './match-transaction.ts';

export type BankPolicy = {
  match: MatchPolicy;
  /** What one person may write off of an invoice, in cents of US dollars. */
  writeOffLimitUsdMinor: number;
  /** From this on, a second person approves what one recorded by hand, in cents of US dollars. */
  fourEyesUsdMinor: number;
  /** Proofs of one invoice. */
  proofsMax: number;
  /** Movements so old are not decided again: somebody has looked at them by now, or reconciles by hand. */
  reconsideredDays: number;
};

export const bankPolicy: BankPolicy = {
  match: { fxToleranceBps: FX_TOLERANCE_BPS, underpayToleranceMinor: 0 },
  writeOffLimitUsdMinor: 1000,
  fourEyesUsdMinor: 100_000,
  proofsMax: 5,
  reconsideredDays: 60,
};

/**
 * What becomes of money once it is known whose it is. Nothing is lost and nothing made: what the invoices get and what becomes
 * credit is what counts and what the exchange cost, to the last unit.
 */
import type { Money } from '../money.ts';
import type { Settlement } from './match-decision.ts';
import type { MatchInvoice } from './match-facts.ts';

type Owing = Pick<MatchInvoice, 'id' | 'dueMinor'>;

export function totalDueOf(invoices: readonly Owing[]): number {
  return invoices.reduce((total, { dueMinor }) => total + dueMinor, 0);
}

/** All of them are paid; what the money is short of that, or beyond it, is the exchange's. */
export function settledInFull(invoices: readonly Owing[], counted: Money): Settlement {
  return {
    currency: counted.currency,
    countedMinor: counted.amountMinor,
    allocations: invoices.map(({ id, dueMinor }) => ({ invoiceId: id, amountMinor: dueMinor })),
    creditMinor: 0,
    fxFeeMinor: totalDueOf(invoices) - counted.amountMinor,
    writtenOffMinor: 0,
  };
}

/** The invoice gets what is due at most, the customer the rest as credit; a little may be missing. */
export function settledWith(
  { id, dueMinor }: Owing,
  counted: Money,
  { underpayToleranceMinor }: { underpayToleranceMinor: number },
): Settlement {
  const paidMinor = Math.min(counted.amountMinor, dueMinor);
  const missingMinor = dueMinor - paidMinor;
  return {
    currency: counted.currency,
    countedMinor: counted.amountMinor,
    allocations: [{ invoiceId: id, amountMinor: paidMinor }],
    creditMinor: counted.amountMinor - paidMinor,
    fxFeeMinor: 0,
    writtenOffMinor: missingMinor <= underpayToleranceMinor ? missingMinor : 0,
  };
}

/**
 * Money that came after the expiry and is accepted by itself, where the policy says so (`late: 'auto'`; §1.7, 5 of the knowledge
 * on crypto invoices: `late=auto_if_current_value>=minDue`). This says only what may be accepted; whoever carries the invoice
 * out looks whether it still is to be paid, and writes the act. From then on it is an act like an operator's: what is replayed
 * with the same acts comes to the same end.
 */
import type { CryptoInvoiceStatus, CryptoTerms } from './crypto-invoice.ts';
import { isAsked, type Standing, type Standings, worthOf } from './crypto-standing.ts';

/**
 * The keys of late payments that together with what counts already are worth what is enough, at the rates of when they came: the
 * earliest of them, no more than that takes. None where anything is in doubt: then a person looks. Whoever pays twice finds the
 * second payment with the operators, whether both were seen at once or one after the other.
 */
export function acceptableOf({
  terms,
  standings,
  status,
  isPaused,
}: {
  terms: CryptoTerms;
  standings: Standings;
  status: CryptoInvoiceStatus;
  isPaused: boolean;
}): string[] {
  const missingUnits = terms.minDueUnits - standings.creditedUnits;
  // What is enough on time, and came to light too late, is no late payment.
  if (terms.policy.late !== 'auto' || status !== 'expired' || missingUnits <= 0n) return [];
  if (isPaused || standings.isAttempted || standings.isOrphaned) return [];

  const late = standings.all.filter(isBeyondDoubt).toSorted(byTime);
  const keys: string[] = [];
  let sumUnits = 0n;
  for (const { payment } of late) {
    const units = worthOf(payment, 'received', terms);
    // Nobody knows its worth.
    if (units === null) continue;
    keys.push(payment.key);
    sumUnits += units;
    if (sumUnits >= missingUnits) return keys;
  }
  return [];
}

/** What was asked for, late and nothing else: nobody has spoken on it, and no other transaction has a part in it. */
function isBeyondDoubt(each: Standing): boolean {
  const { payment, rival, parent } = each;
  const isLateOnly = each.isPending && each.isLate && isAsked(each);
  return isLateOnly && rival === null && parent === null && payment.orphanedAt === null;
}

function byTime({ payment: a }: Standing, { payment: b }: Standing): number {
  const apart = Date.parse(a.effectiveAt) - Date.parse(b.effectiveAt);
  return apart !== 0 ? apart : a.key < b.key ? -1 : 1;
}

/** Money for an invoice that was paid before is the customer's credit, in the invoice's currency. */
import { isEntered } from './exchange-rate.ts';
import type { MatchDecision } from './match-decision.ts';
import type { MatchFacts } from './match-facts.ts';
import { convertedInto } from './match-rank.ts';

/**
 * The same decision; for a second payment in another currency, like for a first one (rule 6), that it waits for a rate where
 * nobody knows its worth, and for a person where only one that somebody entered says it.
 */
export function creditableOnly(decision: MatchDecision, { rates }: MatchFacts): MatchDecision {
  if (decision.kind !== 'duplicate_credit' || decision.needsConfirmation) return decision;
  const { evidence, invoiceId, level, credit } = decision;
  const invoice = evidence.invoices.find(({ id }) => id === invoiceId);
  if (invoice === undefined || invoice.currency === credit.currency) return decision;
  const converted = convertedInto(invoice.currency, credit, rates);
  if (converted !== null)
    return isEntered(converted.rate) ? { ...decision, needsConfirmation: true } : decision;
  return { kind: 'exception_fx', rule: 2, evidence, invoiceId, level };
}

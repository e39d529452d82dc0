/** Money for an invoice that was paid before is the customer's credit, in the invoice's currency. */
import type { MatchDecision } from './match-decision.ts';
import type { MatchFacts } from './match-facts.ts';
import { convertedInto } from './match-rank.ts';

/**
 * The same decision; for a second payment in another currency whose worth nobody knows, that it waits for a rate like a first
 * one (rule 6).
 */
export function creditableOnly(decision: MatchDecision, { rates }: MatchFacts): MatchDecision {
  if (decision.kind !== 'duplicate_credit' || decision.needsConfirmation) return decision;
  const { evidence, invoiceId, level, credit } = decision;
  const invoice = evidence.invoices.find(({ id }) => id === invoiceId);
  if (invoice === undefined || invoice.currency === credit.currency) return decision;
  if (convertedInto(invoice.currency, credit, rates) !== null) return decision;
  return { kind: 'exception_fx', rule: 2, evidence, invoiceId, level };
}

/**
 * A movement that nothing in its text ties to an invoice, and whose number at the bank a customer has told us from the
 * confirmation of the transfer. Numbers are typed by people, so it is no more
 * than the first suggestion: one click, by a person.
 */
import { type CandidateSubject, candidatesOf, rankSubjectOf } from './match-candidates.ts';
import { type DecisionOf, decidedInvoice, type MatchDecision } from './match-decision.ts';
import type { MatchFacts, MatchInvoice } from './match-facts.ts';
import { type RankCandidate, rankSuggestions, referencePoints, type Suggestion } from './match-rank.ts';
import type { MatchInput } from './match-transaction.ts';

/**
 * The same decision with the invoices whose confirmation has the movement's number put first, as surely as if the text named
 * them; for any other than a suggestion without a reference, or none at all, it stays as it is.
 */
export function withConfirmed(
  decision: MatchDecision,
  { transaction, facts, confirmed }: Pick<MatchInput, 'transaction'> & Confirmed,
): MatchDecision {
  if (decision.kind !== 'unmatched' && decision.kind !== 'suggest') return decision;
  if (decision.rule !== 11 && decision.rule !== 12) return decision;
  const { evidence } = decision;
  const { received } = evidence;
  const candidates = confirmed.flatMap((invoice) => candidatesOf(invoice, { received, level: 'E' }));
  if (candidates.length === 0) return decision;
  const first = confirmedSuggestions(candidates, { transaction, facts, ...evidence });
  const shown = new Set(candidates.flatMap(({ invoices }) => invoices.map(({ id }) => id)));
  const awaiting = confirmed.filter(({ id }) => shown.has(id));
  const others = suggestionsOf(decision).filter(({ invoiceIds }) => !invoiceIds.some((id) => shown.has(id)));
  return {
    kind: 'suggest',
    rule: decision.rule,
    evidence: {
      ...evidence,
      invoices: [...awaiting.map(decidedInvoice), ...evidence.invoices.filter(({ id }) => !shown.has(id))],
    },
    suggestions: [...first, ...others],
    isAmbiguous: first.length > 1,
    isForeignReference: decision.isForeignReference,
  };
}

export type Confirmed = {
  facts: MatchFacts;
  /** Invoices of whose transfer the customer has told a number that the movement has or names. */
  confirmed: readonly MatchInvoice[];
};

/** Ranked among themselves; the number counts as much as a reference that is written out. */
function confirmedSuggestions(candidates: readonly RankCandidate[], subject: CandidateSubject): Suggestion[] {
  return rankSuggestions(rankSubjectOf(subject), candidates).suggestions.map((suggestion) => ({
    ...suggestion,
    level: null,
    points: { ...suggestion.points, reference: referencePoints.E },
    isConfirmed: true,
  }));
}

function suggestionsOf(decision: DecisionOf<'suggest' | 'unmatched'>): Suggestion[] {
  return decision.kind === 'suggest' ? decision.suggestions : [];
}

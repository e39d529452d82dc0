import { describe, expect, it } from 'vitest';
import { decide, factsOf, invoiceOf, invoices, movement } from '../../test/support/bank-matching.ts';
import { withConfirmed } from './match-confirmed.ts';
import type { MatchDecision } from './match-decision.ts';
import { matchInWords } from './match-sentence.ts';

const transaction = movement('INCOMING WIRE', 49_900, { bankReference: 'FED778899' });
const facts = factsOf(Object.values(invoices));
const told = invoiceOf('T', 'ADV61000007', 20_000);
const confirmedIn = (decision: MatchDecision, ...confirmed: (typeof told)[]) =>
  withConfirmed(decision, { transaction, facts, confirmed });
const idsOf = (decision: MatchDecision) =>
  decision.kind === 'suggest' ? decision.suggestions.map(({ invoiceIds }) => invoiceIds.join()) : [];

describe('a movement with the number on a customer’s confirmation', () => {
  it('is suggested for that invoice first, before equal amounts, and for nothing twice', () => {
    const decision = decide(transaction);
    expect(idsOf(decision)).toEqual(['A', 'C']);
    const confirmed = confirmedIn(decision, told);
    expect(idsOf(confirmed)).toEqual(['T', 'A', 'C']);
    expect(confirmed).toMatchObject({
      kind: 'suggest',
      rule: 11,
      isAmbiguous: false,
      isForeignReference: false,
      suggestions: [{ isConfirmed: true, level: null, points: { reference: 100 } }, {}, {}],
      evidence: {
        invoices: [{ id: 'T', dueMinor: 20_000, reference: 'ADV61000007' }, { id: 'A' }, { id: 'C' }],
      },
    });
    expect(matchInWords(confirmed)).toContain("it has the number that is on the customer's confirmation");
    expect(idsOf(confirmedIn(decision, invoices.A))).toEqual(['A', 'C']);
  });

  it('is suggested where nothing else fits', () => {
    const decision = decide(movement('INCOMING WIRE', 1));
    expect(decision.kind).toBe('unmatched');
    expect(idsOf(confirmedIn(decision, told))).toEqual(['T']);
  });

  it('keeps the flag of a foreign reference, and says where two customers told the same number', () => {
    const decision = decide(movement('WIRE ADV99999999', 1));
    expect(confirmedIn(decision, told, invoices.B)).toMatchObject({
      rule: 12,
      isForeignReference: true,
      isAmbiguous: true,
    });
  });

  it('is left as it is where the text names an invoice, or the invoice needs nothing any more', () => {
    for (const decision of [
      decide(movement('WIRE ADV48213075', 49_900)),
      decide(movement('ACH 48213075', 1)),
      decide(movement('RENT', -1)),
    ])
      expect(confirmedIn(decision, told)).toBe(decision);
    const unmatched = decide(movement('INCOMING WIRE', 1));
    expect(confirmedIn(unmatched, invoices.P, invoices.V)).toBe(unmatched);
    expect(confirmedIn(unmatched)).toBe(unmatched);
  });
});

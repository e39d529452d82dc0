import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, factsOf, invoices, movement, receiving } from '../../test/support/bank-matching.ts';
import { bankPolicy } from './bank-policy.ts';
import { inDecisionOrder, wantedFacts, wantedNeighbours } from './match-facts.ts';
import { matchTransaction } from './match-transaction.ts';
import { readReferences } from './reference-text.ts';

describe('what is to be known of a movement', () => {
  it('are the codes it may name, its amount, the pending one before it, and the day of a rate', () => {
    const transaction = movement(['WIRE ADV4821307S 10002001', 'adv 1234-5678'], 49_900, {
      authorisedOn: '2026-03-04',
      pendingExternalId: 'p',
    });
    expect(wantedFacts(transaction)).toEqual({
      readings: readReferences(transaction.texts),
      references: ['ADV48213075', 'ADV10002001', 'ADV12345678'],
      amount: { amountMinor: 49_900, currency: 'USD' },
      pendingExternalId: 'p',
      rateDay: '2026-03-04',
    });
  });

  it('of money out are the codes it may name, and no amount, for it pays nothing', () => {
    const transaction = movement('RETURN ADV48213076', -49_900);
    expect(wantedFacts(transaction)).toMatchObject({
      references: ['ADV48213076'],
      amount: null,
      rateDay: '2026-03-05',
    });
    expect(wantedNeighbours(wantedFacts(transaction), () => false)).toEqual([]);
  });

  it('are slips only where no code is known', () => {
    const transaction = movement('ADV48213076 ADV10002001', 1);
    expect(wantedNeighbours(wantedFacts(transaction), (code) => code === 'ADV10002001')).toEqual([]);
    expect(wantedNeighbours(wantedFacts(transaction), () => false)).toContain('ADV48213075');
  });

  it('is enough: no other code is ever asked for', () => {
    const words = fc.constantFrom(
      'ADV48213075',
      'ADV48213076',
      'ADV 4821307',
      'A0V4821O075',
      '48213075',
      '20261031',
      'adv-1000-2001',
      'RETURN',
      'WIRE',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 6 }), fc.integer({ min: -1, max: 1 }), (text, sign) => {
        const transaction = movement(text.join(' '), sign * 49_900);
        const known = (code: string) => Object.values(invoices).find(({ reference }) => reference === code);
        const wanted = new Set(wantedFacts(transaction).references);
        for (const code of wantedNeighbours(wantedFacts(transaction), (code) => known(code) !== undefined)) {
          wanted.add(code);
        }
        const asked: string[] = [];
        decide(transaction, {
          facts: {
            invoiceOf: (code) => {
              asked.push(code);
              return known(code) ?? null;
            },
          },
        });
        expect(asked.filter((code) => !wanted.has(code))).toEqual([]);
      }),
    );
  });
});

it('a movement is decided the same whether its texts were read before or not', () => {
  const known = factsOf(Object.values(invoices));
  for (const text of ['ADV48213075', 'ADV48213076', '48213075', 'ADV99999999', 'WIRE']) {
    const transaction = movement(text, 49_900);
    const input = { transaction, account: receiving, facts: known, policy: bankPolicy.match };
    const { readings } = wantedFacts(transaction);
    expect(matchTransaction({ ...input, readings })).toEqual(matchTransaction(input));
  }
});

describe('the order in which movements are decided', () => {
  it('is by day, money in first, then by name', () => {
    const rows = [
      movement('', -5, { externalId: 'a', bookedOn: '2026-03-05' }),
      movement('', 5, { externalId: 'c', bookedOn: '2026-03-05' }),
      movement('', 5, { externalId: 'b', bookedOn: '2026-03-05' }),
      movement('', -5, { externalId: 'd', bookedOn: '2026-03-04' }),
    ];
    expect(rows.toSorted(inDecisionOrder).map(({ externalId }) => externalId)).toEqual(['d', 'b', 'c', 'a']);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { movement } from '../../test/support/bank-matching.ts';
import { suspectedCopies } from './bank-overlap.ts';
import type { BankTransaction } from './bank-transaction.ts';

const fed = movement('WIRE IN ADV48213075 ACME CORP', 49_900, { externalId: 'feed' });
const filed = (text: string, details: Partial<BankTransaction> = {}) =>
  movement(text, 49_900, { externalId: 'file', ...details });
const copiesOf = (told: readonly BankTransaction[], known: readonly BankTransaction[]) => [
  ...suspectedCopies(told, known),
];

describe('a feed and a file that overlap', () => {
  it.each([
    ['of the same day', filed('Überweisung adv-4821-3075')],
    ['three days earlier', filed('ADV48213075', { bookedOn: '2026-03-02' })],
    ['three days later', filed('ADV48213075', { bookedOn: '2026-03-08' })],
    ['whose text is cut', filed('INCOMING WIRE')],
    ['that names another invoice besides', filed('ADV10002001 ADV48213075')],
  ])('have a copy that is suspected: %s', (_name, told) => {
    expect(copiesOf([told], [fed])).toEqual([['file', 'feed']]);
  });

  it.each([
    ['four days earlier', filed('ADV48213075', { bookedOn: '2026-03-01' })],
    ['four days later', filed('ADV48213075', { bookedOn: '2026-03-09' })],
    ['of another amount', filed('ADV48213075', { amountMinor: 49_901 })],
    ['the other way round', filed('ADV48213075', { amountMinor: -49_900 })],
    ['of another currency', filed('ADV48213075', { currency: 'EUR' })],
    ['for another invoice', filed('ADV10002001')],
  ])('have no copy where one is %s', (_name, told) => {
    expect(copiesOf([told], [fed])).toEqual([]);
  });

  it('lose no second payment: beside one that is known, one of two equal ones is new', () => {
    const told = [filed('WIRE', { externalId: 'f1' }), filed('WIRE', { externalId: 'f2' })];
    expect(copiesOf(told, [fed])).toEqual([['f1', 'feed']]);
    expect(copiesOf(told, [fed, { ...fed, externalId: 'feed2' }])).toEqual([
      ['f1', 'feed'],
      ['f2', 'feed2'],
    ]);
  });

  it('pair the nearest in time', () => {
    const known = [
      { ...fed, externalId: 'early', bookedOn: '2026-03-04' },
      { ...fed, externalId: 'late', bookedOn: '2026-03-06' },
    ];
    const told = [
      filed('WIRE', { externalId: 'f1', bookedOn: '2026-03-06' }),
      filed('WIRE', { externalId: 'f2', bookedOn: '2026-03-07' }),
    ];
    expect(copiesOf(told, known)).toEqual([
      ['f1', 'late'],
      ['f2', 'early'],
    ]);
  });

  it('pair those that name the same invoice before those that are nearer', () => {
    const known = [
      { ...fed, externalId: 'named', bookedOn: '2026-03-07' },
      { ...fed, externalId: 'cut', texts: ['WIRE'] },
    ];
    const told = [filed('ADV48213075', { externalId: 'f1' }), filed('WIRE', { externalId: 'f2' })];
    expect(copiesOf(told, known)).toEqual([
      ['f1', 'named'],
      ['f2', 'cut'],
    ]);
  });

  it('of a hundred thousand equal amounts cost no more than their number', () => {
    const many = (source: string) =>
      Array.from({ length: 50_000 }, (_, index) =>
        movement(index % 2 === 0 ? 'WIRE' : `ADV${10_000_000 + index}`, 4900, {
          externalId: `${source}${index}`,
        }),
      );
    expect(suspectedCopies(many('told'), many('known')).size).toBe(50_000);
  });

  it('pair the same in any order, and each movement once', () => {
    const row = (source: string) =>
      fc
        .record({
          amountMinor: fc.constantFrom(100, 200),
          bookedOn: fc.constantFrom('2026-03-01', '2026-03-03', '2026-03-05', '2026-03-08'),
          text: fc.constantFrom('WIRE', 'ADV48213075', 'ADV10002001'),
          name: fc.nat({ max: 99 }),
        })
        .map(({ amountMinor, bookedOn, text, name }) =>
          movement(text, amountMinor, { externalId: `${source}${name}`, bookedOn }),
        );
    const rows = (source: string) =>
      fc.uniqueArray(row(source), { selector: ({ externalId }) => externalId, maxLength: 6 });
    fc.assert(
      fc.property(rows('told'), rows('known'), (told, known) => {
        const copies = suspectedCopies(told, known);
        expect(suspectedCopies(told.toReversed(), known.toReversed())).toEqual(copies);
        expect(new Set(copies.values()).size).toBe(copies.size);
      }),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { invoiceOf, rate } from '../../test/support/bank-matching.ts';
import type { MatchInvoice } from './match-facts.ts';
import { type RankCandidate, type RankSubject, rankSuggestions } from './match-rank.ts';

const subject: RankSubject = {
  received: { amountMinor: 10_000, currency: 'USD' },
  day: '2026-03-05',
  payerText: 'GLOBEX INDUSTRIES',
  rates: [rate('USD', 'EUR', '0.5')],
};
const one = (details: Partial<MatchInvoice> = {}, level: RankCandidate['level'] = null): RankCandidate => ({
  invoices: [
    invoiceOf('i', 'ADV48213075', 10_000, {
      customerName: 'Globex Industries',
      createdOn: '2026-03-05',
      ...details,
    }),
  ],
  level,
});

/** So that each is shown: a reference at level T. */
function pointsOf(candidate: Pick<RankCandidate, 'invoices'>) {
  return rankSuggestions(subject, [{ ...candidate, level: 'T' }]).suggestions[0]?.points;
}

describe('the points of a suggestion', () => {
  it.each([
    ['E', 100],
    ['N', 90],
    ['D', 70],
    ['T', 60],
    [null, 0],
  ] as const)('reference %s: %i', (level, reference) => {
    expect(rankSuggestions(subject, [one({}, level)]).suggestions[0]?.points.reference).toBe(reference);
  });

  it.each<[string, Partial<MatchInvoice>, number]>([
    ['exact', {}, 40],
    ['5 % less than due', { dueMinor: 10_526 }, 10],
    ['more than 5 % less', { dueMinor: 10_527 }, 0],
    ['5 % more than due', { dueMinor: 9524 }, 10],
    ['more than 5 % more', { dueMinor: 9523 }, 0],
    ['exact at the rate', { dueMinor: 5000, currency: 'EUR' }, 30],
    ['1 % off at the rate', { dueMinor: 4951, currency: 'EUR' }, 30],
    ['more than 1 % off', { dueMinor: 4950, currency: 'EUR' }, 20],
    ['5 % off at the rate', { dueMinor: 5263, currency: 'EUR' }, 20],
    ['more than 5 % off', { dueMinor: 5264, currency: 'EUR' }, 0],
    ['no rate', { dueMinor: 10_000, currency: 'GBP' }, 0],
  ])('amount %s: %#', (_name, details, amount) => {
    const { invoices } = one(details);
    expect(pointsOf({ invoices })?.amount).toBe(amount);
  });

  it.each([
    ['Globex Industries', 20],
    ['Globex', 20],
    // 6 of 13 letters: 9.23. 10 of 16 letters: 12.5 goes up.
    ['Globex Holding', 9],
    ['Industries Abcdef', 13],
    ['Umbrella', 0],
  ])('name %s: %i', (customerName, name) => {
    expect(pointsOf(one({ customerName }))?.name).toBe(name);
  });

  it.each([
    ['2026-03-05', 10],
    ['2026-03-04', 9],
    ['2026-03-08', 7],
    ['2026-02-23', 0],
    ['2025-03-05', 0],
  ])('date %s: %i', (createdOn, date) => {
    expect(pointsOf(one({ createdOn }))?.date).toBe(date);
  });

  it('are added', () => {
    expect(rankSuggestions(subject, [one({}, 'D')]).suggestions).toEqual([
      {
        invoiceIds: ['i'],
        level: 'D',
        score: 140,
        points: { reference: 70, amount: 40, name: 20, date: 10 },
      },
    ]);
  });

  it('of several invoices are those of their sum, and of the oldest', () => {
    const [a, b] = [
      one({ id: 'a', dueMinor: 4000 }),
      one({ id: 'b', dueMinor: 6000, createdOn: '2026-03-01' }),
    ];
    const together = { invoices: [...a.invoices, ...b.invoices], level: null };
    expect(rankSuggestions(subject, [together]).suggestions).toMatchObject([
      { invoiceIds: ['a', 'b'], score: 66, points: { amount: 40, name: 20, date: 6 } },
    ]);
  });
});

describe('the order of suggestions', () => {
  const shown = (candidates: RankCandidate[]) => {
    const { suggestions, isAmbiguous } = rankSuggestions(subject, candidates);
    return [...suggestions.map(({ invoiceIds, score }) => `${invoiceIds.join('+')} ${score}`), isAmbiguous];
  };
  const far = { customerName: 'Umbrella', createdOn: '2026-01-01' };

  it('shows from 40 points on', () => {
    expect(shown([one({ ...far, id: 'exact' })])).toEqual(['exact 40', false]);
    expect(shown([one({ customerName: 'Globex', createdOn: '2026-03-04', dueMinor: 10_100 })])).toEqual([
      false,
    ]);
  });

  it('is by points, then by days, by when it was made, and by id', () => {
    const day = { ...far, createdOn: '2026-02-01' };
    expect(
      shown([
        one({ ...day, id: 'z' }),
        one({ ...day, id: 'y', createdAt: '2026-02-01T08:00:00.000Z' }),
        one({ ...day, id: 'x', createdAt: '2026-02-01T08:00:00.000Z' }),
        one({ ...far, id: 'old' }),
        one({ ...far, id: 'named' }, 'T'),
      ]),
    ).toEqual(['named 100', 'x 40', 'y 40', 'z 40', 'old 40', false]);
  });

  it('is ambiguous where the first two are five points apart or less', () => {
    const at = (day: string) => one({ ...far, id: day, createdOn: day });
    expect(shown([at('2026-03-05'), at('2026-02-28')])).toEqual(['2026-03-05 50', '2026-02-28 45', true]);
    expect(shown([at('2026-03-05'), at('2026-02-27')])).toEqual(['2026-03-05 50', '2026-02-27 44', false]);
  });

  it('does not depend on the order in which they were found', () => {
    const candidates = ['a', 'b', 'c'].map((id) => one({ ...far, id }));
    expect(shown(candidates.toReversed())).toEqual(shown(candidates));
  });
});

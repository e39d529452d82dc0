import { expect, it } from 'vitest';
import { type CohortTotal, cohortsOf } from './cohorts.ts';
import { inFull } from './fraction.ts';

const total = (fields: Partial<CohortTotal>): CohortTotal => ({
  currency: 'USD',
  cohort: 1,
  kind: 'new',
  interval: 1,
  numerator: 2900n,
  denominator: 1n,
  movements: 1,
  ...fields,
});

it('a cohort is followed from its month on: who left is missing until it comes back', () => {
  const cohorts = cohortsOf(
    [
      total({ movements: 4, numerator: 11_600n }),
      total({ kind: 'churn', interval: 2, movements: 3, numerator: -8700n }),
      total({ kind: 'expansion', interval: 2, numerator: 6500n, denominator: 3n }),
      total({ kind: 'reactivation', interval: 4, movements: 1, numerator: 2900n }),
      total({ cohort: 3, interval: 3, movements: 2, numerator: 5800n }),
      // Customers of before the first month are in no cohort that is asked for.
      total({ cohort: 0, interval: 0 }),
      total({ currency: 'EUR', cohort: 4, interval: 4 }),
    ],
    4,
  );
  const seen = cohorts.map(({ currency, month, customers, months }) => ({
    cohort: `${currency} ${month}: ${customers}`,
    months: months.map((each) => `${each.customers} ${inFull(each.mrr)} ${each.retention}`),
  }));
  expect(seen).toEqual([
    { cohort: 'EUR 4: 1', months: ['1 2900 1'] },
    { cohort: 'USD 1: 4', months: ['4 11600 1', '1 15200/3 0.25', '1 15200/3 0.25', '2 23900/3 0.5'] },
    { cohort: 'USD 3: 2', months: ['2 5800 1', '2 5800 1'] },
  ]);
});

/** Retention of cohorts: of the customers who first paid in a month, how many pay, and how much, months later. */
import type { Fraction } from './fraction.ts';
import { type MovementTotal, mrrIntervals } from './mrr-report.ts';

/** A total of the customers of one cohort; `cohort` and `interval` are months, counted from 1. */
export type CohortTotal = MovementTotal & { cohort: number };

export type CohortMonth = {
  /** Paying at the month's end. */
  customers: number;
  mrr: Fraction;
  /** Of the customers the cohort began with. */
  retention: number;
};

export type Cohort = {
  currency: string;
  /** Its month, from 1 on. */
  month: number;
  /** Customers who paid for the first time in it, whether or not they still did at its end. */
  customers: number;
  /** Its own month first, then every month up to the last one. */
  months: CohortMonth[];
};

/** The cohorts of months 1 to `count` in which anybody began, by currency and month. */
export function cohortsOf(totals: readonly CohortTotal[], count: number): Cohort[] {
  const groups = Map.groupBy(totals, ({ currency, cohort }) => `${currency} ${cohort}`);
  return [...groups.values()]
    .flatMap((own): Cohort[] => {
      const [{ currency, cohort: month } = { currency: '', cohort: 0 }] = own;
      const intervals = mrrIntervals(own, count).slice(month - 1);
      const customers = intervals[0]?.counts.new ?? 0;
      if (month < 1 || customers === 0) return [];
      const months = intervals.map(({ endCustomers, end }) => ({
        customers: endCustomers,
        mrr: end,
        retention: endCustomers / customers,
      }));
      return [{ currency, month, customers, months }];
    })
    .toSorted((a, b) => (a.currency === b.currency ? a.month - b.month : a.currency < b.currency ? -1 : 1));
}

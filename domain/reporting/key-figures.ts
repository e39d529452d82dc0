/**
 * Key figures of a month of recurring revenue: ARR, ARPA, churn and LTV (knowledge: billing §1.9; seed 002 §3.4). What
 * cannot be divided is null, never infinite.
 */
import { type Fraction, fraction, over, plus, times } from './fraction.ts';

export type MonthOfRevenue = {
  /** MRR at the month's start and end. */
  startMrr: Fraction;
  endMrr: Fraction;
  /** Paying customers at its start and end. */
  startCustomers: number;
  endCustomers: number;
  /** Positive: what was lost in it. */
  churnedMrr: Fraction;
  contractedMrr: Fraction;
  churnedCustomers: number;
  /** What of the revenue is left after what serving the customer costs, 0 to 100. */
  marginPercent: number;
};

export type KeyFigures = {
  mrr: Fraction;
  arr: Fraction;
  /** MRR per paying customer. */
  arpa: Fraction | null;
  /** Customers lost in the month, of those at its start. */
  customerChurnRate: Fraction | null;
  /** Revenue lost in the month to churn and contraction, of that at its start. */
  revenueChurnRate: Fraction | null;
  /** ARPA × margin / customer churn: what a customer brings until it leaves. */
  ltv: Fraction | null;
};

export function keyFigures(month: MonthOfRevenue): KeyFigures {
  const count = (customers: number) => fraction(BigInt(customers));
  const arpa = over(month.endMrr, count(month.endCustomers));
  const customerChurnRate = over(count(month.churnedCustomers), count(month.startCustomers));
  return {
    mrr: month.endMrr,
    arr: times(month.endMrr, fraction(12n)),
    arpa,
    customerChurnRate,
    revenueChurnRate: over(plus(month.churnedMrr, month.contractedMrr), month.startMrr),
    ltv: lifetimeValue({ arpa, churnRate: customerChurnRate, marginPercent: month.marginPercent }),
  };
}

/** 50 × 0.8 / 0.05 = 800; null while nobody has left. */
export function lifetimeValue({
  arpa,
  churnRate,
  marginPercent,
}: {
  arpa: Fraction | null;
  churnRate: Fraction | null;
  marginPercent: number;
}): Fraction | null {
  if (arpa === null || churnRate === null) return null;
  return over(times(arpa, fraction(BigInt(marginPercent), 100n)), churnRate);
}

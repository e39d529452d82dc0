/**
 * Revenue as it came in, by day and rail. Credit is money that came in before, on another rail: it is shown, and left out
 * of what all rails come to.
 */
import type { PaymentRail } from '../payments/payment.ts';

export type RevenueKind =
  | 'payment'
  | 'payment_returned'
  | 'refund'
  | 'refund_reversed'
  | 'dispute_withdrawn'
  | 'dispute_reinstated';

/** What each figure is made of; `net` is all of it. A direct debit that a bank took back was not received after all. */
export const kindsOf = {
  received: ['payment', 'payment_returned'],
  refunded: ['refund', 'refund_reversed'],
  disputed: ['dispute_withdrawn', 'dispute_reinstated'],
  net: [
    'payment',
    'payment_returned',
    'refund',
    'refund_reversed',
    'dispute_withdrawn',
    'dispute_reinstated',
  ],
} as const satisfies Record<string, readonly RevenueKind[]>;

export type RevenueFigure = keyof typeof kindsOf;

export const revenueFigures = Object.keys(kindsOf) as RevenueFigure[];

export const rails: readonly PaymentRail[] = [
  'stripe',
  'razorpay',
  'coinbase',
  'crypto',
  'bank',
  'manual',
  'credit',
];

/** Those on which money moves. */
export const cashRails: readonly PaymentRail[] = rails.filter((rail) => rail !== 'credit');

/** Entries of one kind, rail and currency of one day, added up; what goes out is negative. */
export type RevenueTotal = {
  currency: string;
  rail: PaymentRail;
  kind: RevenueKind;
  /** From 1 on. */
  day: number;
  amountMinor: number;
};

/** `net = received - refunded - disputed`. */
export type RevenueFigures = Record<RevenueFigure, number>;

export type CurrencyRevenue = {
  currency: string;
  /** What came in on all rails but credit. */
  total: RevenueFigures;
  rails: { rail: PaymentRail; figures: RevenueFigures }[];
  /** Days on which anything moved. */
  days: { day: number; rail: PaymentRail; figures: RevenueFigures }[];
};

export function revenueByCurrency(totals: readonly RevenueTotal[]): CurrencyRevenue[] {
  const byCurrency = Map.groupBy(totals, ({ currency }) => currency);
  return [...byCurrency]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([currency, own]) => ({
      currency,
      total: figuresOf(own.filter(({ rail }) => cashRails.includes(rail))),
      rails: byRail(own),
      days: [...Map.groupBy(own, ({ day }) => day)]
        .toSorted(([a], [b]) => a - b)
        .flatMap(([day, ofDay]) => byRail(ofDay).map((each) => ({ day, ...each }))),
    }));
}

function byRail(totals: readonly RevenueTotal[]): { rail: PaymentRail; figures: RevenueFigures }[] {
  return rails.flatMap((rail) => {
    const own = totals.filter((total) => total.rail === rail);
    return own.length === 0 ? [] : [{ rail, figures: figuresOf(own) }];
  });
}

function figuresOf(totals: readonly RevenueTotal[]): RevenueFigures {
  const sumOf = (figure: RevenueFigure) => {
    const kinds: readonly RevenueKind[] = kindsOf[figure];
    return totals.reduce((sum, { kind, amountMinor }) => (kinds.includes(kind) ? sum + amountMinor : sum), 0);
  };
  return {
    received: sumOf('received'),
    refunded: 0 - sumOf('refunded'),
    disputed: 0 - sumOf('disputed'),
    net: sumOf('net'),
  };
}

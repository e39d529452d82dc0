import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { realDayMs } from '../instant.ts';
import {
  billedLinesOf,
  billOf,
  type ChangeDecision,
  type ChangeQuestion,
  decideChange,
  isUpgrade,
  type PlanTerms,
  termsInWords,
} from './plan-change.ts';
import { type TaxFacts, taxesFor } from './tax.ts';

const april = { startsAt: '2025-04-01T00:00:00.000Z', endsAt: '2025-05-01T00:00:00.000Z' };
const middle = '2025-04-16T00:00:00.000Z';
const basic = terms({ planId: 'basic', unitMinor: 1000, rank: 1 });
const pro = terms({ planId: 'pro', unitMinor: 2000, rank: 2 });
const free = terms({ planId: 'free', unitMinor: 0, rank: 0 });
const yearly = terms({ planId: 'yearly', unitMinor: 30_000, interval: { unit: 'year', count: 1 } });

const paidLine = { lineId: 'line_1', amountMinor: 1000, paidMinor: 1000, period: april };

describe('an upgrade', () => {
  it('credits the rest of the old plan and charges the rest of the new one, line by line', () => {
    expect(decide({ target: pro })).toEqual({
      kind: 'upgrade',
      billedLater: false,
      reanchors: false,
      period: april,
      lapsesAt: '2025-04-16T23:00:00.000Z',
      lines: [
        {
          kind: 'change_credit',
          amountMinor: -500,
          period: { startsAt: middle, endsAt: april.endsAt },
          creditsLineId: 'line_1',
          taxedAs: { rates: [], isInclusive: false },
        },
        { kind: 'change_charge', amountMinor: 1000, period: { startsAt: middle, endsAt: april.endsAt } },
      ],
    });
  });

  it('by seats is billed the same way', () => {
    expect(amounts(decide({ target: { ...basic, quantity: 4 } }))).toEqual([-500, 2000]);
  });

  it('of less than a card can be charged is billed with the next invoice', () => {
    // 1 h 12 min of 30 days are 1.67 of 1000 and 100 of 60,000.
    const late = { at: '2025-04-30T22:48:00.000Z' };
    const half = decide({ target: terms({ planId: 'half', unitMinor: 30_000, rank: 2 }), ...late });
    expect([amounts(half), half]).toMatchObject([[-2, 50], { billedLater: true }]);
    const whole = decide({ target: terms({ planId: 'whole', unitMinor: 60_000, rank: 2 }), ...late });
    expect([amounts(whole), whole]).toMatchObject([[-2, 100], { billedLater: false }]);
    const byEngine = { subscription: { hasTaxEngine: true } };
    expect(decide({ target: pro, at: '2025-04-30T12:00:00.000Z', ...byEngine })).toMatchObject({
      billedLater: false,
    });
  });

  it('emits no line of zero', () => {
    expect(amounts(decide({ target: pro, at: '2025-04-30T23:59:59.000Z' }))).toEqual([]);
  });

  it('to another interval begins a new period now, in full', () => {
    const decision = decide({ target: yearly });
    expect(decision).toMatchObject({
      kind: 'upgrade',
      reanchors: true,
      period: { startsAt: middle, endsAt: '2026-04-16T00:00:00.000Z' },
    });
    expect(amounts(decision)).toEqual([-500, 30_000]);
  });

  it('from a free plan begins a new period, and has nothing to credit', () => {
    const decision = decide({ current: free, target: basic, billed: [] });
    expect(decision).toMatchObject({ reanchors: true, period: { startsAt: middle } });
    expect(amounts(decision)).toEqual([1000]);
  });

  it('with reset begins a new period of the same length', () => {
    const decision = decide({ target: pro, proration: 'reset' });
    expect(decision).toMatchObject({
      reanchors: true,
      period: { startsAt: middle, endsAt: '2025-05-16T00:00:00.000Z' },
    });
    expect(amounts(decision)).toEqual([-500, 2000]);
  });

  it('with none bills nothing before the renewal', () => {
    expect(decide({ target: pro, proration: 'none' })).toMatchObject({ reanchors: false, lines: [] });
  });

  it('credits what a coupon left to pay, and charges in full where it has run out (V-P1 n)', () => {
    const billed = [{ lineId: 'line_1', amountMinor: 800, paidMinor: 800, period: april }];
    expect(amounts(decide({ target: pro, billed }))).toEqual([-400, 1000]);
  });

  it('charges less with a coupon that lasts for ever, and shows by how much', () => {
    const lasting = { couponId: 'cpn_1', code: 'SPRING', off: { percent: 20 }, periodsLeft: null };
    const decision = decide({ target: pro, discount: lasting });
    expect(amounts(decision)).toEqual([-500, 800]);
    expect(decision).toMatchObject({ lines: [{}, { discountMinor: 200 }] });
    expect(amounts(decide({ target: pro, discount: { ...lasting, periodsLeft: 5 } }))).toEqual([-500, 1000]);
  });

  it('on the next invoice bills the same lines later, unless a new period begins', () => {
    const decision = decide({ target: pro, proration: 'next_invoice' });
    expect(decision).toMatchObject({ billedLater: true, reanchors: false });
    expect(amounts(decision)).toEqual(amounts(decide({ target: pro })));
    const yearly = { ...pro, unitMinor: 20_000, interval: { unit: 'year', count: 1 } } as const;
    expect(decide({ target: yearly, proration: 'next_invoice' })).toMatchObject({
      billedLater: false,
      reanchors: true,
    });
  });

  it('lapses at the end of the period at the latest', () => {
    expect(decide({ target: pro, at: '2025-04-30T12:00:00.000Z' })).toMatchObject({ lapsesAt: april.endsAt });
  });

  it('never credits more than was paid, whatever was billed', () => {
    const instant = fc.date({
      min: new Date(april.startsAt),
      max: new Date(Date.parse(april.endsAt) - 1),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(fc.nat(5000), fc.nat(5000), instant, (amountMinor, paidMinor, at) => {
        const billed = [{ lineId: 'line_1', amountMinor, paidMinor, period: april }];
        const [credit = 0] = amounts(decide({ target: pro, billed, at: at.toISOString() })).filter(
          (amount) => amount < 0,
        );
        expect(-credit).toBeLessThanOrEqual(Math.min(amountMinor, paidMinor));
      }),
    );
  });
});

describe('a downgrade', () => {
  it('waits for the end of the period', () => {
    expect(decide({ current: pro, target: basic })).toEqual({
      kind: 'downgrade',
      at: april.endsAt,
      reanchors: false,
    });
    expect(decide({ current: { ...basic, quantity: 3 }, target: { ...basic, quantity: 2 } })).toMatchObject({
      kind: 'downgrade',
    });
  });

  it('to another interval moves the anchor to that end', () => {
    const target = terms({ planId: 'weekly', unitMinor: 100, interval: { unit: 'week', count: 1 } });
    expect(decide({ target })).toMatchObject({ kind: 'downgrade', reanchors: true });
  });

  it('is possible while an invoice is unpaid', () => {
    const question = { current: pro, target: basic, subscription: { status: 'past_due' as const } };
    expect(decide(question)).toMatchObject({ kind: 'downgrade' });
  });
});

describe('upgrade or downgrade', () => {
  it('is told by the price of a month, then by the rank; a tie waits for the end', () => {
    expect(isUpgrade(basic, pro)).toBe(true);
    expect(isUpgrade(pro, basic)).toBe(false);
    expect(isUpgrade(basic, { ...basic, planId: 'other', rank: 5 })).toBe(true);
    expect(isUpgrade(basic, { ...basic, planId: 'other' })).toBe(false);
    expect(isUpgrade({ ...basic, rank: 5 }, { ...pro, rank: 0 })).toBe(true);
  });
});

describe('in the trial', () => {
  it('a change is free and at once, up or down', () => {
    const trial = { status: 'trialing' as const, period: null };
    expect(decide({ target: pro, subscription: trial })).toEqual({ kind: 'in_trial' });
    expect(decide({ current: pro, target: basic, subscription: trial })).toEqual({ kind: 'in_trial' });
  });
});

describe('a change is refused', () => {
  it.each<[string, Partial<Question>]>([
    ['subscription_cancelled', { subscription: { status: 'cancelled' } }],
    ['subscription_expired', { subscription: { status: 'expired' } }],
    ['subscription_incomplete', { subscription: { status: 'incomplete' } }],
    ['subscription_suspended', { subscription: { status: 'suspended' } }],
    ['nothing_changes', { target: basic }],
    ['plan_archived', { isArchived: true }],
    ['currency_mismatch', { target: { ...pro, currency: 'EUR' } }],
    ['price_too_large', { target: { ...pro, unitMinor: 999_999_999_999, quantity: 100_000 } }],
    ['cancellation_pending', { subscription: { cancelAtPeriodEnd: true } }],
    ['change_under_way', { subscription: { hasUndecidedChange: true } }],
    ['proration_not_offered', { proration: 'next_invoice', subscription: { hasTaxEngine: true } }],
    ['change_unbilled', { subscription: { hasUnbilledChange: true } }],
    ['charge_under_way', { subscription: { hasOpenCharge: true } }],
    ['refund_pending', { billed: [{ ...paidLine, unsettled: 'refund_pending' }] }],
    ['payment_disputed', { billed: [{ ...paidLine, unsettled: 'payment_disputed' }], proration: 'reset' }],
    ['charge_under_way', { subscription: { status: 'trialing', period: null, hasOpenCharge: true } }],
    ['charge_under_way', { subscription: { status: 'trialing', period: april } }],
    ['past_due', { subscription: { status: 'past_due' } }],
    ['renewal_due', { at: april.endsAt }],
  ])('%s', (reason, question) => {
    const decision = decide({ target: pro, ...question });
    expect(decision).toMatchObject({ kind: 'refused', reason });
    expect(decision.kind === 'refused' && decision.message).toMatch(/^[A-Z0-9].{20,}\.$/);
  });
});

describe('what a change costs', () => {
  it('is what is due after the credit we hold', () => {
    const decision = decide({ target: pro });
    expect(bill(decision, 200)).toMatchObject({
      totalMinor: 500,
      fromCreditMinor: 200,
      dueMinor: 300,
      toCreditMinor: 0,
      renewal: { totalMinor: 2000, taxMinor: 0 },
    });
  });

  it('is nothing where the credits exceed the charges: the rest is kept', () => {
    const billed = [{ lineId: 'line_1', amountMinor: 30_000, paidMinor: 30_000, period: april }];
    const decision = decide({ target: pro, proration: 'reset', billed });
    expect(bill(decision, 0)).toMatchObject({ totalMinor: 0, toCreditMinor: 13_000, dueMinor: 0 });
  });
});

describe('words', () => {
  it('name the seats only where there are several', () => {
    expect(termsInWords({ planName: 'Pro', quantity: 1 })).toBe('Pro');
    expect(termsInWords({ planName: 'Pro', quantity: 3 })).toBe('Pro, 3 seats');
  });
});

type Question = Omit<ChangeQuestion, 'subscription' | 'target'> & {
  subscription: Partial<ChangeQuestion['subscription']>;
  target: PlanTerms;
  isArchived: boolean;
};

/** Basic, paid for April, asked in the middle of it. */
function decide({
  subscription = {},
  target = pro,
  isArchived = false,
  ...question
}: Partial<Question>): ChangeDecision {
  return decideChange({
    current: basic,
    proration: 'invoice_now',
    discount: null,
    billed: [{ lineId: 'line_1', amountMinor: 1000, paidMinor: 1000, period: april }],
    calendar: { timeZone: 'UTC', dayMs: realDayMs },
    at: middle,
    ...question,
    target: { ...target, isArchived },
    subscription: {
      status: 'active',
      period: april,
      cancelAtPeriodEnd: false,
      hasOpenCharge: false,
      hasUndecidedChange: false,
      hasUnbilledChange: false,
      hasTaxEngine: false,
      incompleteHours: 23,
      ...subscription,
    },
  });
}

function amounts(decision: ChangeDecision): number[] {
  if (decision.kind !== 'upgrade') throw new Error(`Not an upgrade: ${JSON.stringify(decision)}`);
  return decision.lines.map(({ amountMinor }) => amountMinor);
}

const facts: TaxFacts = {
  seller: null,
  customer: { address: null, taxId: null, taxExemptReason: null },
  rates: [],
  at: middle,
  timeZone: 'UTC',
};

function bill(decision: ChangeDecision, creditMinor: number) {
  if (decision.kind === 'refused') throw new Error(decision.message);
  const taxed = taxesFor(facts, billedLinesOf(decision));
  const renewal = taxesFor(facts, [{ amountMinor: pro.unitMinor }]);
  return billOf(decision, { taxed, renewal, creditMinor, currency: 'USD' });
}

function terms(given: Partial<PlanTerms> & Pick<PlanTerms, 'planId' | 'unitMinor'>): PlanTerms {
  return {
    planName: given.planId,
    rank: 1,
    currency: 'USD',
    interval: { unit: 'month', count: 1 },
    quantity: 1,
    ...given,
  };
}

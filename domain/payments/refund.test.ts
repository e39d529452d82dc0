import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../errors.ts';
import {
  isTakenBack,
  planRefund,
  type RefundablePayment,
  type RefundStatus,
  type RefundWish,
  refundable,
  refundIdempotencyKey,
} from './refund.ts';

const paid: RefundablePayment = {
  rail: 'stripe',
  amountMinor: 2900,
  allocatedMinor: 2900,
  currency: 'USD',
  returnedMinor: 0,
  customerCreditMinor: 0,
  disputedMinor: 0,
  takenOverMinor: 0,
  refunds: [],
};
const given = (amountMinor: number, creditMinor = 0) => refundIn('succeeded', amountMinor, creditMinor);
const pending = (amountMinor: number) => refundIn('pending', amountMinor, 0);
const failed = (amountMinor: number) => refundIn('failed', amountMinor, 0);
const refundIn = (status: RefundStatus, amountMinor: number, creditMinor: number) => ({
  status,
  amountMinor,
  creditMinor,
});

it.each<[string, Parameters<typeof isTakenBack>[0], boolean]>([
  ['stands', { rail: 'crypto', amountMinor: 2900, returnedMinor: 0 }, false],
  ['stands in part', { rail: 'crypto', amountMinor: 2900, returnedMinor: 2899 }, false],
  ['is gone', { rail: 'crypto', amountMinor: 2900, returnedMinor: 2900 }, true],
  ['of a bank stands', { rail: 'stripe', amountMinor: 2900, returnedMinor: 0 }, false],
  ['of a bank is gone as a whole', { rail: 'stripe', amountMinor: 2900, returnedMinor: 1 }, true],
])('a payment that %s', (_title, payment, is) => {
  expect(isTakenBack(payment)).toBe(is);
});

describe('what can still be given back', () => {
  it.each<[what: string, payment: Partial<RefundablePayment>, totalMinor: number, billedMinor: number]>([
    ['of a payment is all of it', {}, 2900, 2900],
    ['is less by what was given back', { refunds: [given(900)] }, 2000, 2000],
    ['is less by what is on its way', { refunds: [pending(900)] }, 2000, 2000],
    ['is not less by what failed', { refunds: [failed(900)] }, 2900, 2900],
    ['is nothing when all of it was given back', { refunds: [given(900), pending(2000)] }, 0, 0],
    ['is less by what the bank took back', { disputedMinor: 900 }, 2000, 2000],
    ['is nothing when the bank took all of it', { disputedMinor: 2900 }, 0, 0],
    ['is less by what a plan change has credited', { takenOverMinor: 1450 }, 1450, 1450],
    [
      'is less by what a plan change has credited and by what was given back',
      { takenOverMinor: 1450, refunds: [given(1000), pending(200)] },
      250,
      250,
    ],
    [
      'of an overpayment is its credit where a plan change has credited all that was billed',
      { allocatedMinor: 2000, customerCreditMinor: 900, takenOverMinor: 2000 },
      900,
      0,
    ],
    [
      'of a payment that a chain took back in part is the rest',
      { allocatedMinor: 2000, returnedMinor: 900 },
      2000,
      2000,
    ],
    [
      'of an overpayment that a chain took back in part is the rest of it, with the rest of its credit',
      { allocatedMinor: 2000, returnedMinor: 400, customerCreditMinor: 500 },
      2500,
      2000,
    ],
    [
      'of an overpayment that a chain took back in part, after it was given back, is what is left of the invoice',
      { allocatedMinor: 1600, returnedMinor: 400, refunds: [given(900, 900)] },
      1600,
      1600,
    ],
    [
      'of a payment that a chain took back is nothing',
      { allocatedMinor: 0, returnedMinor: 2900, customerCreditMinor: 900 },
      0,
      0,
    ],
    [
      'of an overpayment is all while its credit is there',
      { allocatedMinor: 2000, customerCreditMinor: 900 },
      2900,
      2000,
    ],
    [
      'of an overpayment lacks the credit that was spent',
      { allocatedMinor: 2000, customerCreditMinor: 100 },
      2100,
      2000,
    ],
    [
      'of an overpayment lacks credit of other payments',
      { allocatedMinor: 2000, customerCreditMinor: 9000 },
      2900,
      2000,
    ],
    ['of money nobody owed is its credit', { allocatedMinor: 0, customerCreditMinor: 2900 }, 2900, 0],
    [
      'of money nobody owed, in two steps, is the rest of its credit',
      { allocatedMinor: 0, customerCreditMinor: 2000, refunds: [given(900, 900)] },
      2000,
      0,
    ],
    [
      'of money nobody owed is less by what is on its way',
      { allocatedMinor: 0, customerCreditMinor: 2900, refunds: [pending(900)] },
      2000,
      0,
    ],
    [
      'of an invoice that was voided after a refund is the rest, which is credit now',
      { allocatedMinor: 0, customerCreditMinor: 1900, refunds: [given(1000)] },
      1900,
      0,
    ],
    [
      'of a payment out of the credit is what paid the invoice',
      { rail: 'credit', customerCreditMinor: 500 },
      2900,
      2900,
    ],
    [
      'of a payment out of the credit, whose invoice is void, is nothing: it is credit already',
      { rail: 'credit', allocatedMinor: 0, customerCreditMinor: 2900 },
      0,
      0,
    ],
    ['is never below zero', { refunds: [given(2900)], disputedMinor: 2900 }, 0, 0],
  ])('%s', (_what, differs, totalMinor, billedMinor) => {
    expect(refundable({ ...paid, ...differs })).toEqual({ totalMinor, billedMinor });
  });

  it('never exceeds what was paid, whatever was given back before', () => {
    const amount = fc.integer({ min: 1, max: 5000 });
    const refund = fc.record({
      status: fc.constantFrom<RefundStatus>('pending', 'succeeded', 'failed'),
      amountMinor: amount,
      creditMinor: fc.constant(0),
    });
    const property = fc.property(
      amount,
      fc.nat(5000),
      fc.nat(9000),
      fc.nat(3000),
      fc.array(refund, { maxLength: 5 }),
      (amountMinor, allocated, customerCreditMinor, disputedMinor, refunds) => {
        const allocatedMinor = Math.min(allocated, amountMinor);
        const payment = { ...paid, amountMinor, allocatedMinor, customerCreditMinor, disputedMinor, refunds };
        const { totalMinor, billedMinor } = refundable(payment);
        const standing = refunds.filter(({ status }) => status !== 'failed');
        const sum = standing.reduce((total, each) => total + each.amountMinor, 0);
        expect(billedMinor).toBeGreaterThanOrEqual(0);
        expect(billedMinor).toBeLessThanOrEqual(totalMinor);
        expect(billedMinor).toBeLessThanOrEqual(allocatedMinor);
        if (totalMinor > 0) expect(totalMinor + sum + disputedMinor).toBeLessThanOrEqual(amountMinor);
      },
    );
    fc.assert(property, { numRuns: 1_000 });
  });
});

describe('a wish for a refund', () => {
  const lines = [
    { id: 'line_seats', amountMinor: 2000, takenMinor: 0 },
    { id: 'line_extra', amountMinor: 1100, takenMinor: 600 },
    { id: 'line_unused', amountMinor: -200, takenMinor: 0 },
  ];

  it.each<[what: string, wish: RefundWish, amountMinor: number, planned: object[]]>([
    ['without amount is all that is left', {}, 2300, []],
    ['may be one unit', { amountMinor: 1 }, 1, []],
    ['may be all that is left', { amountMinor: 2300 }, 2300, []],
    [
      'by line is all that is left of the line',
      { lines: [{ lineId: 'line_extra' }] },
      500,
      [line('line_extra', 500)],
    ],
    [
      'by line may be a part, also in two places',
      {
        lines: [
          { lineId: 'line_seats', amountMinor: 5 },
          { lineId: 'line_seats', amountMinor: 7 },
        ],
      },
      12,
      [line('line_seats', 5), line('line_seats', 7)],
    ],
    [
      'by lines sums them up',
      { lines: [{ lineId: 'line_seats', amountMinor: 1800 }, { lineId: 'line_extra' }] },
      2300,
      [line('line_seats', 1800), line('line_extra', 500)],
    ],
  ])('%s', (_what, wish, amountMinor, planned) => {
    expect(planRefund({ ...paid, refunds: [given(600)] }, lines, wish)).toEqual({
      amountMinor,
      lines: planned,
    });
  });

  it.each<[what: string, wish: RefundWish, reason: string, says: string]>([
    ['of one unit more than is left', { amountMinor: 2301 }, 'refund_exceeds_payment', 'USD 23.00'],
    [
      'of lines that are more than is left',
      { lines: [{ lineId: 'line_seats' }, { lineId: 'line_extra' }] },
      'refund_exceeds_payment',
      'USD 23.00',
    ],
    [
      'of a line beyond its amount',
      { lines: [{ lineId: 'line_extra', amountMinor: 501 }] },
      'refund_exceeds_line',
      'USD 5.00',
    ],
    [
      'of a line twice beyond its amount',
      {
        lines: [
          { lineId: 'line_extra', amountMinor: 300 },
          { lineId: 'line_extra', amountMinor: 201 },
        ],
      },
      'refund_exceeds_line',
      'USD 2.00',
    ],
    ['of a line that is a credit', { lines: [{ lineId: 'line_unused' }] }, 'refund_exceeds_line', 'USD 0.00'],
    [
      'of a line of another invoice',
      { lines: [{ lineId: 'line_other' }] },
      'invoice_line_not_found',
      'line_other',
    ],
  ])('%s is refused, and hears what can be given back', (_what, wish, reason, says) => {
    const refusal = refused(() => planRefund({ ...paid, refunds: [given(600)] }, lines, wish));
    expect(refusal.reason).toBe(reason);
    expect(refusal.message).toContain(says);
  });

  it('for everything is refused when nothing is left', () => {
    const refusal = refused(() => planRefund({ ...paid, refunds: [pending(2900)] }, lines, {}));
    expect(refusal).toMatchObject({ code: 'state_conflict', reason: 'refund_exceeds_payment' });
    expect(refusal.message).toContain('USD 0.00');
  });

  it('by line is never paid out of the credit: there is nothing billed to correct', () => {
    const credited = { ...paid, allocatedMinor: 0, customerCreditMinor: 2900 };
    expect(planRefund(credited, lines, {}).amountMinor).toBe(2900);
    const byLine = () => planRefund(credited, lines, { lines: [{ lineId: 'line_extra' }] });
    expect(refused(byLine).reason).toBe('refund_exceeds_payment');
  });
});

it('has the same key however often it is asked for', () => {
  expect(refundIdempotencyKey('ref_1')).toBe('refund:ref_1');
});

function line(lineId: string, amountMinor: number) {
  return { lineId, amountMinor };
}

function refused(act: () => unknown): DomainError {
  try {
    act();
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error('It was not refused');
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUnderWay, type KnownPayment, leadingPayment, type OrderPaymentStatus } from './razorpay-order.ts';

const at = '2026-03-01T10:00:00.000Z';
const later = '2026-03-01T10:05:00.000Z';
const seen = (externalId: string, status: OrderPaymentStatus, createdAt = at) => ({
  externalId,
  status,
  createdAt,
});
const known = (externalId: string, status: OrderPaymentStatus, when = at): KnownPayment => ({
  externalId,
  status,
  at: when,
});

describe('what is remembered of an order’s payments', () => {
  it.each<[string, KnownPayment | null, ReturnType<typeof seen>[], KnownPayment | null]>([
    ['nothing, as long as nobody pays', null, [], null],
    ['the first one', null, [seen('pay_1', 'created')], known('pay_1', 'created')],
    [
      'one step after the other',
      known('pay_1', 'created'),
      [seen('pay_1', 'authorized')],
      known('pay_1', 'authorized'),
    ],
    [
      'never back from captured',
      known('pay_1', 'captured'),
      [seen('pay_1', 'authorized')],
      known('pay_1', 'captured'),
    ],
    ['never back to created', known('pay_1', 'failed'), [seen('pay_1', 'created')], known('pay_1', 'failed')],
    [
      'a late yes after a no',
      known('pay_1', 'failed'),
      [seen('pay_1', 'authorized')],
      known('pay_1', 'authorized'),
    ],
    [
      'no late no after a yes',
      known('pay_1', 'authorized'),
      [seen('pay_1', 'failed')],
      known('pay_1', 'authorized'),
    ],
    [
      'the one that may succeed before the one that failed',
      known('pay_1', 'failed'),
      [seen('pay_1', 'failed'), seen('pay_2', 'created', later)],
      known('pay_2', 'created', later),
    ],
    [
      'the one that succeeded before a later try',
      known('pay_1', 'captured'),
      [seen('pay_1', 'captured'), seen('pay_2', 'authorized', later)],
      known('pay_1', 'captured'),
    ],
    [
      'of two that failed the later one',
      null,
      [seen('pay_2', 'failed', later), seen('pay_1', 'failed')],
      known('pay_2', 'failed', later),
    ],
    [
      'a new try after everything was given back',
      known('pay_1', 'refunded'),
      [seen('pay_1', 'refunded'), seen('pay_2', 'authorized', later)],
      known('pay_2', 'authorized', later),
    ],
  ])('%s', (_, before, payments, after) => {
    expect(leadingPayment(before, payments)).toEqual(after);
  });

  it('is the same, however often and in whatever order the looks at one payment come', () => {
    const statuses: OrderPaymentStatus[] = ['created', 'failed', 'authorized', 'captured', 'refunded'];
    const look = fc.constantFrom(...statuses).map((status) => [seen('pay_1', status)]);
    fc.assert(
      fc.property(fc.array(look, { minLength: 1, maxLength: 12 }), fc.nat(), (looks, shift) => {
        const play = (order: typeof looks) => order.reduce(leadingPayment, null as KnownPayment | null);
        const turned = [...looks.slice(shift % looks.length), ...looks.slice(0, shift % looks.length)];
        expect(play([...turned, ...looks])).toEqual(play(looks));
      }),
    );
  });
});

describe('a payment is under way', () => {
  it.each<[string, KnownPayment | null, string, boolean]>([
    ['not before it begins', null, at, false],
    ['from its beginning', known('pay_1', 'created'), at, true],
    ['for half an hour', known('pay_1', 'created'), '2026-03-01T10:29:59.999Z', true],
    ['not when the customer has gone', known('pay_1', 'created'), '2026-03-01T10:30:00.000Z', false],
    [
      'as long as the bank’s yes is not captured',
      known('pay_1', 'authorized'),
      '2026-03-09T10:00:00.000Z',
      true,
    ],
    ['not once it is captured', known('pay_1', 'captured'), at, false],
    ['not once it failed', known('pay_1', 'failed'), at, false],
    ['not once it was given back', known('pay_1', 'refunded'), at, false],
  ])('%s', (_, payment, now, expected) => {
    expect(isUnderWay(payment, now)).toBe(expected);
  });
});

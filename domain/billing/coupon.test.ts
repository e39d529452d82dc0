import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  afterPeriod,
  couponRefusal,
  type Discount,
  discountInWords,
  givenBack,
  lastingReduction,
  periodReduction,
  reductionOf,
} from './coupon.ts';
import { referralReward } from './referral.ts';
import { winBackPercent } from './win-back.ts';

const discount = (over: Partial<Discount> = {}): Discount => ({
  couponId: 'cpn_1',
  code: 'SPRING',
  off: { percent: 20 },
  periodsLeft: null,
  ...over,
});

describe('a reduction', () => {
  it.each([
    [{ percent: 20 }, 1000, 200],
    [{ percent: 20 }, 2900, 580],
    [{ percent: 33 }, 50, 17],
    [{ percent: 50 }, 2901, 1451],
    [{ percent: 100 }, 2900, 2900],
    [{ percent: 1 }, 49, 0],
    [{ amountMinor: 500 }, 2900, 500],
    [{ amountMinor: 5000 }, 2900, 2900],
    [{ amountMinor: 500 }, 0, 0],
  ])('of %j off %i is %i', (off, amountMinor, expected) => {
    expect(reductionOf(off, amountMinor)).toBe(expected);
  });

  it('is never negative and never more than there is', () => {
    const off = fc.oneof(
      fc.record({ percent: fc.integer({ min: 1, max: 100 }) }),
      fc.record({ amountMinor: fc.integer({ min: 1, max: 999_999_999_999 }) }),
    );
    fc.assert(
      fc.property(off, fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (each, amountMinor) => {
        const reduction = reductionOf(each, amountMinor);
        return reduction >= 0 && reduction <= amountMinor;
      }),
    );
  });
});

describe('a coupon of a subscription', () => {
  it('lasts as many periods as it has', () => {
    const seen: (number | null)[] = [];
    for (let left: Discount | null = discount({ periodsLeft: 3 }); left !== null; left = afterPeriod(left)) {
      seen.push(left.periodsLeft);
    }
    expect(seen).toEqual([3, 2, 1]);
    expect(afterPeriod(discount())).toEqual(discount());
  });

  it('reduces recurring revenue and plan changes only where it lasts for ever', () => {
    expect(lastingReduction(discount(), 1000)).toBe(200);
    expect(lastingReduction(discount({ periodsLeft: 12 }), 1000)).toBe(0);
    expect(periodReduction(discount({ periodsLeft: 12 }), 1000)).toBe(200);
    expect([lastingReduction(null, 1000), periodReduction(null, 1000)]).toEqual([0, 0]);
  });

  it.each([
    [discount(), '20 % off every period'],
    [discount({ periodsLeft: 1 }), '20 % off the next period'],
    [discount({ periodsLeft: 3, off: { amountMinor: 500 } }), '500 off the next 3 periods'],
  ])('is said in words', (each, words) => {
    expect(discountInWords(each, String)).toBe(words);
  });
});

describe('a coupon', () => {
  const at = new Date('2026-11-26T10:00:00Z');
  const open = {
    code: 'SPRING',
    currency: null,
    expiresAt: null,
    maxRedemptions: null,
    redemptions: 0,
    archivedAt: null,
    personKey: null,
  };
  const who = { personKey: 'ada', currency: 'USD', at };

  it('can be redeemed until the moment it expires, and to the last time', () => {
    expect(couponRefusal({ ...open, expiresAt: new Date(at.getTime() + 1) }, who)).toBeNull();
    expect(couponRefusal({ ...open, maxRedemptions: 10, redemptions: 9 }, who)).toBeNull();
    expect(couponRefusal({ ...open, personKey: 'ada', currency: 'USD' }, who)).toBeNull();
  });

  it.each([
    ['coupon_expired', { expiresAt: at }],
    ['coupon_used_up', { maxRedemptions: 10, redemptions: 10 }],
    ['coupon_archived', { archivedAt: at }],
    ['coupon_of_another_customer', { personKey: 'grace' }],
    ['currency_mismatch', { currency: 'EUR' }],
  ])('%s', (reason, change) => {
    expect(couponRefusal({ ...open, ...change }, who)).toMatchObject({ reason });
  });
});

it.each([
  [2900, 580],
  [2902, 580],
  [2903, 581],
  [0, 0],
])('a referral of %i brings %i', (paidMinor, reward) => {
  expect(referralReward(paidMinor)).toBe(reward);
});

it('two offers to come back are made to about as many, and always the same one to the same subscription', () => {
  const ids = Array.from({ length: 10_000 }, (_, index) => `sub_${index.toString(16).padStart(32, '0')}`);
  const higher = ids.filter((id) => winBackPercent(id) === 50).length;
  expect(higher).toBeGreaterThan(4_700);
  expect(higher).toBeLessThan(5_300);
  expect(ids.map(winBackPercent)).toEqual(ids.map(winBackPercent));
});

describe('a period that is given back', () => {
  it('leaves a coupon as it was before the first period counted it', () => {
    const anyPeriods = fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 24 }));
    fc.assert(
      fc.property(anyPeriods, (periodsLeft) => {
        const whole = discount({ periodsLeft });
        expect(givenBack(whole, afterPeriod(whole))).toEqual(whole);
      }),
    );
  });

  it('changes nothing where another coupon has taken its place, or it was taken off', () => {
    const another = discount({ couponId: 'cpn_2', periodsLeft: 2 });
    expect(givenBack(discount({ periodsLeft: 1 }), another)).toEqual(another);
    expect(givenBack(discount({ periodsLeft: 3 }), null)).toBeNull();
    expect(givenBack(discount(), null)).toBeNull();
  });
});

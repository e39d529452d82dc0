import fc from 'fast-check';
import { expect, it } from 'vitest';
import { creditUsed, smallestCharge } from './smallest-charge.ts';

it.each([
  ['USD', 50],
  ['GBP', 30],
  ['JPY', 50],
  ['HUF', 17_500],
  ['INR', 50],
  ['KWD', 1],
])('of %s a card is charged at least %i', (currency, leastMinor) => {
  expect(smallestCharge(currency)).toBe(leastMinor);
});

it.each([
  ['all of it where it pays the invoice', 2900, 2900, 2900],
  ['no more than is due', 5000, 2900, 2900],
  ['what there is where enough is left for the card', 2850, 2900, 2850],
  ['less where too little would be left for the card', 2880, 2900, 2850],
  ['nothing of an invoice that is too small for a card already', 10, 30, 0],
  ['nothing where there is none', 0, 2900, 0],
])('the credit pays %s', (_what, creditMinor, dueMinor, usedMinor) => {
  expect(creditUsed({ creditMinor, dueMinor, currency: 'USD' })).toBe(usedMinor);
});

it('the credit leaves a card nothing, or enough, whatever is due and there', () => {
  const amount = fc.integer({ min: 0, max: 10_000 });
  fc.assert(
    fc.property(
      amount,
      amount,
      fc.constantFrom('USD', 'GBP', 'JPY', 'KWD'),
      (creditMinor, dueMinor, currency) => {
        const usedMinor = creditUsed({ creditMinor, dueMinor, currency });
        expect(usedMinor).toBeGreaterThanOrEqual(0);
        expect(usedMinor).toBeLessThanOrEqual(Math.min(creditMinor, dueMinor));
        const restMinor = dueMinor - usedMinor;
        if (dueMinor >= smallestCharge(currency) && restMinor > 0)
          expect(restMinor).toBeGreaterThanOrEqual(smallestCharge(currency));
      },
    ),
  );
});

// The demo fails when what it shows in the end is not what it promises.

import { expect, test } from 'vitest';
import { type Account, brokenPromises } from './account.ts';

const kept: Account = {
  status: 'cancelled',
  access: 'none',
  erased: true,
  invoicesPaid: 3,
  vendorCharges: 3,
  invoicesChargedTwice: 0,
  mailsSent: 12,
};

test('a life that was paid three times, cancelled and erased is as promised', () => {
  expect(brokenPromises(kept)).toEqual([]);
});

test.each([
  [{ status: 'active' }, 'status was to be cancelled and is active.'],
  [{ access: 'full' }, 'access was to be none and is full.'],
  [{ erased: false }, 'erased was to be true and is false.'],
  [{ invoicesPaid: 2 }, 'invoicesPaid was to be 3 and is 2.'],
  [{ vendorCharges: 4 }, 'vendorCharges was to be 3 and is 4.'],
  [{ invoicesChargedTwice: 1 }, 'invoicesChargedTwice was to be 0 and is 1.'],
])('an account with %o breaks a promise, in words', (wrong, sentence) => {
  expect(brokenPromises({ ...kept, ...wrong })).toEqual([sentence]);
});

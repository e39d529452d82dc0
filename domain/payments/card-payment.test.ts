/** What a decline means for what we do next, and what the customer may hear about it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chargeIdempotencyKey, declineClassOf, declineReasonForCustomer } from './card-payment.ts';
import { isReturnCode } from './direct-debit.ts';

const runs = { numRuns: 1_000 };

const codesByClass = {
  hard: [
    'stolen_card',
    'lost_card',
    'pickup_card',
    'fraudulent',
    'do_not_try_again',
    'revocation_of_authorization',
    'revocation_of_all_authorizations',
    'transaction_not_allowed',
    'incorrect_number',
    'invalid_account',
    'card_not_supported',
    'currency_not_supported',
    'expired_card',
  ],
  customer_action: ['authentication_required'],
  soft: ['insufficient_funds', 'do_not_honor', 'generic_decline', 'call_issuer', 'card_velocity_exceeded'],
  technical: ['processing_error', 'try_again_later', 'issuer_not_available'],
} as const;

describe('decline classes', () => {
  const table = Object.entries(codesByClass).flatMap(([kind, codes]) =>
    codes.map((code) => ({ code, kind })),
  );
  it.each(table)('$code is $kind', ({ code, kind }) => {
    expect(declineClassOf(code)).toBe(kind);
  });

  it('a code we do not know is tried again on the ladder, never in a hurry', () => {
    expect(declineClassOf('some_new_code')).toBe('soft');
    const known = new Set<string>(Object.values(codesByClass).flat());
    fc.assert(
      fc.property(
        fc.string().filter((code) => !known.has(code) && !isReturnCode(code)),
        (code) => declineClassOf(code) === 'soft',
      ),
      runs,
    );
  });

  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
    'is not fooled by the code %s',
    (code) => {
      expect(declineClassOf(code)).toBe('soft');
    },
  );
});

describe('what the customer hears', () => {
  it.each(['stolen_card', 'lost_card', 'pickup_card', 'fraudulent'])(
    'whoever holds the card learns nothing from %s but that it was declined',
    (code) => {
      expect(declineReasonForCustomer(code)).toBe('your card was declined');
      expect(declineReasonForCustomer(code)).toBe(declineReasonForCustomer('generic_decline'));
    },
  );

  it.each([
    ['insufficient_funds', 'your card had insufficient funds'],
    ['expired_card', 'your card has expired'],
    ['authentication_required', 'your bank asks you to confirm the payment'],
    ['payment_method_missing', 'there is no payment method on file'],
    ['processing_error', 'your bank could not be reached'],
    ['try_again_later', 'your bank could not be reached'],
    ['issuer_not_available', 'your bank could not be reached'],
    ['do_not_honor', 'your card was declined'],
  ])('%s: %s', (code, words) => {
    expect(declineReasonForCustomer(code)).toBe(words);
  });

  it('a reason is always a clause that completes "because …" and never shows the code itself', () => {
    const code = fc.oneof(
      fc.constantFrom(...Object.values(codesByClass).flat()),
      fc.string({ minLength: 5 }),
    );
    fc.assert(
      fc.property(code, (given) => {
        const words = declineReasonForCustomer(given);
        expect(words).toMatch(/^(your|there) [a-z ]+$/);
        expect(words).not.toContain('_');
      }),
      runs,
    );
  });
});

describe('the idempotency key of a charge', () => {
  it('is made of the invoice and the ordinal of the attempt, nothing else', () => {
    expect(chargeIdempotencyKey({ invoiceId: 'inv_1', ordinal: 2 })).toBe('invoice:inv_1:charge:2');
  });

  it('is the same for every try of an attempt and differs between attempts', () => {
    const attempt = fc.record({ invoiceId: fc.uuid(), ordinal: fc.nat() });
    fc.assert(
      fc.property(attempt, attempt, (a, b) => {
        expect(chargeIdempotencyKey(a)).toBe(chargeIdempotencyKey({ ...a }));
        const same = a.invoiceId === b.invoiceId && a.ordinal === b.ordinal;
        expect(chargeIdempotencyKey(a) === chargeIdempotencyKey(b)).toBe(same);
      }),
      runs,
    );
  });
});

import { expect, it } from 'vitest';
import { decide, factsOf, invoices, movement, rate } from '../../test/support/bank-matching.ts';
import { creditableOnly } from './duplicate-credit.ts';
import { matchInWords } from './match-sentence.ts';

const known = Object.values(invoices);
const paidAgain = decide(movement('WIRE ADV55550123', 9900));
const inPounds = decide(movement('WIRE ADV55550123', 9900, { currency: 'GBP' }));

it('a second payment is credit in the currency of its invoice, and elsewhere once there is a rate', () => {
  const rates = [rate('GBP', 'USD', '1.27')];
  expect(creditableOnly(paidAgain, factsOf(known))).toBe(paidAgain);
  expect(creditableOnly(inPounds, factsOf(known, { rates }))).toBe(inPounds);
});

it('a second payment whose worth only an entered rate says waits for a person', () => {
  const rates = [rate('GBP', 'USD', '1.27', 'manual')];
  expect(creditableOnly(inPounds, factsOf(known, { rates }))).toEqual({
    ...inPounds,
    needsConfirmation: true,
  });
});

it('a second payment in a currency without a rate waits for one', () => {
  const decision = creditableOnly(inPounds, factsOf(known));
  expect(decision).toMatchObject({ kind: 'exception_fx', rule: 2, invoiceId: 'P', level: 'E' });
  expect(matchInWords(decision)).toContain('there is no exchange rate of 2026-03-05');
});

it('what a person is asked about first, and every other decision, stays as it is', () => {
  const asked = decide(movement('WIRE ADV5555012', 9900, { currency: 'GBP' }));
  expect(asked).toMatchObject({ kind: 'duplicate_credit', needsConfirmation: true });
  expect(creditableOnly(asked, factsOf(known))).toBe(asked);
  const other = decide(movement('WIRE ADV48213075', 1));
  expect(creditableOnly(other, factsOf(known))).toBe(other);
});

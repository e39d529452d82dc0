/** What a bank's return means for what we do next. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { realDayMs } from '../instant.ts';
import { declineClassOf, declineReasonForCustomer } from './card-payment.ts';
import {
  endsMandate,
  fundsCodes,
  isRepresentmentForbidden,
  isReturnCode,
  representAt,
  returnClassOf,
} from './direct-debit.ts';

const runs = { numRuns: 1_000 };
const returnedAt = '2026-03-05T15:30:00.000Z';
const networkCode = fc.integer({ min: 0, max: 99 }).map((number) => `R${String(number).padStart(2, '0')}`);

describe('classes of returns', () => {
  it.each([
    // code, class, as a decline, ends the mandate
    ['R01', 'funds', 'soft', false],
    ['R09', 'funds', 'soft', false],
    ['R02', 'account', 'hard', false],
    ['R03', 'account', 'hard', false],
    ['R04', 'account', 'hard', false],
    ['R16', 'account', 'hard', false],
    ['R20', 'account', 'hard', false],
    ['R05', 'unauthorised', 'hard', true],
    ['R07', 'unauthorised', 'hard', true],
    ['R08', 'unauthorised', 'hard', true],
    ['R10', 'unauthorised', 'hard', true],
    ['R29', 'unauthorised', 'hard', true],
    ['R06', 'other', 'soft', false],
    ['R99', 'other', 'soft', false],
  ])('%s is %s: %s, ends the mandate: %s', (code, kind, decline, ends) => {
    expect({
      kind: returnClassOf(code),
      decline: declineClassOf(code),
      ends: endsMandate(code),
    }).toEqual({ kind, decline, ends });
  });

  it('only want of funds is presented again', () => {
    expect(fundsCodes).toEqual(['R01', 'R09']);
    fc.assert(
      fc.property(networkCode, fc.integer({ min: 1, max: 9 }), (code, returns) => {
        const at = representAt({ code, returns, returnedAt, dayMs: realDayMs });
        return (at !== null) === ((code === 'R01' || code === 'R09') && returns === 1);
      }),
      runs,
    );
  });

  it.each(['bank_cannot_process', 'insufficient_funds', 'constructor', '__proto__', 'R1', 'R011', ''])(
    'a word that is no code of the network is %j: other',
    (word) => {
      expect(isReturnCode(word)).toBe(false);
      expect(returnClassOf(word)).toBe('other');
    },
  );

  it('whoever may be asked again has a mandate still, whoever is not authorised is never asked', () => {
    fc.assert(
      fc.property(networkCode, (code) => {
        if (fundsCodes.includes(code)) return !endsMandate(code) && declineClassOf(code) === 'soft';
        return !endsMandate(code) || declineClassOf(code) === 'hard';
      }),
      runs,
    );
  });
});

describe('the new presentment', () => {
  it('comes three times 24 hours after the return, to the millisecond, over a change of the clocks too', () => {
    const at = (instant: string) =>
      representAt({ code: 'R01', returns: 1, returnedAt: instant, dayMs: realDayMs });
    expect(at(returnedAt)).toBe('2026-03-08T15:30:00.000Z');
    expect(at('2026-03-28T01:30:00.123Z')).toBe('2026-03-31T01:30:00.123Z');
  });

  it('is not repeated: the second return goes to the ladder', () => {
    expect(representAt({ code: 'R09', returns: 2, returnedAt, dayMs: realDayMs })).toBeNull();
  });

  it('keeps to the length of a day where days are shortened', () => {
    expect(representAt({ code: 'R01', returns: 1, returnedAt, dayMs: 5_000 })).toBe(
      '2026-03-05T15:30:15.000Z',
    );
  });

  it('leaves the ladder one more within the ceiling of the network, and no second one', () => {
    expect([1, 2, 3, 4].map(isRepresentmentForbidden)).toEqual([false, false, true, true]);
  });
});

describe('what the customer hears', () => {
  it.each([
    ['R01', 'your bank account had insufficient funds'],
    ['R02', 'your bank account is closed'],
    ['R07', 'you have revoked the authorisation at your bank'],
    ['R99', 'your bank returned the debit'],
    ['bank_cannot_process', 'your bank account could not be debited'],
  ])('%s: %s', (code, words) => {
    expect(declineReasonForCustomer(code)).toBe(words);
  });

  it('of a bank account nobody says that it is a card', () => {
    fc.assert(
      fc.property(networkCode, (code) => !/card|R\d\d/.test(declineReasonForCustomer(code))),
      runs,
    );
  });
});

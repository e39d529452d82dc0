import { describe, expect, it } from 'vitest';
import { movement } from '../../test/support/bank-matching.ts';
import { hasBankNumber } from './bank-number.ts';

const wire = movement('INCOMING WIRE ACME CORP TRN#260305', 49_900, { bankReference: '20260305MMQF1234' });

describe('the number that a customer finds on the confirmation of a wire', () => {
  it.each([
    '20260305MMQF1234',
    ' 20260305mmqf1234\n',
    '20260305-MMQF-1234',
    '２０２６０３０５ＭＭＱＦ１２３４',
    '260305',
  ])('%j finds the movement that came without a reference', (number) => {
    expect(hasBankNumber(wire, number)).toBe(true);
  });

  it.each([
    ['another one', '20260305MMQF1235'],
    ['the beginning of it', '20260305MMQF'],
    ['part of a word', '26030'],
    ['several words', 'ACME CORP'],
    ['too short', 'CORP'],
    ['nothing', ''],
    ['only separators', '------'],
    ['none', null],
  ])('finds none where it is %s', (_name, number) => {
    expect(hasBankNumber(wire, number)).toBe(false);
  });

  it('finds none where the bank tells no number', () => {
    expect(hasBankNumber(movement('', 49_900), '20260305MMQF1234')).toBe(false);
  });
});

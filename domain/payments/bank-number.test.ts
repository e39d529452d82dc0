import { describe, expect, it } from 'vitest';
import { movement } from '../../test/support/bank-matching.ts';
import { bankNumberForm, bankNumbersIn, hasBankNumber } from './bank-number.ts';

const wire = movement('INCOMING WIRE ACME CORP ORDER123 05032026 TRN#260305', 49_900, {
  bankReference: '20260305MMQF1234',
});

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
    ['a word that banks write', 'INCOMING'],
    ['a word with too few digits', 'ORDER123'],
    ['a day', '05.03.2026'],
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

it.each([
  ['MMQFMP0N000123', true],
  ['ab-12 34', true],
  ['260305', true],
  ['TRANSFER', false],
  ['ABC123', false],
  ['12345', false],
  ['1234 = 5', false],
])('%j can be told as one: %s', (typed, isOne) => {
  expect(bankNumberForm.test(typed)).toBe(isOne);
});

it('the numbers of a movement are its own and the words of its texts, but for short ones', () => {
  const transaction = { texts: ['WIRE trn-260305/88 ab1234', 'x'], bankReference: '2026 0305-mmqf' };
  expect(bankNumbersIn(transaction)).toEqual(['20260305MMQF', '260305', 'AB1234']);
  expect(bankNumbersIn({ texts: ['123456 123456'], bankReference: '12345' })).toEqual(['123456']);
  const many = Array.from({ length: 100 }, (_, index) => `N${100_000 + index}`).join(' ');
  expect(bankNumbersIn({ texts: [many], bankReference: null })).toHaveLength(60);
});

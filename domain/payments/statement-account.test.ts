import { describe, expect, it } from 'vitest';
import {
  endOf,
  isAccountOf,
  mayBeAccountOf,
  plainAccount,
  statementAccountMistake,
} from './statement-account.ts';

const iban = 'DE89370400440532013000';
const named = (id: string, more: { iban?: string; bankId?: string } = {}) => ({
  id,
  iban: more.iban ?? null,
  bankId: more.bankId ?? null,
});

describe('an account that a file names', () => {
  it.each([
    ['by its IBAN', iban, named(iban, { iban })],
    ['by its IBAN in groups', iban, named('de89 3704 0044 0532 0130 00')],
    ['by its IBAN and a currency', iban, named(`${iban}EUR`)],
    ['by the number in the IBAN', iban, named('0532013000')],
    ['by the number in the IBAN without its zero', iban, named('532013000')],
    ['by the bank and the number', iban, named('37040044/0532013000')],
    ['by the bank and the number without its zero', iban, named('37040044/532013000')],
    ['by a bank and a number apart', '0210000210012345', named('12345', { bankId: '02100002100' })],
    ['by its IBAN where the number is kept', '0532013000', named(iban, { iban })],
    ['with zeros before it', '12345678', named('0012345678')],
  ])('is the one that is kept: %s', (_how, kept, file) => {
    expect(isAccountOf(kept, file)).toBe(true);
  });

  it.each([
    ['another IBAN', iban, named('DE02120300000000202051')],
    ['another number', iban, named('0532013001')],
    ['too short an end', iban, named('13000')],
    ['nothing', iban, named('')],
    ['a number that ends alike', '12345678', named('99912345678')],
  ])('is another: %s', (_how, kept, file) => {
    expect(isAccountOf(kept, file)).toBe(false);
  });
});

describe('an account that is known by the end of its number', () => {
  it.each([
    ['by an IBAN', '3000', named(iban, { iban })],
    ['by an IBAN and a currency', '…3000', named(`${iban}EUR`)],
    ['by the bank and the number', 'xxxx3000', named('37040044/0532013000')],
    ['by an IBAN whose key is told with the number', '2606', named('FR1420041010050500013M02606')],
    ['by an IBAN with a key behind the number', 'M026', named('FR1420041010050500013M02606')],
    ['by an IBAN with a currency of its own', '0200', named('MU17BOMM0101101030300200000MUR')],
  ])('may be the one that a file names: %s', (_how, mask, file) => {
    expect(mayBeAccountOf(mask, file)).toBe(true);
  });

  it.each([
    ['nothing of it is known', null],
    ['too little of it is known', '…51'],
  ])('may be any where %s', (_why, mask) => {
    expect(mayBeAccountOf(mask, named(iban, { iban }))).toBe(true);
  });

  it.each([
    ['an IBAN', '…2051', named(iban, { iban })],
    ['a number', '2051', named('0532013000')],
    ['digits in its middle alone', '0532', named(iban, { iban })],
    ['a bank with such an end', '0044', named('13000', { bankId: '37040044' })],
  ])('is not the one that a file names by %s', (_how, mask, file) => {
    expect(mayBeAccountOf(mask, file)).toBe(false);
  });
});

it('an account is kept without dress, and shown by its end', () => {
  expect(plainAccount(' de89 3704-0044/0532.0130 00 ')).toBe(iban);
  expect(endOf(iban)).toBe('…3000');
});

it('what looks like an IBAN must be one, other numbers may be anything', () => {
  expect(statementAccountMistake(iban)).toBeNull();
  expect(statementAccountMistake('DE88370400440532013000')).toMatch(/check digits/);
  expect(statementAccountMistake('12345678')).toBeNull();
});

/** What is an amount in a statement file, and what is refused because it could be another. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimalOf } from '../../domain/money.ts';
import { type AmountSyntax, signedMinor, unsignedMinor } from './amounts.ts';
import { StatementError } from './statement-error.ts';

const lenient: AmountSyntax = { currency: 'USD', line: 7, mark: null, grouped: true };

function reasonOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof StatementError) return error.reason;
    throw error;
  }
  return 'read';
}

describe('an amount whose decimal mark is not told', () => {
  it.each([
    ['499', 49_900],
    ['499.00', 49_900],
    ['499,00', 49_900],
    ['+499.5', 49_950],
    ['-499.5', -49_950],
    ['499.50-', -49_950],
    ['(499.50)', -49_950],
    ['\u2212499.50', -49_950],
    ['\u2013499.50', -49_950],
    ['- 499.50', -49_950],
    ['.5', 50],
    ['5.', 500],
    ['0', 0],
    ['-0.00', 0],
    ['12.5000', 1250],
    ['0.500', 50],
    ['1,234.56', 123_456],
    ['1.234,56', 123_456],
    ['1.234.567', 123_456_700],
    ['12,34,567.00', 123_456_700],
    ['1 234,56', 123_456],
    ['1\u00A0234,56', 123_456],
    ["1'234.56", 123_456],
    ['1234.567.890,1', null],
    ['0012.30', 1230],
  ])('%s', (text, minor) => {
    if (minor === null) expect(reasonOf(() => signedMinor(text, lenient))).toBe('amount_unreadable');
    else expect(signedMinor(text, lenient)).toBe(minor);
  });

  it.each([
    ['', 'amount_missing'],
    ['   ', 'amount_missing'],
    ['-', 'amount_missing'],
    ['1,234', 'amount_ambiguous'],
    ['1.234', 'amount_ambiguous'],
    ['-12.500', 'amount_ambiguous'],
    ['12.345678', 'amount_unreadable'],
    ['1e3', 'amount_unreadable'],
    ['0x10', 'amount_unreadable'],
    ['NaN', 'amount_unreadable'],
    ['12.3.4,5', 'amount_unreadable'],
    ['1,23,4.00', 'amount_unreadable'],
    ['1 23.00', 'amount_unreadable'],
    ['--5', 'sign_unreadable'],
    ['-5-', 'sign_unreadable'],
    ['5.-', 'sign_unreadable'],
    ['5,–', 'sign_unreadable'],
    ['5.--', 'sign_unreadable'],
    ['(5', 'sign_unreadable'],
    ['-(5)', 'sign_unreadable'],
    ['90071992547409.93', 'amount_unreadable'],
    ['९', 'amount_unreadable'],
    ['.', 'amount_unreadable'],
  ])('%s is refused: %s', (text, reason) => {
    expect(reasonOf(() => signedMinor(text, lenient))).toBe(reason);
  });
});

describe('decimals that the currency does not have', () => {
  it.each([
    ['JPY', '500.00', 500],
    ['JPY', '500', 500],
    ['KWD', '5.124', 5124],
    ['KWD', '5.1', 5100],
  ])('%s %s', (currency, text, minor) => {
    expect(unsignedMinor(text, { currency, line: 1, mark: '.', grouped: false })).toBe(minor);
  });

  it('are refused unless they are zeros', () => {
    const read = (currency: string, text: string) => () =>
      unsignedMinor(text, { currency, line: 1, mark: '.', grouped: false });
    expect(reasonOf(read('JPY', '500.5'))).toBe('amount_unreadable');
    expect(reasonOf(read('USD', '5.001'))).toBe('amount_unreadable');
    expect(reasonOf(read('USD', '1,000.00'))).toBe('amount_unreadable');
  });
});

it('every amount that we write is read as itself, with either mark', () => {
  const currency = fc.constantFrom('USD', 'JPY', 'KWD');
  fc.assert(
    fc.property(fc.maxSafeInteger(), currency, fc.constantFrom('.', ','), (amountMinor, code, mark) => {
      const text = decimalOf({ amountMinor, currency: code }).replace('.', mark);
      const syntax = { currency: code, line: 1, mark: mark as ',' | '.', grouped: false };
      expect(signedMinor(text, syntax)).toBe(amountMinor || 0);
    }),
  );
});

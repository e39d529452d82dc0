import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  hasCheckDigit,
  isDateShaped,
  isTransferReference,
  newTransferReference,
} from './transfer-reference.ts';

const digit = fc.nat({ max: 9 });
const drawn = fc.array(digit, { minLength: 700, maxLength: 700 });

/** A reference made of these digits, in their order, as often as a date makes it draw again. */
function madeOf(digits: readonly number[]): string {
  const rest = [...digits];
  return newTransferReference(() => rest.shift() ?? 5);
}

describe('a reference', () => {
  it('ends with the check digit of the published example', () => {
    // 572 has the check digit 4 in Damm's own example; zeros before it change nothing.
    expect(madeOf([0, 0, 0, 0, 5, 7, 2])).toBe('ADV00005724');
  });

  it('has its form and its check digit', () => {
    fc.assert(
      fc.property(drawn, (digits) => {
        const reference = madeOf(digits);
        expect(isTransferReference(reference)).toBe(true);
        expect(hasCheckDigit(reference)).toBe(true);
        expect(isDateShaped(reference.slice(3))).toBe(false);
      }),
    );
  });

  it('names no other invoice where one digit is wrong', () => {
    fc.assert(
      fc.property(drawn, fc.nat({ max: 7 }), digit, (digits, place, other) => {
        const reference = madeOf(digits);
        const at = 3 + place;
        fc.pre(reference[at] !== String(other));
        expect(hasCheckDigit(`${reference.slice(0, at)}${other}${reference.slice(at + 1)}`)).toBe(false);
      }),
    );
  });

  it('names no other invoice where two neighbours changed places', () => {
    fc.assert(
      fc.property(drawn, fc.nat({ max: 6 }), (digits, place) => {
        const reference = madeOf(digits);
        const at = 3 + place;
        const [first = '', second = ''] = [reference[at], reference[at + 1]];
        fc.pre(first !== second);
        const typed = `${reference.slice(0, at)}${second}${first}${reference.slice(at + 2)}`;
        expect(hasCheckDigit(typed)).toBe(false);
      }),
    );
  });

  it.each(['ADV4821307', 'ADV482130755', 'adv48213075', 'ADV 48213075', 'ADV4821307S', '48213075', ''])(
    'is not %j',
    (text) => {
      expect(isTransferReference(text)).toBe(false);
      expect(hasCheckDigit(text)).toBe(false);
    },
  );

  it('is drawn again where its digits read as a date', () => {
    const days = Array.from({ length: 31 }, (_, index) => `202610${String(index + 1).padStart(2, '0')}`);
    const checked = days.filter((day) => hasCheckDigit(`ADV${day}`));
    expect(checked).not.toEqual([]);
    for (const day of checked) {
      const digits = [...day.slice(0, 7), ...'0000572'].map(Number);
      expect(madeOf(digits), day).toBe('ADV00005724');
    }
  });
});

describe('digits that read as a date', () => {
  it.each([
    ['20261031', true],
    ['31102026', true],
    ['10312026', true],
    ['19900101', true],
    ['20791231', true],
    ['19891231', false],
    ['20800101', false],
    ['20261331', false],
    ['32132026', false],
    ['00002026', false],
    ['48213075', false],
  ])('%s: %s', (digits, isDate) => {
    expect(isDateShaped(digits)).toBe(isDate);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nameKey, nameKeysIn, nameLikeness, nameWords } from './payer-name.ts';

function likeness(a: string, b: string): string {
  const { matched, whole } = nameLikeness(nameWords(a), nameWords(b));
  return `${matched}/${whole}`;
}

describe('how far two names are the same', () => {
  it.each([
    ['Acme Corp.', 'ACME CORPORATION', '4/4'],
    ['Jane Doe', 'DOE, JANE M', '7/7'],
    ['Müller & Söhne GmbH', 'MUELLER SOEHNE', '11/11'],
    ['Müller & Söhne GmbH', 'MULLER SOHNE', '11/11'],
    ['Globex Industries', 'WIRE FROM GLOBEX INDUSTRES REF 77', '16/16'],
    ['Globex Industries', 'GLOBEX HOLDING', '6/13'],
    ['Initech', 'Umbrella', '0/7'],
    ['Johnson Ltd', 'Jonhson Limited', '7/7'],
    ['Ann Lee', 'Ana Lee', '3/6'],
    ['Co Ltd', 'The Company Ltd', '3/5'],
    ['', 'Acme', '0/0'],
    ['株式会社', '株式会社', '4/4'],
    ['Acme Acme Acme', 'Acme', '4/4'],
  ])('%j and %j: %s', (a, b, expected) => {
    expect(likeness(a, b)).toBe(expected);
  });

  it('is never more than all of the shorter, and all of it for a name and itself in any order', () => {
    const word = fc.stringMatching(/^[A-Z]{2,9}$/);
    const name = fc.array(word, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(name, name, (a, b) => {
        const { matched, whole } = nameLikeness(a, b);
        expect(matched).toBeGreaterThanOrEqual(0);
        expect(matched).toBeLessThanOrEqual(whole);
        const words = nameWords(a.join(' '));
        const same = nameLikeness(words, words.toReversed());
        expect(same.matched).toBe(same.whole);
      }),
    );
  });

  it('of a text of any length is told from its first words', () => {
    expect(nameWords('A B '.repeat(50_000))).toEqual(['A', 'B']);
    expect(nameWords(Array.from({ length: 9000 }, (_, index) => `W${index}`).join(' '))).toHaveLength(60);
  });
});

describe('the key of a name', () => {
  it('is the same whatever the order, the accents and the kind of company', () => {
    for (const name of ['Zebra Würfel GmbH', 'WURFEL, zebra', 'würfel zebra ltd.']) {
      expect(nameKey(name)).toBe('WURFEL ZEBRA');
    }
    expect(nameKey('Limited')).toBe('LIMITED');
    expect(nameKey(' - ')).toBeNull();
  });

  it('is found in a text that wraps the name in others, among its first thirty words', () => {
    expect(nameKeysIn('ACH CREDIT DOE JANE M')).toContain(nameKey('Jane Doe'));
    expect(nameKeysIn('Acme')).toEqual(['ACME']);
    expect(nameKeysIn('')).toEqual([]);
    expect(nameKeysIn('A1 B2 C3 D4 E5')).toEqual(expect.arrayContaining(['A1 B2 C3 D4 E5', 'B2 C3 D4 E5']));
    const long = Array.from({ length: 40 }, (_, index) => `W${index}`);
    expect(nameKeysIn(long.join(' '))).not.toContain('W30');
    expect(nameKeysIn(long.join(' '))).toContain('W29');
  });
});

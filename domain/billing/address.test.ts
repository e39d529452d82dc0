import { describe, expect, it } from 'vitest';
import { type Address, addressInWords, regionMistake } from './address.ts';

describe('an address in words', () => {
  it.each<[Partial<Address>, string[]]>([
    [
      { postalCode: '10117', lines: ['Unter den Linden 1', 'Berlin'] },
      ['Unter den Linden 1', '10117 Berlin', 'Germany'],
    ],
    [{ lines: ['Unter den Linden 1', 'Berlin'] }, ['Unter den Linden 1', 'Berlin', 'Germany']],
    [{ postalCode: '10117', lines: ['Unter den Linden 1'] }, ['Unter den Linden 1', '10117', 'Germany']],
    [{}, ['Germany']],
    [
      { country: 'IN', region: '29', postalCode: '560038', lines: ['MG Road', 'Bengaluru'] },
      ['MG Road', 'Bengaluru 560038', 'Karnataka', 'India'],
    ],
    [{ country: 'US', region: 'CA', postalCode: '94103' }, ['94103', 'CA', 'United States']],
  ])('%j', (given, words) => {
    expect(addressInWords({ country: 'DE', region: null, postalCode: null, lines: [], ...given })).toEqual(
      words,
    );
  });
});

describe('a region', () => {
  it.each([
    ['IN', '29', true],
    ['IN', null, false],
    ['IN', 'KA', false],
    ['IN', '28', false],
    ['US', 'CA', true],
    ['DE', null, true],
  ])('of %s that is %s: %s', (country, region, isRight) => {
    expect(regionMistake({ country, region }) === null).toBe(isRight);
  });
});

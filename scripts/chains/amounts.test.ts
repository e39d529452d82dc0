import { expect, test } from 'vitest';
import { partOf } from './amounts.ts';

test.each([
  ['0.5', 1001n, 501n],
  ['1', 1000n, 1000n],
  ['1.25', 1000n, 1250n],
  ['0.000000001', 1000n, 1n],
])('%s of an amount is exact, and never less than asked for', (part, units, expected) => {
  expect(partOf(units, part)).toBe(expected);
});

test.each(['0', '0.0', '-1', '1,5', 'half', '', '1.'])('"%s" is no part of an amount', (part) => {
  expect(() => partOf(1000n, part)).toThrow('--part must be a decimal above 0');
});
